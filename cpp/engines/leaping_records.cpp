// The records of a leap.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engines/leaping_descent.hpp"

namespace fastgrok {

// Where many evaluations cost less together they wait for each other.
void LeapingDescent::make_records(Attempt& attempt) {
    LeapReport& report = attempt.report;
    report.last = static_cast<double>(descent_.step());
    next_check_ = kBetweenChecks * report.first;
    Iterated now;
    while (std::isfinite(descent_.next_record())) {
        const double step = descent_.next_record();
        if (!leap_to(attempt, step)) break;
        iterate(attempt, step, now);
        const double of_steps = error_of_steps(attempt, step, now.u);
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
        report.error = std::max(report.error, error);
        report.rounding = std::max(report.rounding, rounding);
        descent_.note(step, now.u, now.middle, regime_of(now, error), [this] { polled(); });
        note_last(report);
        way_.reached = step;
    }
    make_waiting_records();
    note_last(report);
}

void LeapingDescent::note_last(LeapReport& report) const {
    if (const auto& made = descent_.records().steps; !made.empty())
        report.last = std::max(report.last, made.back());
}

}  // namespace fastgrok
