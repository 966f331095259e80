// The exact steps of a run that leaps: to the iterates that leaps start from, and beside them.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "engines/leaping_descent.hpp"

namespace fastgrok {
namespace {

// Leaps are tried from this step on, and from so many times as far again where that was too early.
// Where steps remember others what is left of the first ones falls exponentially, by a factor e in
// the number that they remember: tries begin at so many times that number, and are closer.
constexpr double kFirstTry = 128.0, kLater = 2.0;
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
double first_try_of(const SlowMotion& motion) {
    const double start = std::max(kFirstTry, kFirstTryOfMemory * motion.memory);
    const double kink = motion.schedule.last_kink();
    return kink > 0.0 ? std::max(start, 2.0 * kink + kStarts * spacing_of_starts(motion)) : start;
}

double later_of(const SlowMotion& motion) {
    return motion.memory > 1.0 ? kLaterOfMemory : kLater;
}

}  // namespace

double LeapingDescent::first_leap(const SlowMotion& motion) {
    const double first = 2.0 * std::floor(first_try_of(motion) / 2.0);
    return 2.0 * std::floor(later_of(motion) * first / 2.0) + 2.0;
}

std::int64_t LeapingDescent::first_try() const {
    constexpr double kFarthest = 2e15;
    return even(std::min(first_try_of(motion_), kFarthest));
}

// Up to here exact steps are taken beside a leap, or where steps remember others if none began.
std::int64_t LeapingDescent::next_try(std::int64_t from) const {
    return even(later_of(motion_) * static_cast<double>(from));
}

std::int64_t LeapingDescent::spacing(std::int64_t last) const {
    const auto share = static_cast<std::int64_t>(kSpacingShare * static_cast<double>(last));
    return std::max(even(spacing_of_starts(motion_)), share / 2 * 2);
}

std::int64_t LeapingDescent::first_of(std::int64_t last) const {
    return last - (kStarts - 1) * spacing(last);
}

// Where a leap that has begun before the try at `last` is compared with exact steps, before
// iterates to start the next from are kept.
std::vector<std::int64_t> LeapingDescent::early_of(std::int64_t last) const {
    if (motion_.memory == 1.0) return {last / 16 * 10, last / 16 * 13};
    std::vector<std::int64_t> out;
    const double from = static_cast<double>(last) / kLaterOfMemory;
    for (int i = 1; i <= kCompared; ++i)
        out.push_back(even(from * (1.0 + kBesideOfMemory * i / kCompared)) + 2);
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
    const std::int64_t first = first_of(last);
    if (starts.last != last) {
        starts = {};
        starts.last = last;
        starts.entered = descent_.step();
    }
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
    if (beside != nullptr && motion_.memory > 1.0 && beside->report.ended.empty()) return true;
    at = 0;
    for (std::int64_t k = first; k <= last; k += spacing(last), ++at) {
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
        Vector of_two = update;
        if (!exact_to(k + 2)) return false;
        for (std::size_t j = 0; j < of_two.size(); ++j) of_two[j] += descent_.update()[j];
        starts.single.push_back({static_cast<double>(k), u, std::move(update)});
        starts.pairs.push_back({static_cast<double>(k / 2), u, std::move(of_two)});
    }
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
        require(starts->single.size() == starts->pairs.size() && starts->single.size() <= kStarts,
                "iterates to start from lack something");
        for (const auto* iterates : {&starts->single, &starts->pairs, &starts->early})
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
}

}  // namespace fastgrok
