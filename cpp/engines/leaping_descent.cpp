#include "engines/leaping_descent.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <thread>

namespace fastgrok {
namespace {

// Fewer steps than this are taken faster one by one.
constexpr double kFewestLeaped = 2000.0;
// Of rtol: what a step of the integrator may do wrong, less where a pass is cheap, where the errors
// of steps last or more is counted as error, in motions that are linear or not of plain descent,
// and where rounds of a cycle are integrated; the errors of all steps add up to some times that.
// The steps of the coarse integration may do kRatio times as much. With looser tolerances the
// formulas are of low order, and the difference would tell less; where a pass is dear, less so: up
// to kLoosestWide they go by kOfWide of rtol.
constexpr double kFine = 0.02, kFineWide = 0.075, kFineOther = 0.05, kFineCycle = 0.015;
constexpr double kRatio = 100.0, kLoosest = 1e-7, kLoosestWide = 3e-7, kOfWide = 0.3;
// The highest order of the formulas; of steps that remember others, whose gradients swing on at
// first in directions that are steep, the sixth would make what is left of that larger.
constexpr int kOrder = 6, kOrderOfMemory = 5;
// Where errors add up to more, the way is gone again from the same iterates, so often, with the
// tolerance with which they come out at kPlanned of rtol, if errors go with it.
constexpr double kPlanned = 0.3, kFinest = 1e-14;
constexpr int kMostFiner = 4;
// Up to here, or so many times the first try, exact steps are cheaper than what a leap given up
// would cost later.
constexpr std::int64_t kLastEarly = 8192, kEarlyTries = 8;
constexpr double kMostCounted = 0x1p53, kNever = std::numeric_limits<double>::infinity();

// Until the leap has passed k of its own steps, or nothing moves any more; false if it fails.
template <class Way, class Step>
bool follow(const Way& way, double k, Step step) {
    while (way.now() < k) {
        const Leap::Status status = step();
        if (status == Leap::Status::failed) return false;
        if (status == Leap::Status::converged) return true;
    }
    return true;
}

}  // namespace

std::string LeapingDescent::text(double x) {
    std::ostringstream out;
    out.precision(3);
    out << x;
    return out.str();
}

LeapingDescent::Status LeapingDescent::run(const Poll& poll, double poll_seconds) {
    poll_ = poll;
    poll_seconds_ = poll_seconds;
    last_poll_ = std::chrono::steady_clock::now();
    horizon_ = std::max(options_.horizon, descent_.last_record());
    if (way_.stage == Stage::fresh) {
        std::int64_t from = first_try();
        while (first_of(from) < descent_.step()) from = next_try(from);
        go_on_from(from, {});
    }
    while (way_.stage != Stage::exactly && !on_closed_cycle() && may_leap_from(way_.from)) {
        const std::int64_t from = way_.from, next = next_try(from);
        if (way_.stage == Stage::gathering) {
            if (!gather(from, way_.starts, nullptr)) return Status::diverged;
            way_.regime = descent_.regime();
            way_.later = {};
            way_.stage = Stage::beside;
        }
        Attempt attempt;
        const bool begun = !on_closed_cycle() && begin(way_.starts, attempt);
        if (!gather(next, way_.later, begun ? &attempt : nullptr)) return Status::diverged;
        if (on_closed_cycle()) break;
        if (begun && attempt.report.ended.empty()) {
            remember_search();
            keepable_to(descent_.step());  // for leaps are not kept half done
            if (leap(attempt) || leap_finer(way_.starts, way_.later, attempt)) {
                can_be_kept_ = true;
                return Status::done;
            }
            // Leaps start from exact iterates alone: errors that had been allowed could grow.
            way_.reason = attempt.report.ended;
            if (attempt.inaccurate && from <= std::max(kLastEarly, kEarlyTries * first_try())) {
                // Finer integrations want a start when more has come to rest.
                way_.planned = std::max(planned_tolerance(attempt), kFinest);
                go_on_from(next, std::move(way_.later));
                continue;
            }
            if (way_.reached >= options_.exact_limit) break;
            go_on_from(static_cast<std::int64_t>(way_.reached) / 8 * 16 + 16, {});
            announce_exact(std::min(static_cast<double>(way_.from), descent_.last_record()));
            continue;
        }
        if (begun) way_.reason = attempt.report.ended;
        go_on_from(next, std::move(way_.later));
    }
    way_.stage = Stage::exactly;
    way_.starts = way_.later = {};
    const Status status = finish_exactly();
    make_waiting_records();
    can_be_kept_ = true;
    return status;
}

// A run that is taken further makes the records of its last leap anew.
void LeapingDescent::remember_search() {
    make_waiting_records();
    way_.sharpness = descent_.sharpness();
}

void LeapingDescent::make_waiting_records() {
    descent_.make_records([this] { polled(); });
}

Spent LeapingDescent::spent() const {
    Spent out = spent_;
    out.records = descent_.seconds_recording();
    return out;
}

void LeapingDescent::go_on_from(std::int64_t from, Starts starts) {
    way_.from = from;
    way_.starts = std::move(starts);
    way_.later = {};
    way_.stage = Stage::gathering;
}

bool LeapingDescent::may_leap_from(std::int64_t from) const {
    const double until = takes_over(motion_, static_cast<double>(from));
    return worth_leaping(from) && !too_dear_ && until <= options_.exact_limit &&
           until < descent_.last_record();
}

bool LeapingDescent::is_smooth_and_dear() const {
    return motion_.is_plain() && !descent_.problem().packed() &&
           traits_of(descent_.options().loss).exponential_tail();
}

bool LeapingDescent::worth_leaping(std::int64_t from) const {
    return horizon_ - (takes_over(motion_, static_cast<double>(from)) - 2.0) >= kFewestLeaped;
}

// Every later iterate is known, beyond the steps that are counted as well.
LeapingDescent::Status LeapingDescent::finish_closed() {
    way_.reason.clear();
    const std::int64_t length = descent_.cycles().length();
    if (descent_.recorded_to() <= kMostCounted) remember_search();
    while (std::isfinite(descent_.next_record())) {
        const double next = descent_.next_record();
        if (next <= kMostCounted) {
            if (!keepable_to(static_cast<std::int64_t>(next))) return Status::diverged;
            remember_search();
            continue;
        }
        const std::int64_t step = descent_.step();
        const auto phase = static_cast<std::int64_t>(std::fmod(next, static_cast<double>(length)));
        if (!exact_to(step + (phase - step % length + length) % length)) return Status::diverged;
        descent_.record_as(next, [this] { polled(); });
        way_.reached = next;
    }
    return Status::done;
}

LeapingDescent::Status LeapingDescent::finish_exactly() {
    if (on_closed_cycle()) return finish_closed();
    const double last = descent_.last_record();
    if (last > options_.exact_limit) {
        if (way_.reason.empty()) {
            const double begins = takes_over(motion_, static_cast<double>(first_try()));
            const auto first = static_cast<std::int64_t>(std::min(begins, kMostCounted));
            way_.reason = "a leap begins at step " + std::to_string(first) +
                          " at the earliest, beyond exact_limit, which is " +
                          std::to_string(static_cast<std::int64_t>(options_.exact_limit));
        }
        return Status::lost;
    }
    const bool whole = last == horizon_;
    if (options_.must_leap && way_.leaps.empty() && whole && worth_leaping(first_try()))
        return Status::lost;
    if (!way_.reason.empty()) announce_exact(last);
    const bool there = keepable_to(static_cast<std::int64_t>(last));
    exact_ahead_ = 0.0;
    return there ? Status::done : Status::diverged;
}

void LeapingDescent::announce_exact(double until) {
    exact_ahead_ = until - static_cast<double>(descent_.step());
    last_poll_ = std::chrono::steady_clock::now();
    poll_(way_.reached);
}

void LeapingDescent::polled() {
    const auto now = std::chrono::steady_clock::now();
    if (std::chrono::duration<double>(now - last_poll_).count() < poll_seconds_) return;
    last_poll_ = now;
    poll_(way_.reached);
}

// False, and why in the reason, if the motion is not one that can be leaped.
bool LeapingDescent::begin(const Starts& starts, Attempt& attempt) {
    const Regime regime = way_.regime;
    const std::string where = " at step " + std::to_string(starts.last);
    const auto nothing_against = [&](std::string why) {
        way_.reason = std::move(why);
        return way_.reason.empty();
    };
    if (regime == Regime::irregular)
        return nothing_against("the updates turned back and forth irregularly" + where);
    const int period = period_of(regime);
    if (period > 1 && !motion_.is_plain())
        return nothing_against("the iterates went round a cycle of " + std::to_string(period) +
                               " steps" + where + ", and cycles are leaped of plain descent only");
    if (period > 1 && period != starts.period)
        return nothing_against("the iterates settled on a cycle of " + std::to_string(period) +
                               " steps shortly before step " + std::to_string(starts.last));
    if (!nothing_against(why_rows_are_too_far(descent_.problem(), period))) return false;
    const bool dear = period == 1 && is_smooth_and_dear();
    const double other = descent_.problem().packed() ? kFine : dear ? kFineWide : kFineOther;
    const double share = dear ? kOfWide * options_.rtol : kLoosest;
    const double loosest = std::clamp(share, kLoosest, kLoosestWide);
    const double tolerance = (period > 1 ? kFineCycle : other) * std::min(options_.rtol, loosest);
    set_out(starts, period, std::min(way_.planned, tolerance), attempt);
    return true;
}

void LeapingDescent::set_out(const Starts& starts, int period, double tolerance, Attempt& attempt) {
    attempt.stride = attempt.report.period = period;
    attempt.report.first = starts.single.back().k;
    attempt.report.tolerance = tolerance;
    const int order = motion_.memory > 1.0 ? kOrderOfMemory : kOrder;
    const Problem& problem = descent_.problem();
    // Where nothing moves yet no tolerance makes the steps of the two different.
    const auto make = [&](double allowed, double longest_still) {
        const DescentOptions& of = descent_.options();
        // Who polls must be who runs.
        const auto poll = [this, runner = std::this_thread::get_id()] {
            if (std::this_thread::get_id() == runner) polled();
        };
        auto field = period > 1
                         ? make_cycle_field(problem, of.loss, motion_, period, of.threads, poll)
                         : make_descent_field(problem, of.loss, motion_, of.threads, poll);
        return std::make_unique<Leap>(std::move(field), period > 1 ? starts.rounds : starts.single,
                                      LeapOptions{allowed, order, longest_still});
    };
    attempt.fine = make(tolerance, 0.25);
    attempt.coarse = std::make_unique<CoarseLeap>(make(kRatio * tolerance, 0.5),
                                                  std::floor(horizon_ / attempt.stride));
    const std::size_t bytes = problem.bytes() * (problem.entry_bytes() < sizeof(double) ? 8 : 1);
    const bool pays = problem.plain() ? bytes >= options_.paired_from
                                      : problem.elsewhere() != nullptr && !problem.packed();
    if (pays && !is_child_of_fork() && attempt.coarse->can_go_beside())
        attempt.coarse->go_beside(*attempt.fine);
}

// With the exact iterate of a step.
void LeapingDescent::compare(Attempt& attempt, double step, const Vector& exact) {
    LeapReport& report = attempt.report;
    if (!report.ended.empty()) return;
    const double k = std::floor(step / attempt.stride);
    const double end = std::floor(horizon_ / attempt.stride);
    const auto follow_fine = [&] {
        const StepsLap lap(spent_, *attempt.fine);
        return follow(*attempt.fine, k, [&] { return attempt.fine->step(end); });
    };
    const auto follow_coarse = [&] {
        const Lap lap(spent_.second);
        return follow(*attempt.coarse, k,
                      [&] { return attempt.coarse->step([this] { polled(); }); });
    };
    if (!follow_fine() || !follow_coarse()) {
        report.ended = "the motion was not smooth at step " + text(report.first);
        return;
    }
    keep_step(attempt);
    Vector u;
    attempt.fine->at(k, u);
    descend(u, k * attempt.stride, static_cast<std::int64_t>(step - k * attempt.stride));
    note_difference(attempt, k);
    const double difference = error_between(exact, u);
    report.overlap_until = step;
    report.overlap_difference = std::max(report.overlap_difference, difference);
    if (!(report.overlap_difference <= kMostOverlap * options_.rtol))
        report.ended = "the leap from step " + text(report.first) + " was off by " +
                       text(difference) + " at step " + text(step);
}

// Makes all records that are left, or fewer and says why in the report, which is kept if there are
// any, whatever stops the run.
bool LeapingDescent::leap(Attempt& attempt) {
    way_.leaps.reserve(way_.leaps.size() + 1);
    exact_ahead_ = 0.0;
    try {
        make_records(attempt);
    } catch (...) {
        attempt.report.ended = "it was stopped";
        descent_.forget_waiting();  // few, and what stops it shall not wait
        note_last(attempt.report);
        close(attempt);
        throw;
    }
    close(attempt);
    return attempt.report.ended.empty();
}

double LeapingDescent::planned_tolerance(const Attempt& attempt) {
    return kPlanned / attempt.excess * attempt.report.tolerance;
}

// The same leap again as long as nothing but its error ended it, compared with the exact iterates
// that are still there.
bool LeapingDescent::leap_finer(const Starts& starts, const Starts& beside, Attempt& attempt) {
    for (int n = 0; n < kMostFiner && attempt.inaccurate && !too_dear_; ++n) {
        const double tolerance = planned_tolerance(attempt);
        if (tolerance < kFinest) {
            attempt.report.ended += ", and a finer integration is finer than float64";
            return false;
        }
        Attempt finer;
        set_out(starts, attempt.report.period, tolerance, finer);
        for (const auto* iterates : {&beside.early, &beside.single})
            for (const LeapStart& exact : *iterates) compare(finer, exact.k, exact.u);
        compare(finer, static_cast<double>(descent_.step()), descent_.parameters());
        if (!finer.report.ended.empty()) {
            attempt.report.ended += ", and with a finer integration " + finer.report.ended;
            if (!way_.leaps.empty() && way_.leaps.back().tolerance == attempt.report.tolerance)
                way_.leaps.back().ended = attempt.report.ended;
            return false;
        }
        if (leap(finer)) return true;
        attempt = std::move(finer);
    }
    return false;
}

void LeapingDescent::close(Attempt& attempt) {
    LeapReport& report = attempt.report;
    report.statistics = attempt.fine->statistics();
    for (const LeapCosts& costs : {attempt.fine->field().costs(), attempt.coarse->costs()}) {
        report.costs.evaluations += costs.evaluations;
        report.costs.products += costs.products;
        report.costs.factorizations += costs.factorizations;
    }
    passes_together_ += attempt.coarse->passes_together();
    way_.passes_spent += static_cast<double>(report.costs.evaluations + report.costs.products);
    if (!(report.last > static_cast<double>(descent_.step()))) return;
    way_.leaps.push_back(report);
    if (!options_.kept.empty()) kept_.push_back({report, std::move(attempt.way)});
}

// Brings both integrations past a step, the one that is behind first.
bool LeapingDescent::leap_to(Attempt& attempt, double step) {
    const double k = std::floor(step / attempt.stride);
    while (true) {
        const double fine = attempt.report.converged ? kNever : attempt.fine->now();
        const double coarse = attempt.coarse_converged ? kNever : attempt.coarse->now();
        if (fine >= k && coarse >= k) return true;
        if (!(fine <= coarse ? step_fine(attempt) : step_coarse(attempt))) return false;
        note_difference(attempt, std::min(attempt.fine->now(), attempt.coarse->now()));
    }
}

bool LeapingDescent::step_fine(Attempt& attempt) {
    LeapReport& report = attempt.report;
    Leap& fine = *attempt.fine;
    const Leap::Status status = [&] {
        const StepsLap lap(spent_, fine);
        return fine.step(std::floor(horizon_ / attempt.stride));
    }();
    const Lap lap(spent_.checks);
    const double step = fine.now() * attempt.stride;
    if (status == Leap::Status::failed) {
        report.ended = "the motion was not smooth at step " + text(step);
        return false;
    }
    report.converged = status == Leap::Status::converged;
    if (!is_stable(attempt, step)) return false;
    watch_rounding(attempt);
    watch_rest(attempt);
    keep_step(attempt);
    if (report.converged ? !stays(attempt) : step >= next_check_ && !spot_check(attempt))
        return false;
    return pays(attempt, fine.now(), fine.statistics().accepted);
}

bool LeapingDescent::step_coarse(Attempt& attempt) {
    CoarseLeap& coarse = *attempt.coarse;
    const Lap lap(spent_.second);
    const Leap::Status status = coarse.step([this] { polled(); });
    if (status == Leap::Status::failed) {
        attempt.report.ended =
            "the error could not be estimated beyond step " + text(coarse.now() * attempt.stride);
        return false;
    }
    attempt.coarse_converged = status == Leap::Status::converged;
    return pays(attempt, coarse.now(), coarse.accepted());
}

}  // namespace fastgrok
