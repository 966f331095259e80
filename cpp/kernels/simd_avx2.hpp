// x86-64-v3: AVX2 and FMA. See simd.hpp for what each name means.
#pragma once

#include <immintrin.h>

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

struct Vec {
    __m256d r;
};
constexpr int kWidth = 4;
constexpr std::size_t kRowsAtOnce = 4;
constexpr int kAccumulators = 12;

inline Vec load(const double* p) {
    return {_mm256_loadu_pd(p)};
}
inline Vec load(const float* p) {
    return {_mm256_cvtps_pd(_mm_loadu_ps(p))};
}
inline void store(double* p, Vec a) {
    _mm256_storeu_pd(p, a.r);
}
inline Vec set1(double x) {
    return {_mm256_set1_pd(x)};
}

inline __m256i tail_mask(int n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
inline Vec load_tail(const double* p, int n) {
    return {_mm256_maskload_pd(p, tail_mask(n))};
}
inline Vec load_tail(const float* p, int n) {
    const __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32(n), _mm_setr_epi32(0, 1, 2, 3));
    return {_mm256_cvtps_pd(_mm_maskload_ps(p, mask))};
}

inline Vec operator+(Vec a, Vec b) {
    return {_mm256_add_pd(a.r, b.r)};
}
inline Vec operator-(Vec a, Vec b) {
    return {_mm256_sub_pd(a.r, b.r)};
}
inline Vec operator*(Vec a, Vec b) {
    return {_mm256_mul_pd(a.r, b.r)};
}
inline Vec operator/(Vec a, Vec b) {
    return {_mm256_div_pd(a.r, b.r)};
}
inline Vec fma(Vec a, Vec b, Vec c) {
    return {_mm256_fmadd_pd(a.r, b.r, c.r)};
}
inline double fma(double a, double b, double c) {
    return __builtin_fma(a, b, c);
}
inline Vec product_error(Vec a, Vec b, Vec p) {
    return {_mm256_fmsub_pd(a.r, b.r, p.r)};
}

// MAXPD and MINPD return their second operand if either is NaN.
inline Vec max_keep_nan(Vec a, Vec b) {
    return {_mm256_max_pd(a.r, b.r)};
}
inline Vec min_keep_nan(Vec a, Vec b) {
    return {_mm256_min_pd(a.r, b.r)};
}
inline Vec abs(Vec a) {
    return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.r)};
}
inline Vec negate_abs(Vec a) {
    return {_mm256_or_pd(_mm256_set1_pd(-0.0), a.r)};
}
inline Vec select_negative(Vec m, Vec a, Vec b) {
    return {_mm256_blendv_pd(b.r, a.r, m.r)};
}
inline Vec select_greater(Vec x, Vec y, Vec a, Vec b) {
    return {_mm256_blendv_pd(b.r, a.r, _mm256_cmp_pd(x.r, y.r, _CMP_GT_OQ))};
}
inline bool all_greater(Vec x, Vec y) {
    return _mm256_movemask_pd(_mm256_cmp_pd(x.r, y.r, _CMP_GT_OQ)) == 0xf;
}

inline double add_across(Vec a) {
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(a.r), _mm256_extractf128_pd(a.r, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

inline Vec add_halves(Vec a, Vec b) {  // of each, lane i + lane i + 2
    return {_mm256_add_pd(_mm256_permute2f128_pd(a.r, b.r, 0x20),
                          _mm256_permute2f128_pd(a.r, b.r, 0x31))};
}
inline Vec sums_across(const Vec (&a)[kWidth]) {
    const Vec even = add_halves(a[0], a[2]), odd = add_halves(a[1], a[3]);
    return {_mm256_add_pd(_mm256_unpacklo_pd(even.r, odd.r), _mm256_unpackhi_pd(even.r, odd.r))};
}

inline Vec power(Vec t) {
    return {_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(t.r), 52))};
}
inline void split_power(Vec t, Vec& s, Vec& r) {
    const __m256i bits = _mm256_castpd_si256(t.r);
    const __m256i half = _mm256_srli_epi64(bits, 1);
    s.r = _mm256_castsi256_pd(_mm256_slli_epi64(half, 52));
    r.r = _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_sub_epi64(bits, half), 52));
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
