// exp, log1p, softplus and the logistic sigmoid on vectors of doubles, branch-free.
//
// Worst errors found against 50-digit arithmetic stay below 2 units in the last place over the
// whole range, denormal results included (tests/test_kernels.py). Infinities and NaN come out as
// IEEE 754 and C have them. The polynomials are weighted minimax fits on the reduced intervals
// (Lawson's and Remez' iterations in 60 digits): relative error 3.6e-18 for exp on |r| <= ln(2)/2,
// 2.5e-18 for log1p and 1.2e-18 for the quotient that is 2^f on |f| <= 1/2.
#pragma once

#include "simd.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// e^r for |r| <= ln(2)/2. Even and odd coefficients run in parallel to shorten the dependency
// chain.
inline Vec exp_reduced(Vec r) {
    const Vec r2 = r * r;
    Vec even = fma(r2, set1(2.763023968853175e-07), set1(2.4801493120034408e-05));
    Vec odd = fma(r2, set1(2.5005379479649168e-08), set1(2.7557569441858145e-06));
    even = fma(even, r2, set1(0.0013888888943607005));
    odd = fma(odd, r2, set1(0.00019841269525472082));
    even = fma(even, r2, set1(0.04166666666653032));
    odd = fma(odd, r2, set1(0.008333333333485946));
    even = fma(even, r2, set1(0.5000000000000011));
    odd = fma(odd, r2, set1(0.16666666666666424));
    const Vec q = fma(odd, r, even);
    return fma(q, r2, r) + set1(1.0);
}

// e^x = 2^k e^r: k rounded by adding a number so large that its last bit is 1, with an offset added
// to k that power() and split_power() want. Scaling in two steps: one power of two alone could not
// reach the denormals or 2^1023.
inline Vec exp_clamped(Vec x) {
    const Vec shift = set1(0x1.8p52 + 2046.0);
    const Vec shifted = fma(x, set1(kLog2E), shift);
    const Vec k = shifted - shift;
    Vec r = fma(k, set1(-0.6931471803691238), x);
    r = fma(k, set1(-1.9082149292705877e-10), r);
    Vec s1, s2;
    split_power(shifted, s1, s2);
    return exp_reduced(r) * s1 * s2;
}

// Beyond these bounds the result is 0 or infinity anyway.
inline Vec exp(Vec x) {
    return exp_clamped(min_keep_nan(set1(710.0), max_keep_nan(set1(-746.0), x)));
}

// e^x for x <= 0 or NaN.
inline Vec exp_of_negative(Vec x) {
    return exp_clamped(max_keep_nan(set1(-746.0), x));
}

// log(1 + e) for 0 <= e <= 1 or NaN. Above sqrt(2) - 1 the argument is halved and ln 2 added back.
inline Vec log1p_unit(Vec e) {
    const Vec split = set1(0.41421356237309503);
    const Vec zero = set1(0.0);
    const Vec f = select_greater(e, split, (e - set1(1.0)) * set1(0.5), e);
    const Vec s = f / (f + set1(2.0));
    const Vec z = s * s;
    Vec p = set1(0.14797109360250355);
    p = fma(p, z, set1(0.15313946589393998));
    p = fma(p, z, set1(0.18183567860163896));
    p = fma(p, z, set1(0.22222198516812444));
    p = fma(p, z, set1(0.2857142874280604));
    p = fma(p, z, set1(0.39999999999413527));
    p = fma(p, z, set1(0.6666666666666734));
    const Vec half_square = set1(0.5) * f * f;
    const Vec correction = half_square - s * (half_square + z * p);
    const Vec low = select_greater(e, split, set1(1.9082149292705877e-10), zero);
    const Vec high = select_greater(e, split, set1(0.6931471803691238), zero);
    return high + (f - (correction - low));
}

// log(1 + e^x); the loss of a margin m is softplus(-m).
inline Vec softplus(Vec x) {
    return max_keep_nan(set1(0.0), x) + log1p_unit(exp_of_negative(negate_abs(x)));
}

// 1 / (1 + e^-x), with full relative precision on both sides.
inline Vec sigmoid(Vec x) {
    const Vec one = set1(1.0);
    const Vec e = exp_of_negative(negate_abs(x));
    return select_negative(x, e, one) / (one + e);
}

// For the passes that sum over rows, from t = x log2(e): the factor is taken into the weights
// before the rows are read, which saves its share of every reduction. The error that this brings is
// that of weights off by their last place, as x has it anyway. Where t > most the result is 0; most
// is at most 1023.
constexpr double kPowerShift = 0x1.8p52 + 1023.0;

// 1 / (1 + e^x) in two halves: t is split into a whole number and f, |f| <= 1/2.
struct Fraction {
    Vec f, scale;  // e^x = scale 2^f
};

inline Fraction begin_sigmoid(Vec t, Vec most) {
    const Vec shift = set1(kPowerShift);
    t = select_greater(t, most, set1(1024.0), max_keep_nan(set1(-1021.0), t));
    const Vec shifted = t + shift;
    return {t - (shifted - shift), power(shifted)};
}

// A division is due anyway, so 2^f may be a quotient too, plus / minus, which takes half the
// multiplications of a polynomial: q + h and q - h with h / q = tanh(f ln(2) / 2), f times an even
// function. What rounding `plus` costs `minus` has in common with it, and the quotient little of
// it.
inline Vec end_sigmoid(Fraction x) {
    const Vec square = x.f * x.f;
    Vec p = fma(square, set1(5.28647854021206e-06), set1(0.004624765419598209));
    p = fma(p, square, set1(0.34657359027997264));
    Vec q = fma(square, set1(0.0002289231011055582), set1(0.053382003432105765));
    q = fma(q, square, set1(1.0));
    const Vec h = x.f * p;
    const Vec plus = q + h;
    const Vec minus = plus - (h + h);
    return minus / fma(x.scale, plus, minus);
}

// e^-x, infinite from 2^1023.5 on. What is below `least`, -1024 or more, counts as that.
inline Vec exp2_of_negative(Vec t, Vec most, Vec least) {
    const Vec shift = set1(kPowerShift);
    const Vec x = max_keep_nan(least, t);
    const Vec shifted = shift - x;
    const Vec r = (x + (shifted - shift)) * set1(-kLogOf2);
    return select_greater(t, most, set1(0.0), exp_reduced(r) * power(shifted));
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
