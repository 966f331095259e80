// x86-64-v2: SSE4.2, no FMA (fma rounds twice). See simd.hpp for what each name means.
#pragma once

#include <smmintrin.h>

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

struct Vec {
    __m128d r;
};
constexpr int kWidth = 2;
constexpr std::size_t kRowsAtOnce = 2;
constexpr int kAccumulators = 8;

inline Vec load(const double* p) {
    return {_mm_loadu_pd(p)};
}
inline Vec load(const float* p) {
    return {_mm_setr_pd(p[0], p[1])};
}
inline void store(double* p, Vec a) {
    _mm_storeu_pd(p, a.r);
}
inline Vec set1(double x) {
    return {_mm_set1_pd(x)};
}
template <class Real>
inline Vec load_tail(const Real* p, int n) {
    return {n == 1 ? _mm_set_sd(p[0]) : _mm_setzero_pd()};
}

inline Vec operator+(Vec a, Vec b) {
    return {_mm_add_pd(a.r, b.r)};
}
inline Vec operator-(Vec a, Vec b) {
    return {_mm_sub_pd(a.r, b.r)};
}
inline Vec operator*(Vec a, Vec b) {
    return {_mm_mul_pd(a.r, b.r)};
}
inline Vec operator/(Vec a, Vec b) {
    return {_mm_div_pd(a.r, b.r)};
}
inline Vec fma(Vec a, Vec b, Vec c) {
    return a * b + c;
}
inline double fma(double a, double b, double c) {
    return a * b + c;
}
// By the C library, which finds the processor's FMA if there is one.
inline Vec product_error(Vec a, Vec b, Vec p) {
    double x[2], y[2], z[2];
    store(x, a);
    store(y, b);
    store(z, p);
    return {_mm_setr_pd(__builtin_fma(x[0], y[0], -z[0]), __builtin_fma(x[1], y[1], -z[1]))};
}

// MAXPD and MINPD return their second operand if either is NaN.
inline Vec max_keep_nan(Vec a, Vec b) {
    return {_mm_max_pd(a.r, b.r)};
}
inline Vec min_keep_nan(Vec a, Vec b) {
    return {_mm_min_pd(a.r, b.r)};
}
inline Vec abs(Vec a) {
    return {_mm_andnot_pd(_mm_set1_pd(-0.0), a.r)};
}
inline Vec negate_abs(Vec a) {
    return {_mm_or_pd(_mm_set1_pd(-0.0), a.r)};
}
inline Vec select_negative(Vec m, Vec a, Vec b) {
    return {_mm_blendv_pd(b.r, a.r, m.r)};
}
inline Vec select_greater(Vec x, Vec y, Vec a, Vec b) {
    return {_mm_blendv_pd(b.r, a.r, _mm_cmpgt_pd(x.r, y.r))};
}
inline bool all_greater(Vec x, Vec y) {
    return _mm_movemask_pd(_mm_cmpgt_pd(x.r, y.r)) == 0x3;
}

inline double add_across(Vec a) {
    return _mm_cvtsd_f64(_mm_add_sd(a.r, _mm_unpackhi_pd(a.r, a.r)));
}

inline Vec sums_across(const Vec (&a)[kWidth]) {
    return {_mm_add_pd(_mm_unpacklo_pd(a[0].r, a[1].r), _mm_unpackhi_pd(a[0].r, a[1].r))};
}

inline Vec power(Vec t) {
    return {_mm_castsi128_pd(_mm_slli_epi64(_mm_castpd_si128(t.r), 52))};
}
inline void split_power(Vec t, Vec& s, Vec& r) {
    const __m128i bits = _mm_castpd_si128(t.r);
    const __m128i half = _mm_srli_epi64(bits, 1);
    s.r = _mm_castsi128_pd(_mm_slli_epi64(half, 52));
    r.r = _mm_castsi128_pd(_mm_slli_epi64(_mm_sub_epi64(bits, half), 52));
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
