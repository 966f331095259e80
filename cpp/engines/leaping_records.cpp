// The records of a leap.
#include <algorithm>
#include <cmath>

#include "engines/leaping_descent.hpp"

namespace fastgrok {

// Where many evaluations cost less together they wait for each other.
void LeapingDescent::make_records(Attempt& attempt) {
    LeapReport& report = attempt.report;
    report.last = static_cast<double>(descent_.step());
    next_check_ = kBetweenChecks * report.first;
    const bool gathers = descent_.gathers_records();
    Vector u, middle;
    while (std::isfinite(descent_.next_record(waiting_.size()))) {
        const double step = descent_.next_record(waiting_.size());
        if (!leap_to(attempt, step)) break;
        iterate(attempt, *attempt.fine, step, u, middle);
        const double of_steps = error_of_steps(attempt, step, u);
        const double rounding = rounding_at(attempt, step, of_steps);
        const double error = of_steps + rounding;
        if (!(error <= options_.rtol)) {
            const double allowed = options_.rtol - rounding;
            attempt.inaccurate = std::isfinite(of_steps) && allowed >= 0.5 * options_.rtol;
            attempt.excess = of_steps / allowed;
            report.ended =
                attempt.inaccurate
                    ? "the error at step " + text(step) + " is estimated at " + text(error)
                    : "at step " + text(step) + " rounding errors may amount to " + text(rounding);
            break;
        }
        {
            const Lap lap(spent_.checks);
            if (!is_stable(attempt, step)) break;
        }
        // A fixed point that is reached from side to side is no orbit.
        const bool swings = report.pairs && error_between(u, middle) > error;
        waiting_.push_back({step, u, report.pairs ? middle : Vector(),
                            swings ? Regime::period_two : Regime::smooth});
        report.error = std::max(report.error, error);
        report.rounding = std::max(report.rounding, rounding);
        way_.reached = step;
        if (!gathers) record_waiting(report, [this] { polled(); });
    }
    record_waiting(report, [this] { polled(); });
}

void LeapingDescent::record_waiting(LeapReport& report,
                                    const std::function<void()>& between_passes) {
    const std::vector<Descent::Iterate> iterates = std::move(waiting_);
    waiting_.clear();
    if (iterates.empty()) return;
    const Lap lap(spent_.records);
    struct Told {  // of what has been recorded, whatever ends it
        LeapReport& report;
        const Records& records;
        ~Told() {
            if (!records.steps.empty()) report.last = std::max(report.last, records.steps.back());
        }
    } const told{report, descent_.records()};
    descent_.record_all(iterates, between_passes);
}

}  // namespace fastgrok
