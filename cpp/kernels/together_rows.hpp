// Several passes over plain rows for one reading of them, each of which gives what it gives alone,
// operation by operation: a strip's products with all vectors, then, from a cache, its part of all
// sums. Rows from beyond the caches are asked for all along.
#pragma once

#include <algorithm>

#include "plain_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// How many rows' products with all vectors are under way at once, and how many rows are added.
// Fewer are read faster while the vectors and sums, which they pass more often, lie in a cache.
// Beside more than two vectors there are registers for few alone.
template <std::size_t V>
struct Few {
    static constexpr std::size_t kRoom = V > 2 && 4 * V* kRowGroups > kAccumulators ? 2 : 4;
    static constexpr std::size_t dots = kRowsAtOnce < kRoom ? kRowsAtOnce : kRoom, sums = 4;
};
struct Many {
    static constexpr std::size_t dots = kRowsAtOnce, sums = kAccumulators >= 24 ? 8 : 4;
};
constexpr std::size_t kMostForFew = 4096;  // columns

// t[v][from + r] = x_r . w_v, each as dot_rows() has it, while R / 2 rows of `next` are asked for.
template <std::size_t R, std::size_t V, bool kAsk, class Real>
inline void dot_rows_with_all(const Real* const* x, std::size_t cols, const double* const (&w)[V],
                              double (&t)[V][kStripRoom], std::size_t from,
                              const Real* const* next) {
    constexpr std::size_t kFetched = kAsk ? R / 2 : 0;
    const Real *row[R], *later[R / 2];
    const double* of[V];
    for (std::size_t r = 0; r < kFetched; ++r) later[r] = next[r];
    Vec sum[V][R][kRowGroups];
    for (std::size_t v = 0; v < V; ++v) {
        of[v] = w[v];
        for (std::size_t r = 0; r < R; ++r)
            for (int g = 0; g < kRowGroups; ++g) sum[v][r][g] = set1(0.0);
    }
    for (std::size_t r = 0; r < R; ++r) row[r] = x[r];
    const auto multiply = [&](std::size_t at, int g, const auto& entries) {
        Vec wg[V];
        for (std::size_t v = 0; v < V; ++v) wg[v] = load(of[v] + at);
        for (std::size_t r = 0; r < R; ++r) {
            const Vec a = entries(row[r] + at);
            for (std::size_t v = 0; v < V; ++v) sum[v][r][g] = fma(a, wg[v], sum[v][r][g]);
        }
    };
    std::size_t j = 0;
    for (; j + kRowLanes <= cols; j += kRowLanes) {
        if constexpr (kFetched > 0) ask_for(later, kFetched, j);
        for (int g = 0; g < kRowGroups; ++g)
            multiply(j + g * kWidth, g, [](const Real* p) { return load(p); });
    }
    for (int g = 0; g < kRowGroups && j < cols; ++g, j += kWidth) {
        const int left = cols - j < kWidth ? static_cast<int>(cols - j) : kWidth;
        multiply(j, g, [left](const Real* p) { return load_some(p, left); });
    }
    for (std::size_t v = 0; v < V; ++v) {
        double room[kStripRoom];  // for whole registers
        finish_dots(sum[v], room);
        for (std::size_t r = 0; r < R; ++r) t[v][from + r] = room[r];
    }
}

