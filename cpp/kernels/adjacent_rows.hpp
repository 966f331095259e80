// Passes over plain rows that follow each other and lie in the caches: the place of every row is
// told by that of the first and the distance from one to the next, which takes a few registers
// where the places of two strips take more than there are, and a strip's labels, products and
// coefficients are stored by whole registers, as they are loaded.
#pragma once

#include "row_strips.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

constexpr std::size_t kFirstLevel = 32768;  // bytes, of most caches
constexpr int kIntoFirstLevel = 3;

template <class Real>
struct AdjacentRows {
    const Real* x;
    std::size_t stride, cols;

    AdjacentRows after(std::size_t rows) const { return {x + rows * stride, stride, cols}; }
    const Real* at(std::size_t r, std::size_t j) const { return x + r * stride + j; }
};

// f(first column, its register among those of the lanes, valid lanes) for all registers of a row.
template <class Function>
[[gnu::always_inline]] inline void for_registers(std::size_t cols, Function f) {
    std::size_t j = 0;
    for (; j + kRowLanes <= cols; j += kRowLanes)
        for (int g = 0; g < kRowGroups; ++g) f(j + g * kWidth, g, kWidth);
    for (int g = 0; g < kRowGroups && j < cols; ++g, j += kWidth)
        f(j, g, cols - j < kWidth ? static_cast<int>(cols - j) : kWidth);
}

// The lanes of x_r . w for R rows, while c[r] times those of `last` are added to out if so is
// asked. w and out are padded to whole 16s.
template <std::size_t R, Beside kBeside, class Real>
[[gnu::always_inline]] inline void dot_adjacent(AdjacentRows<Real> rows, const double* w,
                                                Vec (&sum)[R][kRowGroups], AdjacentRows<Real> last,
                                                const double* c, double* out) {
    Vec cc[R];
    for (std::size_t r = 0; r < R; ++r) {
        if constexpr (kBeside == Beside::add) cc[r] = set1(c[r]);
        for (int g = 0; g < kRowGroups; ++g) sum[r][g] = set1(0.0);
    }
    for_registers(rows.cols, [&](std::size_t j, int g, int n) {
        const Vec wg = load(w + j);
        for (std::size_t r = 0; r < R; ++r)
            sum[r][g] = fma(load_some(rows.at(r, j), n), wg, sum[r][g]);
        if constexpr (kBeside == Beside::add) {
            Vec o = load(out + j);
            for (std::size_t r = 0; r < R; ++r) o = fma(cc[r], load_some(last.at(r, j), n), o);
            store(out + j, o);
        }
    });
}

// out += sum over K rows of c[r] * x_r, row after row, while the last kFetched of the K rows of
// `next` are asked for.
template <std::size_t K, std::size_t kFetched, class Real>
[[gnu::always_inline]] inline void add_adjacent(AdjacentRows<Real> rows, const double* c,
                                                double* out, AdjacentRows<Real> next) {
    Vec cc[K];
    for (std::size_t r = 0; r < K; ++r) cc[r] = set1(c[r]);
    for_registers(rows.cols, [&](std::size_t j, int g, int n) {
        for (std::size_t r = K - kFetched; g == 0 && r < K; ++r)
            for (std::size_t k = 0; k < kRowLanes; k += kCacheLine / sizeof(Real))
                __builtin_prefetch(next.at(r, j + k), 0, kIntoFirstLevel);
        Vec o = load(out + j);
        for (std::size_t r = 0; r < K; ++r) o = fma(cc[r], load_some(rows.at(r, j), n), o);
        store(out + j, o);
    });
}

// When a strip is added to the sums: beside the products of the next, or after these, which leaves
// its coefficients more time to be found, or at once, which leaves other rows more of the cache.
enum class Added { beside_next, after_next, at_once };

