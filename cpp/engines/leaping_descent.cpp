#include "engines/leaping_descent.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

namespace fastgrok {
namespace {

// Leaps are tried from this step on, and from twice as far again where that was too early. Where
// steps remember others, it is that many times as far.
constexpr double kFirstTry = 128.0, kFirstTryOfMemory = 64.0;
// Fewer steps than this are taken faster one by one.
constexpr double kFewestLeaped = 2000.0;
// Iterates to start from: these many, this share of the step apart, and at least so many steps, or
// as many times what a step remembers; even, for orbits of period 2.
constexpr std::int64_t kStarts = 10;
constexpr double kSpacing = 4.0, kSpacingShare = 0.0125;

// Of rtol: what a step of the integrator may do wrong, less where a pass is cheap and where pairs
// of steps are integrated; the errors of all steps add up to some times that. The steps of the
// coarse integration may do kRatio times as much. With looser tolerances the formulas are of low
// order, and the difference would tell less.
constexpr double kFine = 0.03, kFineWide = 0.075, kFinePairs = 0.015;
constexpr double kRatio = 100.0, kLoosest = 1e-7;
// Where errors add up to more, the way is gone again from the same iterates, so often, with the
// tolerance with which they come out at kPlanned of rtol, if errors go with it.
constexpr double kPlanned = 0.3, kFinest = 1e-14;
constexpr int kMostFiner = 4;
// Up to here exact steps are cheaper than what a leap given up would cost later.
constexpr std::int64_t kLastEarly = 8192;
constexpr double kNever = std::numeric_limits<double>::infinity();

// Until the leap has passed k of its own steps, or nothing moves any more; false if it fails.
bool follow(Leap& leap, double k, double horizon) {
    while (leap.now() < k) {
        const Leap::Status status = leap.step(horizon);
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
    Starts starts;
    for (std::int64_t from = first_try(); worth_leaping(from) && !too_dear_;) {
        const auto until = static_cast<double>(2 * from + 2);  // where the leap takes over
        if (until > options_.exact_limit || until >= descent_.last_record()) break;
        Attempt attempt;
        Starts later;
        if (starts.last != from && !gather(from, starts, nullptr)) return Status::diverged;
        const bool begun = begin(starts, attempt);
        if (!gather(2 * from, later, begun ? &attempt : nullptr)) return Status::diverged;
        if (begun && attempt.report.ended.empty()) {
            if (leap(attempt) || leap_finer(starts, later, attempt)) return Status::done;
            // Leaps start from exact iterates alone: errors that had been allowed could grow.
            reason_ = attempt.report.ended;
            if (attempt.inaccurate && from <= kLastEarly) {
                // Finer integrations want a start when more has come to rest.
                planned_ = std::max(planned_tolerance(attempt), kFinest);
                from *= 2;
                starts = std::move(later);
                continue;
            }
            if (reached_ >= options_.exact_limit) break;
            from = static_cast<std::int64_t>(reached_) / 8 * 16 + 16;
            announce_exact(std::min(static_cast<double>(from), descent_.last_record()));
            continue;
        }
        if (begun) reason_ = attempt.report.ended;
        from *= 2;
        starts = std::move(later);
    }
    return finish_exactly();
}

// With all iterates to start from behind the last kink of the schedule.
std::int64_t LeapingDescent::first_try() const {
    constexpr double kFarthest = 1e15;
    const double start = std::max(kFirstTry, kFirstTryOfMemory * motion_.memory);
    const double kink = std::min(motion_.schedule.last_kink(), kFarthest);
    return even(kink > 0.0 ? std::max(start, 2.0 * kink + kStarts * kSpacing * motion_.memory)
                           : start);
}

bool LeapingDescent::worth_leaping(std::int64_t from) const {
    return horizon_ - 2.0 * static_cast<double>(from) >= kFewestLeaped;
}

LeapingDescent::Status LeapingDescent::finish_exactly() {
    const double last = descent_.last_record();
    if (last > options_.exact_limit) {
        if (reason_.empty()) reason_ = "too few exact steps were allowed to find out";
        return Status::lost;
    }
    const bool whole = last == horizon_;
    if (options_.must_leap && leaps_.empty() && whole && worth_leaping(first_try()))
        return Status::lost;
    if (!reason_.empty()) announce_exact(last);
    const bool there = exact_to(static_cast<std::int64_t>(last));
    exact_ahead_ = 0.0;
    return there ? Status::done : Status::diverged;
}

void LeapingDescent::announce_exact(double until) {
    exact_ahead_ = until - static_cast<double>(descent_.step());
    last_poll_ = std::chrono::steady_clock::now();
    poll_(reached_);
}

void LeapingDescent::polled() {
    const auto now = std::chrono::steady_clock::now();
    if (std::chrono::duration<double>(now - last_poll_).count() < poll_seconds_) return;
    last_poll_ = now;
    poll_(reached_);
}

// False if the descent diverges.
bool LeapingDescent::exact_to(std::int64_t step) {
    const auto account = [&] {
        reached_ = std::max(reached_, static_cast<double>(descent_.step()));
    };
    const auto poll = [&](std::int64_t now) {
        poll_(std::max(reached_, static_cast<double>(now)));
        return false;
    };
    const Lap lap(spent_.exact);
    try {
        const Descent::Status status = descent_.run_to(step, poll, poll_seconds_);
        account();
        return status != Descent::Status::diverged;
    } catch (...) {
        account();
        throw;
    }
}

// Takes the exact steps to `last` and two more, and keeps iterates to start a leap from. A leap
// that has begun is compared with them.
bool LeapingDescent::gather(std::int64_t last, Starts& starts, Attempt* beside) {
    const auto share = static_cast<std::int64_t>(kSpacingShare * static_cast<double>(last));
    const std::int64_t spacing = std::max(even(kSpacing * motion_.memory), share / 2 * 2);
    const std::int64_t first = last - (kStarts - 1) * spacing;
    starts = {};
    starts.last = last;
    const auto compare_now = [&] {
        if (beside != nullptr)
            compare(*beside, static_cast<double>(descent_.step()), descent_.parameters());
    };
    for (const std::int64_t k : {last / 16 * 10, last / 16 * 13}) {
        if (beside == nullptr || k <= descent_.step() || k >= first) continue;
        if (!exact_to(k)) return false;
        compare_now();
    }
    for (std::int64_t k = first; k <= last; k += spacing) {
        if (!exact_to(k)) return false;
        compare_now();
        const Vector u = descent_.parameters();
        if (!exact_to(k + 1)) return false;
        // What is left of steps before is no part of the slow motion.
        Vector update = motion_.memory > 1.0 ? force(u, static_cast<double>(k)) : descent_.update();
        starts.single.push_back({static_cast<double>(k), u, update});
        if (!exact_to(k + 2)) return false;
        for (std::size_t j = 0; j < update.size(); ++j) update[j] += descent_.update()[j];
        starts.pairs.push_back({static_cast<double>(k / 2), u, std::move(update)});
    }
    compare_now();
    return true;
}

// False, and why in reason_, if the motion is not one that can be leaped.
bool LeapingDescent::begin(const Starts& starts, Attempt& attempt) {
    const Regime regime = descent_.regime();
    const std::string where = " at step " + std::to_string(starts.last);
    if (regime == Regime::irregular) {
        reason_ = "the updates turned back and forth irregularly" + where;
        return false;
    }
    const bool pairs = regime == Regime::period_two;
    if (pairs && !motion_.is_plain()) {
        reason_ = "the iterates alternated" + where +
                  ", and orbits of period 2 are leaped of plain descent only";
        return false;
    }
    if (pairs && !descent_.problem().packed()) {
        reason_ = "the iterates alternated" + where +
                  ", and orbits of period 2 are leaped with at most 16 columns only";
        return false;
    }
    const double share = pairs ? kFinePairs : descent_.problem().packed() ? kFine : kFineWide;
    set_out(starts, pairs, std::min(planned_, share * std::min(options_.rtol, kLoosest)), attempt);
    return true;
}

void LeapingDescent::set_out(const Starts& starts, bool pairs, double tolerance, Attempt& attempt) {
    attempt.report.pairs = pairs;
    attempt.report.first = static_cast<double>(starts.last);
    attempt.report.tolerance = tolerance;
    attempt.stride = pairs ? 2.0 : 1.0;
    // Where nothing moves yet no tolerance makes the steps of the two different.
    const auto make = [&](double allowed, double longest_still) {
        const auto make_field = pairs ? make_two_step_field : make_descent_field;
        auto field = make_field(descent_.problem(), descent_.options().loss, motion_,
                                descent_.options().threads, [this] { polled(); });
        return std::make_unique<Leap>(std::move(field), pairs ? starts.pairs : starts.single,
                                      LeapOptions{allowed, 6, longest_still});
    };
    attempt.fine = make(tolerance, 0.25);
    attempt.coarse = make(kRatio * tolerance, 0.5);
}

// With the exact iterate of a step.
void LeapingDescent::compare(Attempt& attempt, double step, const Vector& exact) {
    LeapReport& report = attempt.report;
    if (!report.ended.empty()) return;
    const double k = step / attempt.stride, end = std::floor(horizon_ / attempt.stride);
    const auto follow_fine = [&] {
        const StepsLap lap(spent_, *attempt.fine);
        return follow(*attempt.fine, k, end);
    };
    const auto follow_coarse = [&] {
        const Lap lap(spent_.second);
        return follow(*attempt.coarse, k, end);
    };
    if (!follow_fine() || !follow_coarse()) {
        report.ended = "the motion was not smooth at step " + text(report.first);
        return;
    }
    Vector u;
    attempt.fine->at(k, u);
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
    leaps_.reserve(leaps_.size() + 1);
    exact_ahead_ = 0.0;
    try {
        make_records(attempt);
    } catch (...) {
        attempt.report.ended = "it was stopped";
        try {
            record_waiting(attempt.report, [] {});
        } catch (...) {  // what stopped it matters more
        }
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
        set_out(starts, attempt.report.pairs, tolerance, finer);
        for (const LeapStart& exact : beside.single) compare(finer, exact.k, exact.u);
        compare(finer, static_cast<double>(descent_.step()), descent_.parameters());
        if (!finer.report.ended.empty()) {
            attempt.report.ended += ", and with a finer integration " + finer.report.ended;
            if (!leaps_.empty() && leaps_.back().tolerance == attempt.report.tolerance)
                leaps_.back().ended = attempt.report.ended;
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
    for (const Leap* way : {attempt.fine.get(), attempt.coarse.get()}) {
        const LeapCosts& costs = way->field().costs();
        report.costs.evaluations += costs.evaluations;
        report.costs.products += costs.products;
        report.costs.factorizations += costs.factorizations;
    }
    passes_spent_ += static_cast<double>(report.costs.evaluations + report.costs.products);
    if (report.last > static_cast<double>(descent_.step())) leaps_.push_back(report);
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
    if (report.converged ? !stays(attempt) : step >= next_check_ && !spot_check(attempt))
        return false;
    return pays(attempt, fine);
}

bool LeapingDescent::step_coarse(Attempt& attempt) {
    Leap& coarse = *attempt.coarse;
    const Lap lap(spent_.second);
    const Leap::Status status = coarse.step(std::floor(horizon_ / attempt.stride));
    if (status == Leap::Status::failed) {
        attempt.report.ended =
            "the error could not be estimated beyond step " + text(coarse.now() * attempt.stride);
        return false;
    }
    attempt.coarse_converged = status == Leap::Status::converged;
    return pays(attempt, coarse);
}

}  // namespace fastgrok
