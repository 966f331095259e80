// What was built and runs, and the elementary functions for tests.
#include <pybind11/stl.h>

#include "bindings/arrays.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {
namespace {

using Elementwise = void (*)(const double*, double*, std::size_t);

void define_function(py::module_& m, const char* name, Elementwise Kernels::* member) {
    m.def(
        name,
        [member](const Array<double>& x) {
            Array<double> out(std::vector<py::ssize_t>(x.shape(), x.shape() + x.ndim()));
            const double* from = x.data();
            double* to = out.mutable_data();
            const auto n = static_cast<std::size_t>(x.size());
            py::gil_scoped_release release;
            (kernels().*member)(from, to, n);
            return out;
        },
        py::arg("x").noconvert());
}

std::vector<std::string> available() {
    std::vector<std::string> names;
    for (const char* const* name = available_kernels(); *name != nullptr; ++name)
        names.emplace_back(*name);
    return names;
}

}  // namespace

void register_kernels(py::module_& m) {
    m.def("build_info", [] {
        return std::map<std::string, std::string>{
            {"compiler", FASTGROK_COMPILER},
            {"flags", FASTGROK_FLAGS},
            {"build_type", FASTGROK_BUILD_TYPE},
            {"pybind11", FASTGROK_PYBIND11},
        };
    });
    m.def("simd", [] { return std::string(kernels().name); });
    m.def("simd_available", &available);
    define_function(m, "exp", &Kernels::exp);
    define_function(m, "softplus", &Kernels::softplus);
    define_function(m, "sigmoid", &Kernels::sigmoid);
}

}  // namespace fastgrok
