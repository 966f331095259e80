// arm64: NEON, part of the baseline there. See simd.hpp for what each name means.
#pragma once

#include <arm_neon.h>

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

struct Vec {
    float64x2_t r;
};
constexpr int kWidth = 2;
constexpr std::size_t kRowsAtOnce = 4;
constexpr int kAccumulators = 24;

inline Vec load(const double* p) {
    return {vld1q_f64(p)};
}
inline Vec load(const float* p) {
    return {vcvt_f64_f32(vld1_f32(p))};
}
inline void store(double* p, Vec a) {
    vst1q_f64(p, a.r);
}
inline Vec set1(double x) {
    return {vdupq_n_f64(x)};
}
template <class Real>
inline Vec load_tail(const Real* p, int n) {
    return {vsetq_lane_f64(n == 1 ? static_cast<double>(p[0]) : 0.0, vdupq_n_f64(0.0), 0)};
}

inline Vec operator+(Vec a, Vec b) {
    return {vaddq_f64(a.r, b.r)};
}
inline Vec operator-(Vec a, Vec b) {
    return {vsubq_f64(a.r, b.r)};
}
inline Vec operator*(Vec a, Vec b) {
    return {vmulq_f64(a.r, b.r)};
}
inline Vec operator/(Vec a, Vec b) {
    return {vdivq_f64(a.r, b.r)};
}
inline Vec fma(Vec a, Vec b, Vec c) {
    return {vfmaq_f64(c.r, a.r, b.r)};
}
inline double fma(double a, double b, double c) {
    return __builtin_fma(a, b, c);
}
inline Vec product_error(Vec a, Vec b, Vec p) {
    return {vfmaq_f64(vnegq_f64(p.r), a.r, b.r)};
}

// Selections rather than FMAX and FMIN, so that NaN and signed zero come out as on x86.
inline Vec max_keep_nan(Vec a, Vec b) {
    return {vbslq_f64(vcgtq_f64(a.r, b.r), a.r, b.r)};
}
inline Vec min_keep_nan(Vec a, Vec b) {
    return {vbslq_f64(vcltq_f64(a.r, b.r), a.r, b.r)};
}
inline Vec abs(Vec a) {
    return {vabsq_f64(a.r)};
}
inline Vec negate_abs(Vec a) {
    return {vnegq_f64(vabsq_f64(a.r))};
}
inline Vec select_negative(Vec m, Vec a, Vec b) {
    const uint64x2_t negative = vcltzq_s64(vreinterpretq_s64_f64(m.r));
    return {vbslq_f64(negative, a.r, b.r)};
}
inline Vec select_greater(Vec x, Vec y, Vec a, Vec b) {
    return {vbslq_f64(vcgtq_f64(x.r, y.r), a.r, b.r)};
}
inline bool all_greater(Vec x, Vec y) {
    const uint64x2_t both = vcgtq_f64(x.r, y.r);
    return (vgetq_lane_u64(both, 0) & vgetq_lane_u64(both, 1)) != 0;
}

inline double add_across(Vec a) {
    return vgetq_lane_f64(a.r, 0) + vgetq_lane_f64(a.r, 1);
}

inline Vec sums_across(const Vec (&a)[kWidth]) {
    return {vpaddq_f64(a[0].r, a[1].r)};
}

inline Vec power(Vec t) {
    return {vreinterpretq_f64_u64(vshlq_n_u64(vreinterpretq_u64_f64(t.r), 52))};
}
inline void split_power(Vec t, Vec& s, Vec& r) {
    const uint64x2_t bits = vreinterpretq_u64_f64(t.r);
    const uint64x2_t half = vshrq_n_u64(bits, 1);
    s.r = vreinterpretq_f64_u64(vshlq_n_u64(half, 52));
    r.r = vreinterpretq_f64_u64(vshlq_n_u64(vsubq_u64(bits, half), 52));
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
