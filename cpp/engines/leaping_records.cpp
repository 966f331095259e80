// The records of a leap.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "engines/leaping_descent.hpp"

namespace fastgrok {

// Of a cycle by exact steps from where its round begins.
template <class At>
void LeapingDescent::iterate(int length, double step, At where, Iterated& out) {
    const double stride = length;
    const double place = std::fmod(step, stride);  // exact, also where steps are not
    const double k = (step - place) / stride;
    where(k, out.u);
    out.round.clear();
    out.middle.clear();
    const auto period = static_cast<std::size_t>(length);
    if (period == 1) return;
    out.round.push_back(out.u);
    for (std::size_t i = 1; i < period; ++i) {
        descend(out.u, k * stride + static_cast<double>(i - 1), 1);
        out.round.push_back(out.u);
    }
    const auto at = static_cast<std::size_t>(place);
    out.u = out.round[at];
    // As of exact steps, see Descent::record_as(); a round ago is as well.
    const Vector& before = out.round[(at + period - 1) % period];
    const Vector& earlier = out.round[(at + period - 2) % period];
    double turn = 0.0;
    for (std::size_t j = 0; j < out.u.size(); ++j)
        turn += (out.u[j] - before[j]) * (before[j] - earlier[j]);
    if (!(turn < 0.0)) return;
    out.middle = out.u;
    for (std::size_t j = 0; j < out.u.size(); ++j) out.middle[j] = 0.5 * (out.u[j] + before[j]);
}

// The period is a part of that of the round where no more than the error tells iterates apart; a
// fixed point may have been reached from side to side.
Regime LeapingDescent::regime_of(const Iterated& iterated, double error) const {
    const std::vector<Vector>& round = iterated.round;
    const std::size_t length = std::max<std::size_t>(round.size(), 1);
    const auto recurs = [&](std::size_t period) {
        if (length % period != 0) return false;
        for (std::size_t i = period; i < length; ++i)
            if (!(error_between(round[i], round[i - period]) <= 2.0 * error)) return false;
        return true;
    };
    std::size_t period = 1;
    while (!recurs(period)) ++period;
    return regime_of_period(static_cast<int>(period));
}

// Where many evaluations cost less together they wait for each other.
void LeapingDescent::make_records(Attempt& attempt) {
    LeapReport& report = attempt.report;
    report.last = static_cast<double>(descent_.step());
    next_check_ = kBetweenChecks * report.first;
    Iterated now;
    while (std::isfinite(descent_.next_record())) {
        const double step = descent_.next_record();
        if (!leap_to(attempt, step)) break;
        iterate(report.period, step, [&](double k, Vector& u) { attempt.fine->at(k, u); }, now);
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

void LeapingDescent::keep_step(Attempt& attempt) const {
    const double from = attempt.fine->before() * attempt.stride;
    const double to = attempt.report.converged ? std::numeric_limits<double>::infinity()
                                               : attempt.fine->now() * attempt.stride;
    // Steps of a round come from where it begins.
    const bool wanted = std::any_of(options_.kept.begin(), options_.kept.end(), [&](auto stretch) {
        return from < stretch.second && stretch.first - attempt.stride <= to;
    });
    if (wanted) attempt.fine->keep_step(attempt.way);
}

// Of a leap that was lost the records up to its last one are left.
const LeapingDescent::Kept* LeapingDescent::kept_at(double step) const {
    const auto made = std::find_if(kept_.begin(), kept_.end(),
                                   [&](const Kept& kept) { return step <= kept.report.last; });
    if (made == kept_.end() || step < made->report.overlap_until) return nullptr;
    return made->way.has(std::floor(step / made->report.period)) ? &*made : nullptr;
}

bool LeapingDescent::recalls(const Vector& steps) const {
    return std::all_of(steps.begin(), steps.end(),
                       [this](double step) { return kept_at(step) != nullptr; });
}

void LeapingDescent::recall(Descent& other, const Poll& poll, double poll_seconds) {
    poll_ = poll;
    poll_seconds_ = poll_seconds;
    Iterated now;
    while (std::isfinite(other.next_record())) {
        const double step = other.next_record();
        const Kept* kept = kept_at(step);
        if (kept == nullptr) throw std::invalid_argument("no leap was kept at step " + text(step));
        iterate(kept->report.period, step, [&](double k, Vector& u) { kept->way.at(k, u); }, now);
        other.note(step, now.u, now.middle, regime_of(now, kept->report.error),
                   [this] { polled(); });
    }
    other.make_records([this] { polled(); });
}

}  // namespace fastgrok
