// LeapingDescent: a run that leaps where it can.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "engines/leaping_descent.hpp"

namespace fastgrok {
namespace {

std::string run(LeapingDescent& self, const py::function& poll, double poll_seconds) {
    const LeapingDescent::Poll ask = [&poll](double step) {
        py::gil_scoped_acquire acquire;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        poll(step);
    };
    self.descent().interrupt_by(signal_raised);
    try {
        py::gil_scoped_release release;
        switch (self.run(ask, poll_seconds)) {
            case LeapingDescent::Status::done: return "done";
            case LeapingDescent::Status::lost: return "lost";
            default: return "diverged";
        }
    } catch (const Interrupted&) {  // by signal_raised
        throw py::error_already_set();
    }
}

// `ask` takes indices of rows and returns the directions row by row, in two parts, and rows.
ExactNull asking(const py::function& ask) {
    return [ask = ask.ptr()](const std::vector<std::size_t>& rows) {
        py::gil_scoped_acquire acquire;
        const py::object answer = py::reinterpret_borrow<py::function>(ask)(rows);
        auto [basis, rest, orthogonal] = answer.cast<
            std::tuple<std::vector<Vector>, std::vector<Vector>, std::vector<std::size_t>>>();
        return NullSpace{std::move(basis), std::move(rest), std::move(orthogonal)};
    };
}

py::dict report_of(const LeapReport& leap) {
    py::dict out;
    out["first"] = leap.first;
    out["last"] = leap.last;
    out["pairs"] = leap.pairs;
    out["converged"] = leap.converged;
    out["tolerance"] = leap.tolerance;
    out["accepted"] = leap.statistics.accepted;
    out["rejected"] = leap.statistics.rejected;
    out["of_order"] = leap.statistics.of_order;
    out["evaluations"] = leap.costs.evaluations;
    out["products"] = leap.costs.products;
    out["overlap_until"] = leap.overlap_until;
    out["overlap_difference"] = leap.overlap_difference;
    out["error"] = leap.error;
    out["rounding"] = leap.rounding;
    py::list checks;
    for (const LeapReport::Check& check : leap.checks)
        checks.append(py::make_tuple(check.step, check.steps, check.difference));
    out["checks"] = checks;
    out["ended"] = leap.ended;
    return out;
}

}  // namespace

void register_leaping(py::module_& m) {
    py::class_<LeapingDescent>(m, "LeapingDescent", "A run that leaps where it can.",
                               py::is_final())
        .def(py::init([](Descent& descent, double rtol, double exact_limit, bool must_leap,
                         double horizon, const py::function& exact_null) {
                 return std::make_unique<LeapingDescent>(
                     descent,
                     LeapingOptions{rtol, exact_limit, must_leap, horizon, asking(exact_null)});
             }),
             py::arg("descent"), py::kw_only(), py::arg("rtol"), py::arg("exact_limit"),
             py::arg("must_leap"), py::arg("horizon"), py::arg("exact_null"),
             py::keep_alive<1, 2>(), py::keep_alive<1, 7>())
        .def("run", &run, py::arg("poll"), py::arg("poll_seconds") = 0.1)
        .def_property_readonly("reached", &LeapingDescent::reached)
        .def_property_readonly("exact_steps", &LeapingDescent::exact_steps)
        .def_property_readonly("exact_ahead", &LeapingDescent::exact_ahead)
        .def_property_readonly("spent",
                               [](const LeapingDescent& self) {
                                   const Spent& spent = self.spent();
                                   py::dict out;
                                   out["exact steps"] = spent.exact;
                                   out["evaluations"] = spent.evaluations;
                                   out["products"] = spent.products;
                                   out["second integration"] = spent.second;
                                   out["checks"] = spent.checks;
                                   out["records"] = spent.records;
                                   return out;
                               })
        .def_property_readonly("reason", &LeapingDescent::reason)
        .def_property_readonly("leaps", [](const LeapingDescent& self) {
            py::list out;
            for (const LeapReport& leap : self.leaps()) out.append(report_of(leap));
            return out;
        });
}

}  // namespace fastgrok
