// What a loss l(m) of a margin m says about itself. A loss is a type, in a file of its own in
// kernels/losses, with these traits and with its functions of registers, which are compiled for
// every instruction set; kernels/losses.hpp has the list of them all.
//
//   value(m)                    l(m)
//   curvature(m)                l''(m); where there is none, that of one side
//   slope(t, most, shift)       -l'(m) of t = m unit, 0 where t > most, most <= zero_above. Of one
//                               whose slope is e^-m everywhere 2^shift times that; `most` then is
//                               compared with t - shift
//   begin_slope, end_slope      the same in two halves, where that is faster
//   curvature_of_slope(p)       l''(m) of p = -l'(m), with the shift of p
// For leaps alone, if it can be leaped (engines/leap_field.hpp):
//   scaled_slope(log_factor, m) e^log_factor |l'(m)|, of doubles
// and if its tail is exponential:
//   full_slope(t, shift)        slope to full precision, down to the smallest number
//   steepness(m)                l''(m) / -l'(m): what share of the slope a change of m changes
//
// The functions of registers that these call are those of elementary.hpp and simd.hpp, in the
// namespace of the instruction set that they are compiled for.
#pragma once

#include <cmath>

#include "core/types.hpp"

namespace fastgrok {

// Of an exponential tail the rows whose margin, in bits (times log2(e)), is above this are left
// out: what lies there contributes less than the smallest normal number.
inline constexpr double kMostBits = 1023.0;

inline constexpr double kUnbounded = HUGE_VAL;

struct LossTraits {
    bool convex;
    bool differentiable = true;  // once, continuously
    bool twice_differentiable;
    double lipschitz;       // the largest |l'|
    double most_curvature;  // the largest l'', which it has at margin 0, or no bound
    double bend = 1.0;      // no |l'''| is larger than that times l''
    double unit;            // passes over rows take margins times this: log2(e) for powers of e
    // In that unit: rows with a larger margin contribute nothing to a gradient, exactly or as good
    // as that (kMostBits). Unbounded where every row counts.
    double zero_above;
    // In that unit: from here on -l'(m) is e^-m to the last bit, and nowhere larger. Minus
    // unbounded where it is so everywhere, unbounded where it is so nowhere.
    double exponential_from;

    constexpr bool skippable() const { return zero_above < kUnbounded; }
    constexpr bool exponential_tail() const { return exponential_from < kUnbounded; }
    constexpr bool bounded_curvature() const { return most_curvature < kUnbounded; }
    // Whether slopes and curvatures times any number of steps stay in range, with a shift or
    // without.
    constexpr bool stays_in_range() const { return exponential_tail() || bounded_curvature(); }
    // What a margin in that unit is times, to be one.
    constexpr double per_unit() const { return unit == kLog2E ? kLogOf2 : 1.0 / unit; }
    // Whether a shift of the margins is a factor of the slope.
    constexpr bool takes_shift() const { return exponential_from == -kUnbounded; }
};

}  // namespace fastgrok
