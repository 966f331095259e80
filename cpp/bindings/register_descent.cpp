// Descent: one exact run.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <type_traits>

#include "attack.hpp"
#include "engines/descent.hpp"
#include "engines/leaping_descent.hpp"
#include "sharpness.hpp"

namespace fastgrok {
namespace {

using Shared = std::shared_ptr<BoundProblem>;
using EvaluationSet = std::variant<Shared, std::shared_ptr<BoundAttack>>;

std::unique_ptr<Evaluator> make_evaluator(const EvaluationSet& set, std::size_t cols, int threads) {
    const auto share = [&](const Shared& problem) {
        require(problem->problem.layout().cols == cols,
                "every evaluation set needs the columns of X");
        return BoundProblem::share(problem);
    };
    if (const auto* plain = std::get_if<Shared>(&set))
        return std::make_unique<PlainSet>(share(*plain), threads);
    const BoundAttack& attack = *std::get<std::shared_ptr<BoundAttack>>(set);
    return std::make_unique<AttackedSet>(share(attack.problem), attack.settings, threads);
}

Skip parse_skip(const std::string& name) {
    if (name == "auto") return Skip::patiently;
    if (name == "always") return Skip::always;
    require(name == "never", "skip_rows must be 'auto', 'always' or 'never'");
    return Skip::never;
}

template <class T>
T option(const py::dict& options, const char* name) {
    require(options.contains(name), std::string("the stepper's ") + name + " is missing");
    return options[name].cast<T>();
}

double number(const py::dict& options, const char* name, double least, double most) {
    const auto value = option<double>(options, name);
    require(value >= least && value <= most,
            std::string("the stepper's ") + name + " is out of range");
    return value;
}

constexpr double kAny = std::numeric_limits<double>::max();

Schedule parse_schedule(const py::dict& options) {
    Schedule schedule;
    const auto kind = option<std::string>(options, "kind");
    if (kind == "constant") return schedule;
    if (kind == "power") {
        schedule.kind = Schedule::Kind::power;
        schedule.exponent = number(options, "exponent", 0.0, kAny);
    } else if (kind == "warmup") {
        schedule.kind = Schedule::Kind::warmup;
    } else if (kind == "cosine") {
        schedule.kind = Schedule::Kind::cosine;
        schedule.floor = number(options, "floor", 0.0, 1.0);
    } else {
        require(kind == "table",
                "the stepper's schedule must be constant, power, warmup, cosine or table");
        schedule.kind = Schedule::Kind::table;
        const auto table = option<Array<double>>(options, "table");
        schedule.table.assign(table.data(), table.data() + table.size());
        require(!schedule.table.empty(), "the stepper's table must not be empty");
        return schedule;
    }
    schedule.length = number(options, "length", 0.0, kAny);
    require(schedule.length > 0.0, "the stepper's length must be positive");
    return schedule;
}

StepperOptions parse_stepper(const std::optional<py::dict>& given) {
    using Kind = StepperOptions::Kind;
    StepperOptions stepper;
    if (!given) return stepper;
    const py::dict& options = *given;
    const std::map<std::string, Kind> kinds{
        {"gd", Kind::plain},  {"momentum", Kind::momentum},     {"nesterov", Kind::nesterov},
        {"sign", Kind::sign}, {"normalized", Kind::normalized}, {"adam", Kind::adam}};
    const auto kind = kinds.find(option<std::string>(options, "kind"));
    require(kind != kinds.end(), "the stepper's kind is not known");
    stepper.kind = kind->second;
    const double below_one = std::nextafter(1.0, 0.0);
    if (stepper.kind == Kind::momentum || stepper.kind == Kind::nesterov)
        stepper.momentum = number(options, "momentum", 0.0, below_one);
    if (stepper.kind == Kind::adam) {
        stepper.beta1 = number(options, "beta1", 0.0, below_one);
        stepper.beta2 = number(options, "beta2", 0.0, below_one);
        stepper.eps = number(options, "eps", std::numeric_limits<double>::denorm_min(), kAny);
    }
    if (options.contains("weight_decay")) {
        stepper.weight_decay = number(options, "weight_decay", 0.0, kAny);
        stepper.decay_bias = option<bool>(options, "decay_bias");
        stepper.decoupled = option<bool>(options, "decoupled");
    }
    if (options.contains("schedule"))
        stepper.schedule = parse_schedule(option<py::dict>(options, "schedule"));
    return stepper;
}

std::unique_ptr<Descent> make_descent(const Shared& problem,
                                      const std::vector<EvaluationSet>& evals,
                                      const Array<double>& records, const std::string& loss,
                                      double scale, double lr, const Array<double>& w, double b,
                                      bool tie_negative, bool keep_weights, bool watch_sharpness,
                                      const std::string& skip_rows, bool check_skipped,
                                      const std::optional<py::dict>& stepper, int threads) {
    DescentOptions options;
    options.loss = parse_loss(loss);
    options.scale = scale;
    options.lr = lr;
    options.tie = parse_tie(tie_negative);
    options.keep_weights = keep_weights;
    options.watch_sharpness = watch_sharpness;
    options.stepper = parse_stepper(stepper);
    options.skip = parse_skip(skip_rows);
    options.check_skipped = check_skipped;
    options.threads = threads;
    problem->parameters(w, b);  // checks the length
    std::vector<std::unique_ptr<Evaluator>> sets;
    for (const EvaluationSet& eval : evals)
        sets.push_back(make_evaluator(eval, problem->problem.layout().cols, threads));
    require(records.ndim() == 1, "records must have one axis");
    Vector steps(records.data(), records.data() + records.size());
    return std::make_unique<Descent>(BoundProblem::share(problem), std::move(sets),
                                     std::move(steps), w.data(), b, options);
}

std::string run(Descent& self, const py::function& poll, double poll_seconds) {
    const Unlocked alone;
    switch (self.run(polled(poll), poll_seconds)) {
        case Descent::Status::done: return "done";
        case Descent::Status::paused: return "paused";
        default: return "diverged";
    }
}

Array<double> weights_of(const Descent& self, const Vector& parameters) {
    Vector w(self.problem().layout().cols);
    self.problem().unpack_weights(parameters, w.data());
    return to_array(w);
}

bool is_weighted(const Descent& self) {
    return self.problem().weights() != nullptr;
}

// Of the records from that one on.
py::dict records_of(const Descent& self, std::size_t first) {
    const Records& r = self.records();
    const std::size_t records = r.steps.size();
    first = std::min(first, records);
    const std::size_t cols = self.problem().layout().cols;
    const auto count = static_cast<py::ssize_t>(records - first);
    const auto shaped = [&](const auto& column, std::size_t width, auto... shape) {
        using T = typename std::decay_t<decltype(column)>::value_type;
        return py::array_t<T>({count, shape...}, column.data() + first * width);
    };
    const auto numbers = [&](const auto& column) { return shaped(column, 1); };
    const auto rows = [&](const auto& column, std::size_t width) {
        return shaped(column, width, static_cast<py::ssize_t>(width));
    };
    py::dict out;
    out["steps"] = numbers(r.steps);
    out["b"] = numbers(r.b);
    out["norm_w"] = numbers(r.norm_w);
    out["loss_sum"] = rows(r.loss_sum, self.sets());
    if (is_weighted(self))
        out["correct"] = rows(r.correct, self.sets());
    else  // whole numbers
        out["correct"] =
            rows(std::vector<std::int64_t>(r.correct.begin(), r.correct.end()), self.sets());
    out["sharpness"] = numbers(r.sharpness);
    out["sharpness_mean"] = numbers(r.sharpness_mean);
    out["regime"] = numbers(r.regime);
    if (self.keeps_weights()) out["weights"] = rows(r.weights, cols + 1);
    return out;
}

void make_records(Descent& self) {
    const Unlocked alone;
    self.make_records([] {});
}

// Those that there is memory to make, and whose rows can still be asked; the others go on to wait.
py::dict recorded(Descent& self, std::size_t first) {
    try {
        make_records(self);
    } catch (const std::bad_alloc&) {
    } catch (py::error_already_set& error) {
        if (!error.matches(PyExc_Exception)) throw;
    }
    py::dict out = records_of(self, first);
    out["w_last"] = weights_of(self, self.records().last_parameters);
    return out;
}

py::dict state_of(Descent& self, bool with_records) {
    require(self.can_be_kept(), "a run cannot be kept while it makes records");
    make_records(self);
    const DescentState s = self.state();
    py::dict out = records_of(self, with_records ? 0 : self.records().steps.size());
    out["last_parameters"] = to_array(self.records().last_parameters);
    out["step"] = to_array(std::vector<std::int64_t>{s.step});
    out["u"] = to_array(s.u);
    out["update"] = to_array(s.update);
    out["update_square"] = to_array(Vector{s.update_square});
    out["turns"] = to_array(std::vector<std::uint64_t>{s.turns.backward, s.turns.reversed,
                                                       static_cast<std::uint64_t>(s.turns.seen)});
    put_sharpness(s.sharpness, [&](const char* name, const auto& values) { out[name] = values; });
    // As they were called when Adam alone had them.
    out["adam_first"] = to_array(s.stepper.first);
    out["adam_second"] = to_array(s.stepper.second);
    out["adam_powers"] = to_array(Vector{s.stepper.beta1_power, s.stepper.beta2_power});
    out["largest"] = to_array(Vector{s.largest});
    out["cycles_history"] = to_array(s.cycles.history);
    out["cycles_anchor"] = to_array(s.cycles.anchor);
    out["cycles"] =
        to_array(std::vector<std::int64_t>{s.cycles.since, s.cycles.length, s.cycles.skipped,
                                           s.cycles.anchored, s.cycles.next_anchor});
    return out;
}

// Vector for double, as all numbers of the engines are, and std::vector for others.
template <class T>
using Values = std::conditional_t<std::is_same_v<T, double>, Vector, std::vector<T>>;

template <class T>
Values<T> values_of(const py::dict& state, const char* name) {
    const std::string what = std::string("the state's ") + name;
    require(state.contains(name), what + " is missing");
    const py::object value = state[name];
    require(py::isinstance<Array<T>>(value), what + " must be a C-contiguous array of its dtype");
    const auto array = py::reinterpret_borrow<Array<T>>(value);
    return {array.data(), array.data() + array.size()};
}

template <class T>
T value_of(const py::dict& state, const char* name) {
    const Values<T> values = values_of<T>(state, name);
    require(values.size() == 1, std::string("the state's ") + name + " must be one number");
    return values[0];
}

void restore(Descent& self, const py::dict& state, bool ahead) {
    DescentState s;
    s.step = value_of<std::int64_t>(state, "step");
    s.u = values_of<double>(state, "u");
    s.update = values_of<double>(state, "update");
    s.update_square = value_of<double>(state, "update_square");
    const auto turns = values_of<std::uint64_t>(state, "turns");
    require(turns.size() == 3 && turns[2] <= 64, "the state's turns must be two masks and a count");
    s.turns = {turns[0], turns[1], static_cast<int>(turns[2])};
    s.sharpness = get_sharpness(self.parameters().size(), [&](const char* name) -> Array<double> {
        if (!state.contains(name)) return Array<double>(std::vector<py::ssize_t>{});
        if (std::string(name) == "sharpness_passes")
            return to_array(Vector{static_cast<double>(value_of<std::int64_t>(state, name))});
        return to_array(values_of<double>(state, name));
    });
    const auto powers = values_of<double>(state, "adam_powers");
    require(powers.size() == 2, "the state's adam_powers must be two numbers");
    s.stepper = {values_of<double>(state, "adam_first"), values_of<double>(state, "adam_second"),
                 powers[0], powers[1]};
    // Earlier files are of plain descent and of Adam alone, and have not this.
    if (state.contains("largest"))
        s.largest = value_of<double>(state, "largest");
    else
        for (const double x : s.update) s.largest = std::max(s.largest, std::fabs(x));
    if (state.contains("cycles")) {  // which earlier files have not
        const auto cycles = values_of<std::int64_t>(state, "cycles");
        require(cycles.size() == 5, "the state's cycles must be five numbers");
        s.cycles = {values_of<double>(state, "cycles_history"), cycles[0], cycles[1], cycles[2],
                    values_of<double>(state, "cycles_anchor"),  cycles[3], cycles[4]};
    }
    Records r;
    r.steps = values_of<double>(state, "steps");
    if (is_weighted(self)) {
        r.correct = values_of<double>(state, "correct");
    } else {
        const auto correct = values_of<std::int64_t>(state, "correct");
        r.correct.assign(correct.begin(), correct.end());
    }
    r.b = values_of<double>(state, "b");
    r.norm_w = values_of<double>(state, "norm_w");
    r.loss_sum = values_of<double>(state, "loss_sum");
    r.sharpness = values_of<double>(state, "sharpness");
    r.sharpness_mean = values_of<double>(state, "sharpness_mean");
    r.regime = values_of<std::int8_t>(state, "regime");
    r.last_parameters = values_of<double>(state, "last_parameters");
    if (self.keeps_weights()) r.weights = values_of<double>(state, "weights");
    self.restore(std::move(s), std::move(r), ahead);
}

}  // namespace

void register_descent(py::module_& m) {
    m.def(
        "schedule_factor",
        [](const py::dict& schedule, double step) { return parse_schedule(schedule).at(step); },
        py::arg("schedule"), py::arg("step"),
        "What the learning rate of a step is multiplied with, of which `step` others came before.");
    m.def(
        "first_leap",
        [](const std::optional<py::dict>& stepper) {
            return LeapingDescent::first_leap(SlowMotion(parse_stepper(stepper), 1.0, 1.0));
        },
        py::arg("stepper"), "Step at which the first leap takes over at the earliest.");
    py::class_<Descent>(m, "Descent", "One exact run: its state and what it has recorded so far.",
                        py::is_final())
        .def(py::init(&make_descent), py::arg("problem"), py::arg("evals"), py::arg("records"),
             py::kw_only(), py::arg("loss"), py::arg("scale"), py::arg("lr"),
             py::arg("w").noconvert(), py::arg("b"), py::arg("tie_negative"),
             py::arg("keep_weights"), py::arg("watch_sharpness"), py::arg("skip_rows") = "auto",
             py::arg("check_skipped") = false, py::arg("stepper") = py::none(), py::arg("threads"))
        .def("run", &run, py::arg("poll"), py::arg("poll_seconds") = 0.1)
        .def_property_readonly("step", &Descent::step)
        .def_property_readonly("can_be_kept", &Descent::can_be_kept)
        .def_property_readonly("threads", &Descent::threads)
        .def_property_readonly("row_visits", &Descent::row_visits)
        .def_property_readonly("skipped", [](const Descent& d) { return d.cycles().skipped(); })
        .def_property_readonly("cycle",
                               [](const Descent& d) {
                                   return py::make_tuple(d.cycles().since(), d.cycles().length());
                               })
        .def_property_readonly("w", [](const Descent& d) { return weights_of(d, d.parameters()); })
        .def_property_readonly(
            "b", [](const Descent& d) { return d.parameters()[d.problem().layout().intercept]; })
        .def("recorded", &recorded, py::arg("first") = 0)
        .def("state", &state_of, py::arg("records") = true)
        .def("restore", &restore, py::arg("state"), py::arg("ahead") = false);
}

}  // namespace fastgrok