// out[v] += sum over R rows of c[v][from + r] * x_r, while R / 2 rows of `next` are asked for.
template <std::size_t R, std::size_t V, bool kAsk, class Real>
inline void add_rows_to_all(const Real* const* x, std::size_t cols,
                            const double (&c)[V][kStripRoom], std::size_t from,
                            double* const (&out)[V], const Real* const* next) {
    constexpr std::size_t kFetched = kAsk ? R / 2 : 0;
    const Real *row[R], *later[R / 2];
    Vec cc[V][R];
    double* to[V];
    for (std::size_t r = 0; r < kFetched; ++r) later[r] = next[r];
    for (std::size_t v = 0; v < V; ++v) {
        to[v] = out[v];
        for (std::size_t r = 0; r < R; ++r) cc[v][r] = set1(c[v][from + r]);
    }
    for (std::size_t r = 0; r < R; ++r) row[r] = x[r];
    const auto add = [&](std::size_t j, int n) {
        Vec sum[V];
        for (std::size_t v = 0; v < V; ++v) sum[v] = load(to[v] + j);
        for (std::size_t r = 0; r < R; ++r) {
            const Vec a = load_some(row[r] + j, n);
            for (std::size_t v = 0; v < V; ++v) sum[v] = fma(cc[v][r], a, sum[v]);
        }
        for (std::size_t v = 0; v < V; ++v) store(to[v] + j, sum[v]);
    };
    std::size_t j = 0;
#pragma GCC unroll 2
    for (; j + kRowLanes <= cols; j += kRowLanes) {
        if constexpr (kFetched > 0) ask_for(later, kFetched, j);
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

template <class AtOnce, std::size_t V, bool kAsk, class Real>
void all_by(PlainRows<Real> rows, const RowPass* passes) {
    constexpr std::size_t K = kLongStrip, R = AtOnce::dots, S = AtOnce::sums;
    static_assert(K % R == 0 && K % S == 0);
    const std::size_t cols = rows.cols, intercept = plain_layout(cols).intercept;
    const double* u[V];
    double* out[V];
    for (std::size_t v = 0; v < V; ++v) u[v] = passes[v].u, out[v] = passes[v].out;
    Strip<K, Real> strip, next;
    double coefficients[V][kStripRoom];
    if (rows.count > 0) next.find(rows, 0);
    for (std::size_t i = 0; i < rows.count; i += K) {
        strip = next;
        next.find(rows, i + K < rows.count ? i + K : i);
        const bool whole = strip.n == K;
        for (std::size_t r = 0; whole && r < K; r += R)
            dot_rows_with_all<R, V, kAsk>(strip.x + r, cols, u, coefficients, r, next.x + r / 2);
        const double* const weighted = rows.weights != nullptr ? strip.weighted : strip.y;
        for (std::size_t v = 0; v < V; ++v) {
            double* const c = coefficients[v];
            const double b = u[v][intercept];
            if (whole) {
                for (std::size_t r = 0; r < K; ++r) c[r] += b;
            } else {
                std::fill_n(c, kStripRoom, 0.0);
                strip.dot(cols, u[v], b, c);
            }
            weigh_for(passes[v], i, strip.y, weighted, strip.n, c);
        }
        for (std::size_t r = 0; whole && r < K; r += S)
            add_rows_to_all<S, V, kAsk>(strip.x + r, cols, coefficients, r, out,
                                        next.x + (K + r) / 2);
        for (std::size_t v = 0; v < V; ++v) {
            if (!whole) {
                std::copy_n(coefficients[v], kStripRoom, strip.c);
                strip.add_to(cols, out[v]);
            }
            for (std::size_t r = 0; r < strip.n; ++r) out[v][intercept] += coefficients[v][r];
        }
    }
}

template <std::size_t V, class Real>
void all_of(PlainRows<Real> rows, const RowPass* passes) {
    if (!rows.far) return all_by<Few<V>, V, false>(rows, passes);
    if constexpr (V == 2 && (Few<V>::dots != Many::dots || Few<V>::sums != Many::sums))
        if (rows.cols > kMostForFew) return all_by<Many, V, true>(rows, passes);
    all_by<Few<V>, V, true>(rows, passes);
}

template <class Real>
void plain_together(PlainRows<Real> rows, const RowPass* passes, std::size_t count) {
    static_assert(kMostTogether == 4);
    switch (count) {
        case 2: return all_of<2>(rows, passes);
        case 3: return all_of<3>(rows, passes);
        case 4: return all_of<4>(rows, passes);
        default: break;
    }
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
