// The records of a leap.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engines/leaping_descent.hpp"

namespace fastgrok {
namespace {

// Records that are made together: a pass costs little more for so many.
constexpr std::size_t kMostWaiting = 32;

}  // namespace

// Where many evaluations cost less together they wait for each other.
void LeapingDescent::make_records(Attempt& attempt) {
    LeapReport& report = attempt.report;
    report.last = static_cast<double>(descent_.step());
    next_check_ = kBetweenChecks * report.first;
    const bool gathers = descent_.gathers_records();
    Iterated now;
    while (std::isfinite(descent_.next_record(waiting_.size()))) {
        const double step = descent_.next_record(waiting_.size());
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
        waiting_.push_back({step, now.u, now.middle, regime_of(now, error)});
        report.error = std::max(report.error, error);
        report.rounding = std::max(report.rounding, rounding);
        if (!gathers || waiting_.size() == kMostWaiting) record_waiting(report);
        way_.reached = step;
    }
    record_waiting(report);
}

void LeapingDescent::record_waiting(LeapReport& report) {
    if (waiting_.empty()) return;
    const Lap lap(spent_.records);
    struct Told {  // of what has been recorded, whatever ends it
        LeapReport& report;
        std::vector<Descent::Iterate>& waiting;
        const Records& records;
        ~Told() {
            if (!records.steps.empty()) report.last = std::max(report.last, records.steps.back());
            std::erase_if(waiting, [&](const auto& one) { return one.step <= report.last; });
        }
    } const told{report, waiting_, descent_.records()};
    descent_.record_all(waiting_, [this] { polled(); });
}

}  // namespace fastgrok
