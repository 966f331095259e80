// Two passes over plain rows for one reading of them, each of which gives what it gives alone,
// operation by operation: a strip's products with both vectors, then, from a cache, its part of
// both sums; all along the rows of the next strip are asked for.
#pragma once

#include "plain_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// How many rows' products with both vectors are under way at once, and how many rows are added.
// Fewer are read faster while the vectors and sums, which they pass more often, lie in a cache.
struct Few {
    static constexpr std::size_t dots = kRowsAtOnce < 4 ? kRowsAtOnce : 4, sums = 4;
};
struct Many {
    static constexpr std::size_t dots = kRowsAtOnce, sums = kAccumulators >= 24 ? 8 : 4;
};
constexpr std::size_t kMostForFew = 4096;  // columns

// t[r] = x_r . w and s[r] = x_r . v, each as dot_rows() has it, while R / 2 rows of `next` are
// asked for.
template <std::size_t R, class Real>
inline void dot_rows_with_two(const Real* const* x, std::size_t cols, const double* w,
                              const double* v, double* t, double* s, const Real* const* next) {
    const Real *row[R], *later[R / 2];
    for (std::size_t r = 0; r < R / 2; ++r) later[r] = next[r];
    Vec of_w[R][kRowGroups], of_v[R][kRowGroups];
    for (std::size_t r = 0; r < R; ++r) {
        row[r] = x[r];
        for (int g = 0; g < kRowGroups; ++g) of_w[r][g] = of_v[r][g] = set1(0.0);
    }
    std::size_t j = 0;
    for (; j + kRowLanes <= cols; j += kRowLanes) {
        ask_for(later, R / 2, j);
        for (int g = 0; g < kRowGroups; ++g) {
            const std::size_t at = j + g * kWidth;
            const Vec wg = load(w + at), vg = load(v + at);
            for (std::size_t r = 0; r < R; ++r) {
                const Vec a = load(row[r] + at);
                of_w[r][g] = fma(a, wg, of_w[r][g]);
                of_v[r][g] = fma(a, vg, of_v[r][g]);
            }
        }
    }
    for (int g = 0; g < kRowGroups && j < cols; ++g, j += kWidth) {
        const int left = cols - j < kWidth ? static_cast<int>(cols - j) : kWidth;
        const Vec wg = load(w + j), vg = load(v + j);
        for (std::size_t r = 0; r < R; ++r) {
            const Vec a = load_some(row[r] + j, left);
            of_w[r][g] = fma(a, wg, of_w[r][g]);
            of_v[r][g] = fma(a, vg, of_v[r][g]);
        }
    }
    double room[kStripRoom];  // for whole registers
    finish_dots(of_w, room);
    for (std::size_t r = 0; r < R; ++r) t[r] = room[r];
    finish_dots(of_v, room);
    for (std::size_t r = 0; r < R; ++r) s[r] = room[r];
}

// out += sum over R rows of c[r] * x_r and other += sum of d[r] * x_r, while R / 2 rows of `next`
// are asked for.
template <std::size_t R, class Real>
inline void add_rows_to_two(const Real* const* x, std::size_t cols, const double* c,
                            const double* d, double* out, double* other, const Real* const* next) {
    const Real *row[R], *later[R / 2];
    Vec cc[R], dd[R];
    for (std::size_t r = 0; r < R; ++r) {
        row[r] = x[r];
        if (r < R / 2) later[r] = next[r];
        cc[r] = set1(c[r]), dd[r] = set1(d[r]);
    }
    const auto add = [&](std::size_t j, int n) {
        Vec sum = load(out + j), other_sum = load(other + j);
        for (std::size_t r = 0; r < R; ++r) {
            const Vec a = load_some(row[r] + j, n);
            sum = fma(cc[r], a, sum);
            other_sum = fma(dd[r], a, other_sum);
        }
        store(out + j, sum);
        store(other + j, other_sum);
    };
    std::size_t j = 0;
#pragma GCC unroll 2
    for (; j + kRowLanes <= cols; j += kRowLanes) {
        ask_for(later, R / 2, j);
        for (std::size_t k = 0; k < kRowLanes; k += kWidth) add(j + k, kWidth);
    }
    for (; j + kWidth <= cols; j += kWidth) add(j, kWidth);
    if (j < cols) add(j, static_cast<int>(cols - j));
}

// What one of the passes makes of n products with rows from the i-th on.
inline void weigh_for(const RowPass& pass, std::size_t i, const double* y, const double* weighted,
                      std::size_t n, double* t) {
    if (pass.weight != nullptr) return ByWeight{pass.weight}(i, y, weighted, n, t);
    with_loss(pass.loss, [=, &pass]<class L>(L) {
        BySlope<L>{pass.most, pass.shift, pass.bits}(i, y, weighted, n, t);
    });
}

template <class AtOnce, class Real>
void both_by(PlainRows<Real> rows, const RowPass& one, const RowPass& two) {
    constexpr std::size_t K = kLongStrip, R = AtOnce::dots, S = AtOnce::sums;
    static_assert(K % R == 0 && K % S == 0);
    const std::size_t cols = rows.cols, intercept = plain_layout(cols).intercept;
    const double b = one.u[intercept], other_b = two.u[intercept];
    Strip<K, Real> strip, other, next;
    if (rows.count > 0) next.find(rows, 0);
    for (std::size_t i = 0; i < rows.count; i += K) {
        strip = other = next;
        next.find(rows, i + K < rows.count ? i + K : i);
        const bool whole = strip.n == K;
        if (whole) {
            for (std::size_t r = 0; r < K; r += R)
                dot_rows_with_two<R>(strip.x + r, cols, one.u, two.u, strip.c + r, other.c + r,
                                     next.x + r / 2);
            for (std::size_t r = 0; r < K; ++r) strip.c[r] += b, other.c[r] += other_b;
        } else {
            strip.dot(cols, one.u, b, strip.c);
            other.dot(cols, two.u, other_b, other.c);
        }
        const double* const weighted = rows.weights != nullptr ? strip.weighted : strip.y;
        weigh_for(one, i, strip.y, weighted, strip.n, strip.c);
        weigh_for(two, i, strip.y, weighted, strip.n, other.c);
        if (whole) {
            for (std::size_t r = 0; r < K; r += S)
                add_rows_to_two<S>(strip.x + r, cols, strip.c + r, other.c + r, one.out, two.out,
                                   next.x + (K + r) / 2);
        } else {
            strip.add_to(cols, one.out);
            other.add_to(cols, two.out);
        }
        for (std::size_t r = 0; r < strip.n; ++r) {
            one.out[intercept] += strip.c[r];
            two.out[intercept] += other.c[r];
        }
    }
}

template <class Real>
void plain_both(PlainRows<Real> rows, const RowPass& one, const RowPass& two) {
    if constexpr (Few::dots != Many::dots || Few::sums != Many::sums)
        if (rows.cols > kMostForFew) return both_by<Many>(rows, one, two);
    both_by<Few>(rows, one, two);
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
