// exp, log1p, softplus and the logistic sigmoid on vectors of doubles, branch-free.
//
// Worst errors found against 50-digit arithmetic stay below 2 units in the last place over the
// whole range, denormal results included (tests/test_kernels.py). Infinities and NaN come out as
// IEEE 754 and C have them. The polynomials are weighted minimax fits on the reduced intervals
// (Lawson's iteration in 60 digits): relative error 3.6e-18 for exp on |r| <= ln(2)/2 and 2.5e-18
// for log1p.
#pragma once

#include "kernels/simd.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// Two registers, or pairs of pairs, that go through the same operations in step: the chains of
// dependent operations are long, and several of them side by side keep the execution units busy
// where a processor can look only a few dozen instructions ahead. The functions below take either.
template <class V>
struct Twice {
    V a, b;
};

template <class V>
inline Twice<V> operator+(Twice<V> x, Vec y) {
    return {x.a + y, x.b + y};
}
template <class V>
inline Twice<V> operator-(Twice<V> x, Vec y) {
    return {x.a - y, x.b - y};
}
template <class V>
inline Twice<V> operator*(Twice<V> x, Twice<V> y) {
    return {x.a * y.a, x.b * y.b};
}
template <class V>
inline Twice<V> operator/(Vec x, Twice<V> y) {
    return {x / y.a, x / y.b};
}
template <class V>
inline Twice<V> fma(Twice<V> x, Vec y, Twice<V> z) {
    return {fma(x.a, y, z.a), fma(x.b, y, z.b)};
}
template <class V>
inline Twice<V> fma(Twice<V> x, Vec y, Vec z) {
    return {fma(x.a, y, z), fma(x.b, y, z)};
}
template <class V>
inline Twice<V> fma(Twice<V> x, Twice<V> y, Vec z) {
    return {fma(x.a, y.a, z), fma(x.b, y.b, z)};
}
template <class V>
inline Twice<V> fma(Twice<V> x, Twice<V> y, Twice<V> z) {
    return {fma(x.a, y.a, z.a), fma(x.b, y.b, z.b)};
}
template <class V>
inline Twice<V> max_keep_nan(Vec x, Twice<V> y) {
    return {max_keep_nan(x, y.a), max_keep_nan(x, y.b)};
}
template <class V>
inline Twice<V> min_keep_nan(Vec x, Twice<V> y) {
    return {min_keep_nan(x, y.a), min_keep_nan(x, y.b)};
}
template <class V>
inline Twice<V> power(Twice<V> t) {
    return {power(t.a), power(t.b)};
}

// e^x = 2^k p: k rounded by adding a number so large that its last bit is 1 (with an `offset` added
// to k in the low bits of `shifted`), p = e^r with r = x - k ln 2, |r| <= ln(2)/2. Even and odd
// coefficients run in parallel to shorten the dependency chain.
template <class V>
struct ReducedExp {
    V shifted, p;
};

template <class V>
inline ReducedExp<V> reduce_exp(V x, double offset) {
    const Vec shift = set1(0x1.8p52 + offset);
    const V shifted = fma(x, set1(1.4426950408889634), shift);
    const V k = shifted - shift;
    V r = fma(k, set1(-0.6931471803691238), x);
    r = fma(k, set1(-1.9082149292705877e-10), r);
    const V r2 = r * r;
    V even = fma(r2, set1(2.763023968853175e-07), set1(2.4801493120034408e-05));
    V odd = fma(r2, set1(2.5005379479649168e-08), set1(2.7557569441858145e-06));
    even = fma(even, r2, set1(0.0013888888943607005));
    odd = fma(odd, r2, set1(0.00019841269525472082));
    even = fma(even, r2, set1(0.04166666666653032));
    odd = fma(odd, r2, set1(0.008333333333485946));
    even = fma(even, r2, set1(0.5000000000000011));
    odd = fma(odd, r2, set1(0.16666666666666424));
    const V q = fma(odd, r, even);
    return {shifted, fma(q, r2, r) + set1(1.0)};
}

// Scaling in two steps: one power of two alone could not reach the denormals or 2^1023.
inline Vec exp_clamped(Vec x) {
    const ReducedExp<Vec> e = reduce_exp(x, 2046.0);
    Vec s1, s2;
    split_power(e.shifted, s1, s2);
    return e.p * s1 * s2;
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

// sigmoid(-m) = -l'(m) for the passes that sum over rows: 1 / (1 + e^m), with full relative
// precision up to m = 708 and 0 from 709.5 on, where sigmoid() would go on through the denormals.
template <class V>
inline V sigmoid_of_negative(V m) {
    const Vec one = set1(1.0);
    const V x = min_keep_nan(set1(710.0), max_keep_nan(set1(-708.0), m));
    const ReducedExp<V> e = reduce_exp(x, 1023.0);
    return one / fma(e.p, power(e.shifted), one);
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