// out += sum over rows of c_i (x_i, 1), as accumulate_strips() has it.
template <std::size_t K, Added kAdded, std::size_t kFetched, class Real, class Weigh>
inline void accumulate_adjacent(PlainRows<Real> rows, const double* u, Weigh weigh, double* out) {
    constexpr std::size_t R = K < kRowsAtOnce ? K : kRowsAtOnce;
    static_assert(K % R == 0 && (kAdded != Added::beside_next || K == R));
    const std::size_t cols = whole_columns(rows), intercept = plain_layout(rows.cols).intercept;
    const double b = u[intercept];
    double sum_c = out[intercept];
    // Of a strip: products, then coefficients.
    double t[kStripRoom] = {}, c[kStripRoom] = {};
    const auto multiply = [&](AdjacentRows<Real> strip) {
        for (std::size_t r = 0; r < K; r += R) {
            Vec sum[R][kRowGroups];
            dot_adjacent<R, Beside::nothing>(strip.after(r), u, sum, strip, c, out);
            finish_dots(sum, t + r);
        }
    };
    // All by whole registers: what is stored in parts can't be loaded as a whole at once.
    const auto find_coefficients = [&](std::size_t i) {
        double y[kStripRoom], weighted[kStripRoom];
        for (std::size_t r = 0; r < K; r += kWidth) {
            const int n = K - r < kWidth ? static_cast<int>(K - r) : kWidth;
            Vec label = load_some(rows.y + i + r, n);
            store(y + r, label);
            if (rows.weights != nullptr) label = label * load_some(rows.weights + i + r, n);
            store(weighted + r, label);
            store(c + r, load(t + r) + set1(b));
        }
        weigh(i, y, weighted, K, c);
        for (std::size_t r = 0; r < K; ++r) sum_c += c[r];
    };
    std::size_t i = 0;
    AdjacentRows<Real> strip{rows.x, rows.stride, cols};
    const auto next = [&] { return i + 2 * K <= rows.count ? strip.after(K) : strip; };
    if constexpr (kAdded == Added::at_once) {
        for (; i + K <= rows.count; i += K, strip = strip.after(K)) {
            multiply(strip);
            find_coefficients(i);
            add_adjacent<K, kFetched>(strip, c, out, next());
        }
    } else if (rows.count >= K) {
        multiply(strip);
        find_coefficients(i);
        for (i = K; i + K <= rows.count; i += K) {
            const AdjacentRows<Real> last = strip;
            strip = last.after(K);
            if constexpr (kAdded == Added::beside_next) {
                Vec sum[K][kRowGroups];
                dot_adjacent<K, Beside::add>(strip, u, sum, last, c, out);
                finish_dots(sum, t);
            } else {
                multiply(strip);
                add_adjacent<K, kFetched>(last, c, out, next());
            }
            find_coefficients(i);
        }
        add_adjacent<K, 0>(strip, c, out, strip);
    }
    if (i < rows.count) {
        Strip<K, Real> rest;
        rest.find(rows, i);
        rest.dot(cols, u, b, rest.c);
        weigh(i, rest.y, rows.weights != nullptr ? rest.weighted : rest.y, rest.n, rest.c);
        rest.add_to(cols, out);
        for (std::size_t r = 0; r < rest.n; ++r) sum_c += rest.c[r];
    }
    out[intercept] = sum_c;
}

template <class Real, class Weigh>
inline void accumulate_adjacent(PlainRows<Real> rows, const double* u, Weigh weigh, double* out) {
    constexpr bool kLongAtOnce = kRowsAtOnce == kLongStrip, kSingle = sizeof(Real) < sizeof(double);
    // The processor is busy enough with the widening of single precision, most of all where it
    // fills registers as long as a cache line.
    if constexpr (kSingle && kLongAtOnce) {
        accumulate_adjacent<kLongStrip, Added::after_next, 0>(rows, u, weigh, out);
    } else {
        // Rows below 512 / kRowsAtOnce columns are over before a strip's coefficients are found.
        constexpr std::size_t kNarrow = kSingle ? 256 : 512 / kRowsAtOnce;
        constexpr std::size_t kFetched = kSingle ? 0 : kLongStrip / 2;
        if (rows.cols < kNarrow)
            return accumulate_adjacent<kLongStrip, Added::after_next, kFetched>(rows, u, weigh,
                                                                                out);
        // What is to stay in the first-level cache: some rows, the parameters and the sums.
        const auto fit = [&](std::size_t n) {
            return n * rows.cols * sizeof(Real) + 2 * rows.cols * sizeof(double) <= kFirstLevel;
        };
        if (fit(kShortStrip) && !(kLongAtOnce && fit(2 * kLongStrip)))
            return accumulate_adjacent<kShortStrip, Added::at_once, kShortStrip>(rows, u, weigh,
                                                                                 out);
        constexpr Added kWide = kLongAtOnce ? Added::beside_next : Added::after_next;
        accumulate_adjacent<kLongStrip, kWide, 0>(rows, u, weigh, out);
    }
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
