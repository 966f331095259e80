// LeapingDescent: a run that leaps where it can.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "arrays.hpp"
#include "engines/leaping_descent.hpp"
#include "sharpness.hpp"

namespace fastgrok {
namespace {

LeapingDescent::Poll asked(const py::function& poll) {
    return [&poll](double step) {
        py::gil_scoped_acquire acquire;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        poll(step);
    };
}

std::string run_leaping(LeapingDescent& self, const py::function& poll, double poll_seconds) {
    const Unlocked alone;
    switch (self.run(asked(poll), poll_seconds)) {
        case LeapingDescent::Status::done: return "done";
        case LeapingDescent::Status::lost: return "lost";
        default: return "diverged";
    }
}

void recall(LeapingDescent& self, Descent& other, const py::function& poll, double poll_seconds) {
    const Unlocked alone;
    self.recall(other, asked(poll), poll_seconds);
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
    out["pairs"] = leap.period == 2;
    out["period"] = leap.period;
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

LeapReport report_from(const py::dict& in) {
    LeapReport leap;
    leap.first = in["first"].cast<double>();
    leap.last = in["last"].cast<double>();
    leap.period = in["pairs"].cast<bool>() ? 2 : 1;
    if (in.contains("period"))  // not in files of before longer cycles were leaped
        leap.period = in["period"].cast<int>();
    leap.converged = in["converged"].cast<bool>();
    leap.tolerance = in["tolerance"].cast<double>();
    leap.statistics.accepted = in["accepted"].cast<std::int64_t>();
    leap.statistics.rejected = in["rejected"].cast<std::int64_t>();
    leap.statistics.of_order = in["of_order"].cast<std::array<std::int64_t, 7>>();
    leap.costs.evaluations = in["evaluations"].cast<std::int64_t>();
    leap.costs.products = in["products"].cast<std::int64_t>();
    leap.overlap_until = in["overlap_until"].cast<double>();
    leap.overlap_difference = in["overlap_difference"].cast<double>();
    leap.error = in["error"].cast<double>();
    leap.rounding = in["rounding"].cast<double>();
    for (const auto& [step, steps, difference] :
         in["checks"].cast<std::vector<std::tuple<double, std::int64_t, double>>>())
        leap.checks.push_back({step, difference, steps});
    leap.ended = in["ended"].cast<std::string>();
    return leap;
}

// Iterates to start from, as arrays of `length` columns under names that begin with `name`.
using Arrays = std::map<std::string, Array<double>>;

void put(Arrays& out, const std::string& name, const LeapStarts& starts, std::size_t length) {
    Vector at;
    for (const std::int64_t number : {starts.last, starts.entered, starts.period})
        at.push_back(static_cast<double>(number));
    Vector rows;
    const auto add = [&](const LeapStart& start, const Vector& values) {
        rows.push_back(start.k);
        rows.insert(rows.end(), values.begin(), values.end());
    };
    const auto keep = [&](const char* what) {
        const auto columns = static_cast<py::ssize_t>(length + 1);
        out[name + what] =
            to_array(rows, {static_cast<py::ssize_t>(rows.size()) / columns, columns});
        rows.clear();
    };
    out[name] = to_array(at);
    for (const LeapStart& start : starts.single) add(start, start.u);
    keep("_u");
    for (const LeapStart& start : starts.single) add(start, start.update);
    keep("_updates");
    for (const LeapStart& start : starts.rounds) add(start, start.update);
    keep("_updates_of_rounds");
    for (const LeapStart& start : starts.early) add(start, start.u);
    keep("_early");
}

Array<double> taken(const Arrays& in, const std::string& name, std::size_t columns) {
    const auto found = in.find(name);
    require(found != in.end(), "the state's " + name + " is missing");
    const Array<double>& array = found->second;
    require(columns == 0 ? array.ndim() == 1
                         : array.ndim() == 2 && array.shape(1) == static_cast<py::ssize_t>(columns),
            "the state's " + name + " has another shape");
    return array;
}

std::int64_t whole(double x) {
    require(x >= 0.0 && x <= 0x1p60, "a step of the state is out of range");
    return static_cast<std::int64_t>(x);
}

LeapStarts take(const Arrays& in, const std::string& name, std::size_t length) {
    LeapStarts out;
    const Array<double> at = taken(in, name, 0);
    const bool of_two = at.size() == 2;  // of before longer cycles were leaped
    require(of_two || at.size() == 3, "the state's " + name + " must be three numbers");
    out.last = whole(at.at(0));
    out.entered = whole(at.at(1));
    out.period = of_two ? 2 : whole(at.at(2));
    const auto rows = [&](const char* what) {
        const Array<double> array = taken(in, name + what, length + 1);
        std::vector<LeapStart> found;
        for (py::ssize_t i = 0; i < array.shape(0); ++i) {
            const double* row = array.data(i, 0);
            found.push_back({row[0], Vector(row + 1, row + 1 + length), {}});
        }
        return found;
    };
    out.single = rows("_u");
    out.early = rows("_early");
    const auto updates = rows("_updates"),
               of_rounds = rows(of_two ? "_updates_of_two" : "_updates_of_rounds");
    require(updates.size() == out.single.size() && of_rounds.size() == out.single.size(),
            "the state's iterates and updates must be as many");
    out.rounds = of_rounds;
    for (std::size_t i = 0; i < updates.size(); ++i) {
        std::swap(out.rounds[i].u, out.rounds[i].update);
        out.rounds[i].u = out.single[i].u;
        out.single[i].update = updates[i].u;
    }
    return out;
}

constexpr const char* kStages[] = {"fresh", "gathering", "beside", "exactly"};

py::tuple leaping_state(const LeapingDescent& self) {
    require(self.can_be_kept(), "a run that leaps cannot be kept here");
    const LeapingState& s = self.state();
    const std::size_t length = self.descent().parameters().size();
    py::dict words;
    words["stage"] = kStages[static_cast<int>(s.stage)];
    words["regime"] = static_cast<int>(s.regime);
    words["reason"] = s.reason;
    py::list leaps;
    for (const LeapReport& leap : s.leaps) leaps.append(report_of(leap));
    words["leaps"] = leaps;
    Arrays arrays;
    arrays["numbers"] =
        to_array(Vector{static_cast<double>(s.from), s.planned, s.passes_spent, s.reached});
    put_sharpness(s.sharpness,
                  [&](const char* name, const auto& values) { arrays[name] = values; });
    put(arrays, "starts", s.starts, length);
    put(arrays, "later", s.later, length);
    return py::make_tuple(words, arrays);
}

LeapingState parsed(const LeapingDescent& self, const py::dict& words, const Arrays& arrays) {
    LeapingState s;
    const auto stage = words["stage"].cast<std::string>();
    const auto* const found = std::find(std::begin(kStages), std::end(kStages), stage);
    require(found != std::end(kStages), "the state's stage is not known");
    s.stage = static_cast<LeapingState::Stage>(found - std::begin(kStages));
    const int regime = words["regime"].cast<int>();
    require(regime >= 0 && regime <= Cycles::kMostPeriod, "there is no such regime");
    s.regime = static_cast<Regime>(regime);
    s.reason = words["reason"].cast<std::string>();
    for (const auto& leap : words["leaps"].cast<std::vector<py::dict>>())
        s.leaps.push_back(report_from(leap));
    const Array<double> numbers = taken(arrays, "numbers", 0);
    require(numbers.size() == 4, "the state needs four numbers");
    s.from = whole(numbers.at(0));
    s.planned = numbers.at(1);
    s.passes_spent = numbers.at(2);
    s.reached = numbers.at(3);
    const std::size_t length = self.descent().parameters().size();
    s.sharpness = get_sharpness(length, [&](const char* name) -> Array<double> {
        const auto array = arrays.find(name);
        return array == arrays.end() ? Array<double>(std::vector<py::ssize_t>{}) : array->second;
    });
    s.starts = take(arrays, "starts", length);
    s.later = take(arrays, "later", length);
    return s;
}

}  // namespace

void register_leaping(py::module_& m) {
    py::class_<LeapingDescent>(m, "LeapingDescent", "A run that leaps where it can.",
                               py::is_final())
        .def(py::init([](Descent& descent, double rtol, double exact_limit, bool must_leap,
                         double horizon, const py::function& exact_null,
                         std::vector<std::pair<double, double>> kept, std::size_t paired_from) {
                 return std::make_unique<LeapingDescent>(
                     descent, LeapingOptions{rtol, exact_limit, must_leap, horizon,
                                             asking(exact_null), std::move(kept), paired_from});
             }),
             py::arg("descent"), py::kw_only(), py::arg("rtol"), py::arg("exact_limit"),
             py::arg("must_leap"), py::arg("horizon"), py::arg("exact_null"),
             py::arg("kept") = std::vector<std::pair<double, double>>{},
             py::arg("paired_from") = LeapingOptions{}.paired_from, py::keep_alive<1, 2>(),
             py::keep_alive<1, 7>())
        .def("run", &run_leaping, py::arg("poll"), py::arg("poll_seconds") = 0.1)
        .def("recalls", &LeapingDescent::recalls, py::arg("steps"))
        .def("recall", &recall, py::arg("other"), py::arg("poll"), py::arg("poll_seconds") = 0.1)
        .def_property_readonly("reached", &LeapingDescent::reached)
        .def_property_readonly("exact_steps", &LeapingDescent::exact_steps)
        .def_property_readonly("can_be_kept", &LeapingDescent::can_be_kept)
        .def("state", &leaping_state)
        .def(
            "restore",
            [](LeapingDescent& self, const py::dict& words, const Arrays& arrays) {
                self.restore(parsed(self, words, arrays));
            },
            py::arg("words"), py::arg("arrays"))
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
        .def_property_readonly("passes_together", &LeapingDescent::passes_together)
        .def_property_readonly("reason", &LeapingDescent::reason)
        .def_property_readonly("leaps", [](const LeapingDescent& self) {
            py::list out;
            for (const LeapReport& leap : self.leaps()) out.append(report_of(leap));
            return out;
        });
}

}  // namespace fastgrok
