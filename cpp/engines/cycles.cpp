#include "engines/cycles.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include "vectors.hpp"

namespace fastgrok {
namespace {

// Iterates are compared with one that is at most a quarter of all steps old, as Brent (1980) does;
// what recurs after more steps than that is found later.
constexpr std::int64_t kAnchorShare = 4, kFewestBetweenAnchors = 64;
// What is remembered of steps before, turns and projections, reaches back no farther than this.
constexpr std::int64_t kPointsKept = 384;
// How far iterates a period apart may be from each other, as a share of the cycle's extent, and
// where rounding errors begin, as a share of the iterates.
constexpr double kMostApart = 1e-3, kRoundingOfRounds = 0x1p-40;
// A multiple of the period that brings iterates so many times closer is the period: it has doubled.
constexpr double kCloser = 16.0;

// Whether a state begins with these values, and what follows in it.
bool begins_with(const double*& state, const double* values, std::size_t count) {
    if (!same_bits(state, values, count)) return false;
    state += count;
    return true;
}

}  // namespace

Cycles::Cycles(std::size_t parameters, std::size_t moments, bool autonomous)
    : state_size_((1 + moments) * parameters + 3),
      autonomous_(autonomous),
      first_(parameters),
      second_(parameters),
      ring_(2 * kHistory) {
    // Multiples of irrational numbers, without their whole parts: no combination of few columns is
    // orthogonal to both.
    Spread one{Spread::kGolden}, other{Spread::kSilver};
    for (std::size_t j = 0; j < parameters; ++j) {
        first_[j] = one.next() - 0.5;
        second_[j] = other.next() - 0.5;
    }
}

void Cycles::remember(const Vector& u, bool turning) {
    if (!turning) {
        seen_ = next_ = 0;
        return;
    }
    double one = 0.0, other = 0.0;
    for (std::size_t j = 0; j < u.size(); ++j) {
        one += first_[j] * u[j];
        other += second_[j] * u[j];
    }
    ring_[2 * static_cast<std::size_t>(next_)] = one;
    ring_[2 * static_cast<std::size_t>(next_) + 1] = other;
    next_ = (next_ + 1) % kHistory;
    seen_ = std::min(seen_ + 1, kHistory);
}

const double* Cycles::back(int steps) const {
    return ring_.data() +
           2 * static_cast<std::size_t>((next_ - 1 - steps + 2 * kHistory) % kHistory);
}

// The extent of the newer half, along the projection that sees more of it.
double Cycles::spread() const {
    double widest = 0.0;
    for (int c = 0; c < 2; ++c) {
        double least = back(0)[c], most = least;
        for (int i = 1; i < kHistory / 2; ++i) {
            least = std::min(least, back(i)[c]);
            most = std::max(most, back(i)[c]);
        }
        widest = std::max(widest, most - least);
    }
    return widest;
}

// How far iterates a period apart are from each other, at most.
double Cycles::apart(int period, int newest, int oldest) const {
    double most = 0.0;
    for (int i = newest; i < oldest; ++i)
        for (int c = 0; c < 2; ++c)
            most = std::max(most, std::fabs(back(i)[c] - back(i + period)[c]));
    return most;
}

int Cycles::period() const {
    if (seen_ < kHistory) return 0;
    const int half = kHistory / 2;
    const double wide = spread();
    const double rounding =
        kRoundingOfRounds * std::max(std::fabs(back(0)[0]), std::fabs(back(0)[1]));
    if (!std::isfinite(wide) || !(wide > rounding)) return 0;
    const auto settled = [&](int p, double& newer) {
        if (!(apart(p, 0, 1) <= kMostApart * wide)) return false;
        newer = apart(p, 0, half);
        if (!(newer <= kMostApart * wide)) return false;
        // Chaos that comes by an unstable cycle leaves it again.
        return newer <= apart(p, half, kHistory - p) + rounding;
    };
    double newer = 0.0;
    for (int p = 2; p <= kMostPeriod; ++p) {
        if (!settled(p, newer)) continue;
        for (int q = 2 * p; q <= kMostPeriod; q += p) {
            double closer = 0.0;
            if (settled(q, closer) && kCloser * closer + rounding < newer) {
                p = q;
                newer = closer;
            }
        }
        return p;
    }
    return 0;
}

void Cycles::compare(std::int64_t step, const Vector& u, double largest,
                     const StepperState& memory) {
    const double numbers[] = {largest, memory.beta1_power, memory.beta2_power};
    const double* rest = anchor_.data();
    if (!anchor_.empty() && begins_with(rest, u.data(), u.size()) &&
        begins_with(rest, memory.first.data(), memory.first.size()) &&
        begins_with(rest, memory.second.data(), memory.second.size()) &&
        begins_with(rest, numbers, std::size(numbers))) {
        since_ = anchored_;
        length_ = step - anchored_;
        return;
    }
    if (step < next_anchor_) return;
    anchor_ = u;
    anchor_.insert(anchor_.end(), memory.first.begin(), memory.first.end());
    anchor_.insert(anchor_.end(), memory.second.begin(), memory.second.end());
    anchor_.insert(anchor_.end(), std::begin(numbers), std::end(numbers));
    anchored_ = step;
    next_anchor_ = step + std::max(step / kAnchorShare, kFewestBetweenAnchors);
}

// By eighths of the two-step differences, which are as regular as the way to an orbit or a fixed
// point, where there is one.
bool Cycles::alternates() const {
    constexpr double kNear = 0.2;  // of the extent
    constexpr int kEighths = 8, kLength = (kHistory - 2) / kEighths;
    if (seen_ < kHistory) return true;  // for all that can be said
    double last = apart(2, 0, kLength);
    if (apart(2, 0, kHistory / 2) <= kNear * spread()) return true;
    bool grows = true, shrinks = true;
    for (int i = 1; i < kEighths; ++i) {
        const double before = apart(2, i * kLength, (i + 1) * kLength);
        grows = grows && last >= before;
        shrinks = shrinks && last <= before;
        last = before;
    }
    return grows || shrinks;
}

bool Cycles::may_skip(std::int64_t step, std::int64_t most) const {
    return closed() && step >= since_ + kPointsKept && most >= length_;
}

std::int64_t Cycles::skip_rounds(std::int64_t step, std::int64_t most) {
    if (!may_skip(step, most)) return 0;
    const std::int64_t steps = most / length_ * length_;
    skipped_ += steps;
    return steps;
}

CyclesState Cycles::state() const {
    CyclesState out{{}, since_, length_, skipped_, anchor_, anchored_, next_anchor_};
    for (int i = seen_; i-- > 0;) out.history.insert(out.history.end(), back(i), back(i) + 2);
    return out;
}

void Cycles::restore(const CyclesState& state) {
    if (state.history.size() % 2 != 0 || state.history.size() > ring_.size())
        throw std::invalid_argument("the state's history of iterates has another length");
    const bool none = state.anchor.empty() && state.next_anchor == 0;
    if (!none && state.anchor.size() != state_size_)
        throw std::invalid_argument("the state's iterate to compare with has another length");
    for (const std::int64_t number :
         {state.since, state.length, state.skipped, state.anchored, state.next_anchor})
        if (number < 0) throw std::invalid_argument("the state's cycle has a negative number");
    std::copy(state.history.begin(), state.history.end(), ring_.begin());
    seen_ = static_cast<int>(state.history.size() / 2);
    next_ = seen_ % kHistory;
    since_ = state.since;
    length_ = autonomous_ ? state.length : 0;
    skipped_ = state.skipped;
    anchor_ = state.anchor;
    anchored_ = state.anchored;
    next_anchor_ = state.next_anchor;
}

}  // namespace fastgrok
