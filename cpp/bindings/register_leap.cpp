// Leap: the integrator that follows descent without taking every step.
#include <pybind11/stl.h>

#include "core/interrupt.hpp"
#include "engines/leap.hpp"
#include "problem.hpp"

namespace fastgrok {
namespace {

using Shared = std::shared_ptr<BoundProblem>;

const char* name_of(Leap::Status status) {
    switch (status) {
        case Leap::Status::moving: return "moving";
        case Leap::Status::arrived: return "arrived";
        case Leap::Status::converged: return "converged";
        case Leap::Status::failed: break;
    }
    return "failed";
}

// Rows of (w, b) on the side of Python.
class BoundLeap {
public:
    BoundLeap(Shared problem, const Array<double>& k, const Array<double>& u,
              const Array<double>& updates, const std::string& loss, double rate, int period,
              double tolerance, int most_order, int threads)
        : problem_(std::move(problem)) {
        const auto n = static_cast<std::size_t>(k.size());
        check(u, n, "u");
        check(updates, n, "updates");
        std::vector<LeapStart> start;
        for (std::size_t i = 0; i < n; ++i)
            start.push_back({k.data()[i], packed(u, i), packed(updates, i)});
        const Problem& rows = problem_->problem;
        const auto ask = [this] { poll(); };
        auto field = period == 1
                         ? make_descent_field(rows, parse_loss(loss), rate, threads, ask)
                         : make_cycle_field(rows, parse_loss(loss), rate, period, threads, ask);
        leap_ = std::make_unique<Leap>(std::move(field), start,
                                       LeapOptions{tolerance, most_order, 0.5});
    }

    std::string step(double horizon) {
        return name_of(interruptible([&] { return leap_->step(horizon); }));
    }

    Array<double> at(double k) const {
        Vector u;
        leap_->at(k, u);
        return to_array(unpacked(u));
    }

    // On to the last of `records`, whose parameters are given one after the other as far as it
    // came.
    std::pair<std::string, Array<double>> run(const Array<double>& records) {
        const auto n = static_cast<std::size_t>(records.size());
        require(n > 0, "records must not be empty");
        const double* k = records.data();
        Vector out;
        const Leap::Status last = interruptible([&] {
            Leap::Status status = Leap::Status::moving;
            Vector u;
            for (std::size_t next = 0; next < n;) {
                if (status != Leap::Status::converged && k[next] > leap_->now()) {
                    status = leap_->step(k[n - 1]);
                    if (status == Leap::Status::failed) break;
                    continue;
                }
                leap_->at(k[next++], u);
                const Vector row = unpacked(u);
                out.insert(out.end(), row.begin(), row.end());
            }
            return status;
        });
        const auto width = static_cast<py::ssize_t>(columns());
        return {name_of(last),
                to_array(out, {static_cast<py::ssize_t>(out.size()) / width, width})};
    }

    const Leap& leap() const { return *leap_; }

private:
    std::size_t columns() const { return problem_->problem.layout().cols + 1; }

    void check(const Array<double>& values, std::size_t n, const std::string& name) const {
        require(values.ndim() == 2 && static_cast<std::size_t>(values.shape(0)) == n &&
                    static_cast<std::size_t>(values.shape(1)) == columns(),
                name + " needs a row (w, b) for each of k");
    }

    Vector packed(const Array<double>& rows, std::size_t i) const {
        const double* row = rows.data() + i * columns();
        return problem_->problem.pack_parameters(row, row[columns() - 1]);
    }

    Vector unpacked(const Vector& u) const {
        Vector out(columns());
        problem_->problem.unpack_weights(u, out.data());
        out.back() = u[problem_->problem.layout().intercept];
        return out;
    }

    template <class Work>
    Leap::Status interruptible(Work work) {
        Unlocked alone;
        interrupt_ = &alone.interrupt;
        return work();
    }

    void poll() const {
        if (interrupt_->due()) throw Interrupted();
    }

    Shared problem_;
    Interrupt* interrupt_ = nullptr;  // of the call under way, the only one to make passes
    std::unique_ptr<Leap> leap_;
};

py::dict statistics(const BoundLeap& self) {
    const LeapStatistics& s = self.leap().statistics();
    const LeapCosts& costs = self.leap().field().costs();
    py::dict out;
    out["accepted"] = s.accepted;
    out["rejected"] = s.rejected;
    out["corrections"] = s.corrections;
    out["of_order"] = s.of_order;
    out["step_error"] = s.step_error;
    out["model_error"] = s.model_error;
    out["evaluations"] = costs.evaluations;
    out["products"] = costs.products;
    out["factorizations"] = costs.factorizations;
    return out;
}

}  // namespace

void register_leap(py::module_& m) {
    py::class_<BoundLeap>(m, "Leap", "Descent without taking every step.", py::is_final())
        .def(py::init<Shared, Array<double>, Array<double>, Array<double>, std::string, double, int,
                      double, int, int>(),
             py::arg("problem"), py::kw_only(), py::arg("k").noconvert(), py::arg("u").noconvert(),
             py::arg("updates").noconvert(), py::arg("loss"), py::arg("rate"), py::arg("period"),
             py::arg("tolerance"), py::arg("most_order"), py::arg("threads"))
        .def("step", &BoundLeap::step, py::arg("horizon"))
        .def("at", &BoundLeap::at, py::arg("k"))
        .def("run", &BoundLeap::run, py::arg("records").noconvert())
        .def_property_readonly("before", [](const BoundLeap& l) { return l.leap().before(); })
        .def_property_readonly("now", [](const BoundLeap& l) { return l.leap().now(); })
        .def("statistics", &statistics);
}

}  // namespace fastgrok
