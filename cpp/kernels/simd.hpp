// One vector type for all instruction sets. Each build of the kernels sees exactly one of the
// headers below; all of them offer the same names, so that a kernel is written once:
//
// clang-format off
//   Vec, kWidth                     a register of doubles and how many it holds (2, 4 or 8)
//   kRowsAtOnce                     rows whose lane sums fit in the registers together
//   kAccumulators                   registers that sums may take beside a few operands
//   load, load_tail, store, set1    float sources are widened; load_tail reads n < kWidth, rest 0
//   + - * /, fma(a, b, c)           a * b + c, rounded once (twice on v2, which has no FMA)
//                                   registers, or numbers one by one
//   product_error(a, b, p)          a * b - p, rounded once: with p = a * b what its rounding lost
//   max_keep_nan, min_keep_nan      of (a, b): b where either is NaN
//   abs, negate_abs                 |x|, -|x|
//   select_negative(m, a, b)        a where the sign bit of m is set, else b
//   select_greater(x, y, a, b)      a where x > y, else b (also for NaN)
//   all_greater(x, y)               whether x > y everywhere
//   add_across(a)                   the sum of a register, lane i to lane i + 4, then i + 2 and i + 1
//   sums_across(a)                  the sums of kWidth registers, each added as add_across does it
//   power(t)                        t = 1.5 * 2^52 + 1023 + k: 2^k for -1022 <= k <= 1023, then infinity
//   split_power(t, s, r)            t = 1.5 * 2^52 + 2046 + k: s * r = 2^k with both factors normal
// clang-format on
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/types.hpp"

#if defined(FASTGROK_SIMD_v4)
#include "simd_avx512.hpp"
#elif defined(FASTGROK_SIMD_v3)
#include "simd_avx2.hpp"
#elif defined(FASTGROK_SIMD_v2)
#include "simd_sse4.hpp"
#elif defined(FASTGROK_SIMD_neon)
#include "simd_neon.hpp"
#else
#error "define FASTGROK_SIMD_v2, _v3, _v4 or _neon"
#endif

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// Registers that hold the 16 lanes.
constexpr int kGroups = static_cast<int>(kLanes) / kWidth;

// A register like another one, filled with x.
inline Vec like(Vec, double x) {
    return set1(x);
}

// Adds lanes in one fixed order, of 16 lane i to lane i + 8, then i + 4, i + 2 and i + 1. First
// those of several registers.
template <int G>
inline Vec add_groups(const Vec (&lanes)[G]) {
    Vec sum[G];
    for (int g = 0; g < G; ++g) sum[g] = lanes[g];
    for (int half = G / 2; half > 0; half /= 2)
        for (int g = 0; g < half; ++g) sum[g] = sum[g] + sum[g + half];
    return sum[0];
}
template <int G>
inline double add_lanes(const Vec (&lanes)[G]) {
    return add_across(add_groups(lanes));
}
inline double add_lanes(const double* lanes) {
    Vec groups[kGroups];
    for (int g = 0; g < kGroups; ++g) groups[g] = load(lanes + g * kWidth);
    return add_lanes(groups);
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
