// NumPy arrays in and out. Python has checked shapes and values; what is checked again here is what
// memory safety needs.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/interrupt.hpp"
#include "core/types.hpp"
#include "engines/passes.hpp"

namespace fastgrok {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

// An array copy of a vector, of the given shape (by default one axis).
template <class T, class Allocator>
py::array_t<T> to_array(const std::vector<T, Allocator>& values,
                        std::vector<py::ssize_t> shape = {}) {
    if (shape.empty()) shape.push_back(static_cast<py::ssize_t>(values.size()));
    return py::array_t<T>(shape, values.data());
}

// An array that has the vector's memory.
template <class Values>
Array<double> into_array(Values values, std::vector<py::ssize_t> shape) {
    auto* owned = new Values(std::move(values));
    const py::capsule owner(owned, [](void* p) { delete static_cast<Values*>(p); });
    return Array<double>(std::move(shape), owned->data(), owner);
}

inline void require(bool condition, const std::string& message) {
    if (!condition) throw py::value_error(message);
}

inline Loss parse_loss(const std::string& name) {
    std::string names;
    for (const Loss loss : kLosses) {
        if (name == name_of(loss)) return loss;
        names += (names.empty() ? "'" : ", '") + std::string(name_of(loss)) + "'";
    }
    throw py::value_error("loss must be one of " + names + ", not '" + name + "'");
}

inline Tie parse_tie(bool tie_negative) {
    return tie_negative ? Tie::negative : Tie::wrong;
}

// Whether a signal has come whose handler raised; the Python error is then set. For threads that
// have released the GIL.
inline bool signal_raised() {
    py::gil_scoped_acquire acquire;
    return PyErr_CheckSignals() != 0;
}

// Releases the GIL, and lets a signal whose handler raises stop what is dealt out to a team
// meanwhile: what it raised comes out of the binding that Interrupted leaves (module.cpp).
struct Unlocked {
    const py::gil_scoped_release release;
    Interrupt interrupt{signal_raised};
};

// A Python function that is told a number of steps and says whether to stop, for threads that have
// released the GIL. What it, or the handler of a signal, raises comes out.
inline auto polled(const py::function& poll) {
    return [&poll](auto steps) {
        py::gil_scoped_acquire acquire;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        return poll(steps).template cast<bool>();
    };
}

}  // namespace fastgrok
