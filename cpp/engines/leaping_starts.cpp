// The exact steps of a run that leaps: to the iterates that leaps start from, and beside them.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engines/leaping_descent.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

// Leaps are tried from this step on, and from so many times as far again where that was too early;
// sooner where exact steps are dear and the first leap seldom has to be closer than this rtol.
// Where steps remember others what is left of the first ones falls exponentially, by a factor e in
// the number that they remember: tries begin at so many times that number, and are closer.
constexpr double kFirstTry = 128.0, kFirstTryWide = 64.0, kLooseEnough = 5e-7, kLater = 2.0;
constexpr double kFirstTryOfMemory = 28.0, kLaterOfMemory = 1.5;
// There exact steps, of which there are many by then, go on beside a leap for this share of those
// before it, and are compared with it in so many places.
constexpr double kBesideOfMemory = 0.125;
constexpr int kCompared = 4;
// Iterates to start from: these many, this share of the step apart, and at least so many steps, or
// as many times what a step remembers, fewer, since all of them must have forgotten the first
// steps; even, for orbits of period 2.
constexpr std::int64_t kStarts = 10;
constexpr double kSpacing = 4.0, kSpacingOfMemory = 1.0, kSpacingShare = 0.0125;

double spacing_of_starts(const SlowMotion& motion) {
    return std::max(kSpacing, kSpacingOfMemory * motion.memory);
}

// With all iterates to start from behind the last kink of the schedule.
double first_try_of(const SlowMotion& motion, double of_plain) {
    const double start = std::max(of_plain, kFirstTryOfMemory * motion.memory);
    const double kink = motion.schedule.last_kink();
    return kink > 0.0 ? std::max(start, 2.0 * kink + kStarts * spacing_of_starts(motion)) : start;
}

}  // namespace

double LeapingDescent::takes_over(const SlowMotion& motion, double from) {
    const double share = motion.memory > 1.0 ? 1.0 + kBesideOfMemory : kLater;
    return 2.0 * std::floor(share * from / 2.0) + 2.0;
}

double LeapingDescent::first_leap(const SlowMotion& motion) {
    return takes_over(motion, 2.0 * std::floor(first_try_of(motion, kFirstTry) / 2.0));
}

std::int64_t LeapingDescent::first_try() const {
    constexpr double kFarthest = 2e15;
    const bool early = is_smooth_and_dear() && options_.rtol >= kLooseEnough;
    return even(std::min(first_try_of(motion_, early ? kFirstTryWide : kFirstTry), kFarthest));
}

// Up to here exact steps are taken beside a leap, or where steps remember others if it fails.
std::int64_t LeapingDescent::next_try(std::int64_t from) const {
    const double later = motion_.memory > 1.0 ? kLaterOfMemory : kLater;
    return even(later * static_cast<double>(from));
}

std::int64_t LeapingDescent::spacing(std::int64_t last, std::int64_t period) const {
    const auto share = static_cast<std::int64_t>(kSpacingShare * static_cast<double>(last));
    const std::int64_t least = even(spacing_of_starts(motion_));
    return std::max((least + period - 1) / period, share / period) * period;
}

// The last round ends two steps behind `last` at the latest.
std::int64_t LeapingDescent::first_of(std::int64_t last, std::int64_t period) const {
    return ((last + 2) / period - 1) * period - (kStarts - 1) * spacing(last, period);
}

// Where that is still to be seen, and its iterates to start from are still to come; shorter ones
// are served by those of period 2. False if the descent diverges.
bool LeapingDescent::look_for_cycle(Starts& starts) {
    if (starts.period > 0) return true;
    const std::int64_t look = starts.last / 16 * 10;
    if (motion_.is_plain() && look > descent_.step() && look < first_of(starts.last) &&
        !keepable_to(look))
        return false;
    const int period = motion_.is_plain() ? descent_.cycles().period() : 0;
    const bool longer = period > 2 && first_of(starts.last, period) >= descent_.step();
    starts.period = longer ? period : 2;
    return true;
}

// Where a leap that has begun before the try at `last` is compared with exact steps, before
// iterates to start the next from are kept.
std::vector<std::int64_t> LeapingDescent::early_of(std::int64_t last) const {
    if (motion_.memory == 1.0) return {last / 16 * 10, last / 16 * 13};
    std::vector<std::int64_t> out;
    const auto from = static_cast<double>(way_.from);
    for (int i = 1; i < kCompared; ++i)
        out.push_back(even(from * (1.0 + kBesideOfMemory * i / kCompared)) + 2);
    out.push_back(static_cast<std::int64_t>(takes_over(motion_, from)));
    return out;
}

