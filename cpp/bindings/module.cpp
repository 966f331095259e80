// The extension module fastgrok._core.
#include <pybind11/pybind11.h>

#include <exception>
#include <new>

#include "core/interrupt.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {

void register_attack(pybind11::module_& m);
void register_dense(pybind11::module_& m);
void register_draws(pybind11::module_& m);
void register_elsewhere(pybind11::module_& m);
void register_ensemble(pybind11::module_& m);
void register_kernels(pybind11::module_& m);
void register_leap(pybind11::module_& m);
void register_leaping(pybind11::module_& m);
void register_losses(pybind11::module_& m);
void register_problem(pybind11::module_& m);
void register_descent(pybind11::module_& m);

}  // namespace fastgrok

// A free-threaded Python takes the GIL back, and says so, when it imports this. CONTRIBUTING.md
// tells what stands against doing without.
PYBIND11_MODULE(_core, m, pybind11::mod_gil_used()) {
    m.doc() = "The compiled core of fastgrok: kernels and engines.";
    try {
        fastgrok::kernels();
    } catch (const std::runtime_error& error) {
        throw pybind11::import_error(error.what());
    }
    pybind11::register_local_exception_translator([](std::exception_ptr thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const fastgrok::Interrupted&) {  // the error of a signal's handler is set
        } catch (const std::bad_alloc&) {
            PyErr_SetString(PyExc_MemoryError,
                            "there is not enough memory for what the call makes beside its arrays");
        }
    });
    fastgrok::register_kernels(m);
    fastgrok::register_losses(m);
    fastgrok::register_dense(m);
    fastgrok::register_draws(m);
    fastgrok::register_problem(m);
    fastgrok::register_attack(m);
    fastgrok::register_elsewhere(m);
    fastgrok::register_descent(m);
    fastgrok::register_ensemble(m);
    fastgrok::register_leap(m);
    fastgrok::register_leaping(m);
}
