// x86-64-v4: AVX-512 F, DQ, VL. See simd.hpp for what each name means.
#pragma once

#include <immintrin.h>

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

struct Vec {
    __m512d r;
};
constexpr int kWidth = 8;
constexpr std::size_t kRowsAtOnce = 8;
constexpr int kAccumulators = 24;

inline Vec load(const double* p) {
    return {_mm512_loadu_pd(p)};
}
inline Vec load(const float* p) {
    return {_mm512_cvtps_pd(_mm256_loadu_ps(p))};
}
inline void store(double* p, Vec a) {
    _mm512_storeu_pd(p, a.r);
}
inline Vec set1(double x) {
    return {_mm512_set1_pd(x)};
}

inline __mmask8 tail_mask(int n) {
    return static_cast<__mmask8>((1u << n) - 1u);
}
inline Vec load_tail(const double* p, int n) {
    return {_mm512_maskz_loadu_pd(tail_mask(n), p)};
}
inline Vec load_tail(const float* p, int n) {
    return {_mm512_cvtps_pd(_mm256_maskz_loadu_ps(tail_mask(n), p))};
}

inline Vec operator+(Vec a, Vec b) {
    return {_mm512_add_pd(a.r, b.r)};
}
inline Vec operator-(Vec a, Vec b) {
    return {_mm512_sub_pd(a.r, b.r)};
}
inline Vec operator*(Vec a, Vec b) {
    return {_mm512_mul_pd(a.r, b.r)};
}
inline Vec operator/(Vec a, Vec b) {
    return {_mm512_div_pd(a.r, b.r)};
}
inline Vec fma(Vec a, Vec b, Vec c) {
    return {_mm512_fmadd_pd(a.r, b.r, c.r)};
}
inline double fma(double a, double b, double c) {
    return __builtin_fma(a, b, c);
}
inline Vec product_error(Vec a, Vec b, Vec p) {
    return {_mm512_fmsub_pd(a.r, b.r, p.r)};
}

// VMAXPD and VMINPD return their second operand if either is NaN.
inline Vec max_keep_nan(Vec a, Vec b) {
    return {_mm512_max_pd(a.r, b.r)};
}
inline Vec min_keep_nan(Vec a, Vec b) {
    return {_mm512_min_pd(a.r, b.r)};
}
inline Vec abs(Vec a) {
    return {_mm512_andnot_pd(_mm512_set1_pd(-0.0), a.r)};
}
inline Vec negate_abs(Vec a) {
    return {_mm512_or_pd(_mm512_set1_pd(-0.0), a.r)};
}
inline Vec select_negative(Vec m, Vec a, Vec b) {
    return {_mm512_mask_blend_pd(_mm512_movepi64_mask(_mm512_castpd_si512(m.r)), b.r, a.r)};
}
inline Vec select_greater(Vec x, Vec y, Vec a, Vec b) {
    return {_mm512_mask_blend_pd(_mm512_cmp_pd_mask(x.r, y.r, _CMP_GT_OQ), b.r, a.r)};
}
inline bool all_greater(Vec x, Vec y) {
    return _mm512_cmp_pd_mask(x.r, y.r, _CMP_GT_OQ) == 0xff;
}

inline double add_across(Vec a) {
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(a.r), _mm512_extractf64x4_pd(a.r, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

inline Vec add_halves(Vec a, Vec b) {  // of each, lane i + lane i + 4
    return {
        _mm512_add_pd(_mm512_shuffle_f64x2(a.r, b.r, 0x44), _mm512_shuffle_f64x2(a.r, b.r, 0xee))};
}
inline Vec add_quarters(Vec a, Vec b) {  // of each half, lane i + lane i + 2
    return {
        _mm512_add_pd(_mm512_shuffle_f64x2(a.r, b.r, 0x88), _mm512_shuffle_f64x2(a.r, b.r, 0xdd))};
}
inline Vec sums_across(const Vec (&a)[kWidth]) {
    const Vec even = add_quarters(add_halves(a[0], a[2]), add_halves(a[4], a[6]));
    const Vec odd = add_quarters(add_halves(a[1], a[3]), add_halves(a[5], a[7]));
    return {_mm512_add_pd(_mm512_unpacklo_pd(even.r, odd.r), _mm512_unpackhi_pd(even.r, odd.r))};
}

inline Vec power(Vec t) {
    return {_mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(t.r), 52))};
}
inline void split_power(Vec t, Vec& s, Vec& r) {
    const __m512i bits = _mm512_castpd_si512(t.r);
    const __m512i half = _mm512_srli_epi64(bits, 1);
    s.r = _mm512_castsi512_pd(_mm512_slli_epi64(half, 52));
    r.r = _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_sub_epi64(bits, half), 52));
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