// False if the descent diverges.
bool LeapingDescent::exact_to(std::int64_t step) {
    const auto account = [&] {
        way_.reached = std::max(way_.reached, static_cast<double>(descent_.step()));
    };
    const auto poll = [&](std::int64_t now) {
        poll_(std::max(way_.reached, static_cast<double>(now)));
        return false;
    };
    struct StepsAlone {  // without their records
        Spent& spent;
        const Descent& descent;
        const Lap lap{spent.exact};
        const double before = descent.seconds_recording();
        ~StepsAlone() { spent.exact -= descent.seconds_recording() - before; }
    } const alone{spent_, descent_};
    try {
        const Descent::Status status = descent_.run_to(step, poll, poll_seconds_);
        account();
        return status != Descent::Status::diverged;
    } catch (...) {
        account();
        throw;
    }
}

// Likewise, and the run may be kept on the way, or where it is.
bool LeapingDescent::keepable_to(std::int64_t step) {
    can_be_kept_ = true;  // and stays so if the poll throws, or the descent diverges
    bool there = true;
    if (step == descent_.step() && descent_.next_record() > static_cast<double>(step))
        polled();  // there, and its record, if it has one, has been made
    else
        there = exact_to(step);
    can_be_kept_ = !there;
    return there;
}

// Takes the exact steps to `last` and two more, and keeps iterates to start a leap from. A leap
// that has begun is compared with them, and with some before; where steps remember others, with
// those before alone, as long as it does well. Where some are there already it goes on behind them.
bool LeapingDescent::gather(std::int64_t last, Starts& starts, Attempt* beside) {
    if (starts.last != last) {
        starts = {};
        starts.last = last;
        starts.entered = descent_.step();
    }
    if (!look_for_cycle(starts)) return false;
    const std::int64_t period = starts.period, first = first_of(last, period);
    const auto compare_with = [&](double k, const Vector& u) {
        if (beside != nullptr) compare(*beside, k, u);
    };
    std::size_t at = 0;
    for (const std::int64_t k : early_of(last)) {
        if (beside == nullptr || k <= starts.entered || k >= first) continue;
        if (at == starts.early.size()) {
            if (!keepable_to(k)) return false;
            starts.early.push_back({static_cast<double>(k), descent_.parameters(), {}});
        }
        compare_with(starts.early[at].k, starts.early[at].u);
        ++at;
    }
    const bool beyond = static_cast<double>(last + 2) > options_.exact_limit;
    const bool succeeds = beside != nullptr && beside->report.ended.empty();
    if (motion_.memory > 1.0 && way_.stage == Stage::beside && (succeeds || beyond)) return true;
    at = 0;
    for (std::int64_t k = first; at < static_cast<std::size_t>(kStarts);
         k += spacing(last, period), ++at) {
        if (at < starts.single.size()) {
            compare_with(starts.single[at].k, starts.single[at].u);
            continue;
        }
        if (!keepable_to(k)) return false;
        compare_with(static_cast<double>(k), descent_.parameters());
        const Vector u = descent_.parameters();
        if (!exact_to(k + 1)) return false;
        // What is left of steps before is no part of the slow motion.
        Vector update = motion_.memory > 1.0 ? force(u, static_cast<double>(k)) : descent_.update();
        Vector of_round = update;
        for (std::int64_t step = 2; step <= period; ++step) {
            if (!exact_to(k + step)) return false;
            add_multiple(of_round, 1.0, descent_.update());
        }
        starts.single.push_back({static_cast<double>(k), u, std::move(update)});
        starts.rounds.push_back({static_cast<double>(k / period), u, std::move(of_round)});
    }
    if (descent_.step() < last + 2 && !exact_to(last + 2)) return false;
    compare_with(static_cast<double>(descent_.step()), descent_.parameters());
    return true;
}

void LeapingDescent::restore(LeapingState state) {
    const auto require = [](bool condition, const char* what) {
        if (!condition)
            throw std::invalid_argument(std::string("not a state of this run's leaps: ") + what);
    };
    const std::size_t length = descent_.parameters().size();
    for (const Starts* starts : {&state.starts, &state.later}) {
        require(starts->single.size() == starts->rounds.size() && starts->single.size() <= kStarts,
                "iterates to start from lack something");
        require(
            starts->period == 0 || (starts->period >= 2 && starts->period <= Cycles::kMostPeriod),
            "there is no such cycle");
        for (const auto* iterates : {&starts->single, &starts->rounds, &starts->early})
            for (const LeapStart& start : *iterates)
                require(start.u.size() == length &&
                            (start.update.size() == length || iterates == &starts->early),
                        "iterates need the length of the parameters");
    }
    const bool at_a_try = state.stage == Stage::gathering || state.stage == Stage::beside;
    require(!at_a_try || (state.from > 0 && state.from <= (std::int64_t{1} << 60)),
            "there is no such step to leap from");
    require(state.stage != Stage::beside || state.starts.single.size() == kStarts,
            "a leap needs all iterates to start from");
    way_ = std::move(state);
    // A poll from within the last steps' records is asked before they are accounted for.
    way_.reached = std::max(way_.reached, static_cast<double>(descent_.step()));
}

}  // namespace fastgrok
