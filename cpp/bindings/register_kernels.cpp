// What was built and runs, and the elementary functions for tests.
#include <pybind11/stl.h>

#include <algorithm>

#include "arrays.hpp"
#include "core/team.hpp"
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
            const Unlocked alone;
            (kernels().*member)(from, to, n);
            return out;
        },
        py::arg("x").noconvert());
}

// Of rows, between two looks at the signals.
constexpr std::size_t kBlockEntries = std::size_t{1} << 20;

// A matrix, contiguous in either order, times a vector as if computed with twice the digits: see
// Passes::accurate_margins.
Array<double> accurate_product(const py::array_t<double>& matrix, const Array<double>& vector) {
    require(matrix.ndim() == 2, "matrix must have rows and columns");
    require(vector.ndim() == 1 && vector.shape(0) == matrix.shape(1),
            "vector must have one entry a column of matrix");
    const bool by_rows = (matrix.flags() & py::array::c_style) != 0;
    require(by_rows || (matrix.flags() & py::array::f_style) != 0, "matrix must be contiguous");
    const auto rows = static_cast<std::size_t>(matrix.shape(0));
    const auto cols = static_cast<std::size_t>(matrix.shape(1));
    Array<double> out(matrix.shape(0));
    const double *x = matrix.data(), *w = vector.data();
    double* to = out.mutable_data();
    const Unlocked alone;
    if (!by_rows) {
        kernels().accurate_sums(x, cols, rows, w, to);
        return out;
    }
    Vector u(plain_layout(cols).length, 0.0);
    std::copy(w, w + cols, u.begin());
    const Vector ones(rows, 1.0);
    const std::size_t at_once =
        kBlockEntries / std::max<std::size_t>(cols, 1) / kLanes * kLanes + kLanes;
    for (std::size_t i = 0; i < rows; i += at_once) {
        stop_if_due();
        const std::size_t count = std::min(at_once, rows - i);
        kernels().plain64.accurate({x + i * cols, ones.data(), count, cols}, u.data(), to + i);
    }
    return out;
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
    m.def("default_threads", &default_threads);
    define_function(m, "exp", &Kernels::exp);
    define_function(m, "softplus", &Kernels::softplus);
    define_function(m, "sigmoid", &Kernels::sigmoid);
    m.def("accurate_product", &accurate_product, py::arg("matrix").noconvert(),
          py::arg("vector").noconvert());
}

}  // namespace fastgrok
