// Margins of plain rows against many parameter vectors at once: a small matrix product whose every
// entry is, operation by operation, what plain_margins makes of it.
//
// A tile of rows meets a tile of weights, and the lanes of their products fill the registers. Of
// wide rows only a panel of columns is taken at a time: so many that the weights of a tile, copied
// side by side, stay in the first-level cache while a block of rows passes, and the block in the
// second while all weights do. Between panels the lanes wait in `room`.
#pragma once

#include "plain_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

constexpr std::size_t kTilePairs = kAccumulators / kRowGroups;
constexpr std::size_t kManyRows = kTilePairs >= 24 ? 4 : kTilePairs >= 6 ? 2 : 1;
constexpr std::size_t kManyWeights = kTilePairs / kManyRows;
constexpr std::size_t kPanelCols = 512, kBlockRows = 128, kWeightsTogether = 48;
static_assert(kPanelCols % kLanes == 0 && kBlockRows % kManyRows == 0);
static_assert(kManyRoom >= kPanelCols * kManyWeights + kBlockRows * kWeightsTogether * kRowLanes);

// Columns from `begin` to `end` of rows that may have others on both sides.
struct Panel {
    std::size_t begin, end;
    bool first, last;
};

// packed = the columns of K weights that lie `length` apart: 8 of each, the next 8 of each, ...
template <std::size_t K>
inline void pack_weights(const double* u, std::size_t length, Panel of, double* packed) {
    for (std::size_t j = of.begin; j < of.end; j += kRowLanes)
        for (std::size_t k = 0; k < K; ++k, packed += kRowLanes)
            for (int g = 0; g < kRowGroups; ++g)
                store(packed + g * kWidth, load(u + k * length + j + g * kWidth));
}

// The loops over the pairs of a tile are unrolled before their sums are given registers.
#define FASTGROK_UNROLL _Pragma("GCC unroll 32")

// lanes += those of x_r . w_k in the columns of a panel, for R rows and K packed weights: the 8 of
// a pair, and the rows of one weight, side by side. The first panel finds zeros; the last one
// leaves the sums of the lanes in t.
template <std::size_t R, std::size_t K, class Real>
[[gnu::noinline]] inline void add_products(const Real* const* x, Panel of, const double* packed,
                                           double* lanes, double* t) {
    constexpr std::size_t kPairs = R * K;
    const Real* row[R];
    FASTGROK_UNROLL
    for (std::size_t r = 0; r < R; ++r) row[r] = x[r];
    Vec sum[kPairs * kRowGroups];
    if (of.first) {
        FASTGROK_UNROLL
        for (std::size_t i = 0; i < kPairs * kRowGroups; ++i) sum[i] = set1(0.0);
    } else {
        FASTGROK_UNROLL
        for (std::size_t i = 0; i < kPairs * kRowGroups; ++i) sum[i] = load(lanes + i * kWidth);
    }
    std::size_t j = of.begin;
    for (; j + kRowLanes <= of.end; j += kRowLanes, packed += K * kRowLanes) {
        FASTGROK_UNROLL
        for (int g = 0; g < kRowGroups; ++g) {
            Vec a[R];
            FASTGROK_UNROLL
            for (std::size_t r = 0; r < R; ++r) a[r] = load(row[r] + j + g * kWidth);
            FASTGROK_UNROLL
            for (std::size_t k = 0; k < K; ++k) {
                const Vec w = load(packed + k * kRowLanes + g * kWidth);
                FASTGROK_UNROLL
                for (std::size_t r = 0; r < R; ++r) {
                    Vec& s = sum[(k * R + r) * kRowGroups + g];
                    s = fma(a[r], w, s);
                }
            }
        }
    }
    FASTGROK_UNROLL
    for (int g = 0; g < kRowGroups; ++g) {
        const std::size_t at = j + g * kWidth;
        if (at >= of.end) break;
        const int left = of.end - at < kWidth ? static_cast<int>(of.end - at) : kWidth;
        FASTGROK_UNROLL
        for (std::size_t k = 0; k < K; ++k) {
            const Vec w = load(packed + k * kRowLanes + g * kWidth);
            FASTGROK_UNROLL
            for (std::size_t r = 0; r < R; ++r) {
                Vec& s = sum[(k * R + r) * kRowGroups + g];
                s = fma(load_some(row[r] + at, left), w, s);
            }
        }
    }
    if (!of.last) {
        FASTGROK_UNROLL
        for (std::size_t i = 0; i < kPairs * kRowGroups; ++i) store(lanes + i * kWidth, sum[i]);
        return;
    }
    FASTGROK_UNROLL
    for (std::size_t i = 0; i < kPairs; i += kWidth) {
        Vec pairs[kWidth];
        FASTGROK_UNROLL
        for (std::size_t p = 0; p < kWidth; ++p) {
            Vec groups[kRowGroups];
            FASTGROK_UNROLL
            for (int g = 0; g < kRowGroups; ++g)
                groups[g] = i + p < kPairs ? sum[(i + p) * kRowGroups + g] : set1(0.0);
            pairs[p] = add_groups(groups);
        }
        store(t + i, set1(0.0) + sums_across(pairs));
    }
}

// What is asked for in advance: so many cache lines of each row, from a column on. GCC takes calls
// that do nothing else for calls that do nothing, and leaves them out unless they are inlined.
template <class Real>
struct Fetch {
    PlainRows<Real> rows;
    std::size_t from, lines;

    [[gnu::always_inline]] void row(std::size_t i) const {
        if (i >= rows.count) return;
        const Real* const x = rows.x + i * rows.stride + from;
        for (std::size_t k = 0; k < lines; ++k)
            __builtin_prefetch(x + k * (kCacheLine / sizeof(Real)), 0, kSecondLevel);
    }
};

// A block of rows in the columns of a panel, and the same columns of K weights.
template <std::size_t R, std::size_t K, class Real>
inline void meet(PlainRows<Real> rows, std::size_t i, Panel of, const double* u,
                 const double* packed, double* lanes, double* out, std::size_t apart) {
    const Layout layout = plain_layout(rows.cols);
    const Real* x[R];
    for (std::size_t r = 0; r < R; ++r) x[r] = rows.x + (i + r) * rows.stride;
    double t[(R * K + kWidth - 1) / kWidth * kWidth];
    add_products<R, K>(x, of, packed, lanes, t);
    if (!of.last) return;
    for (std::size_t k = 0; k < K; ++k)
        for (std::size_t r = 0; r < R; ++r)
            out[k * apart + i + r] =
                (t[k * R + r] + u[k * layout.length + layout.intercept]) * rows.y[i + r];
}

// The same for `count` weights, at most K, and a block of rows.
template <std::size_t K, class Real>
inline void meet_block(std::size_t count, PlainRows<Real> rows, Panel of, const double* u,
                       Fetch<Real> next, double* packed, double* lanes, double* out,
                       std::size_t apart) {
    if constexpr (K > 1)
        if (count < K)
            return meet_block<K - 1>(count, rows, of, u, next, packed, lanes, out, apart);
    pack_weights<K>(u, plain_layout(rows.cols).length, of, packed);
    std::size_t i = 0;
    for (; i + kManyRows <= rows.count; i += kManyRows, lanes += kManyRows * K * kRowLanes) {
        for (std::size_t r = 0; r < kManyRows; ++r) next.row(i + r);
        meet<kManyRows, K>(rows, i, of, u, packed, lanes, out, apart);
    }
    for (; i < rows.count; ++i, lanes += K * kRowLanes)
        meet<1, K>(rows, i, of, u, packed, lanes, out, apart);
}

// A block of rows against at most kWeightsTogether weights; `after` are the rows of the next block.
template <class Real>
inline void meet_weights(PlainRows<Real> rows, PlainRows<Real> after, const double* u,
                         std::size_t count, double* packed, double* lanes, double* out,
                         std::size_t apart) {
    const std::size_t length = plain_layout(rows.cols).length;
    // Tiles of about as many weights: products of few wait for each other.
    const std::size_t tiles = (count + kManyWeights - 1) / kManyWeights;
    for (std::size_t j = 0; j < rows.cols; j += kPanelCols) {
        const bool last = j + kPanelCols >= rows.cols;
        const Panel of{j, last ? rows.cols : j + kPanelCols, j == 0, last};
        const PlainRows<Real> next = last ? after : rows;
        const std::size_t from = last ? 0 : of.end, cols = rows.cols - from;
        const std::size_t bytes = (cols < kPanelCols ? cols : kPanelCols) * sizeof(Real);
        const std::size_t lines = rows.far ? (bytes + kCacheLine - 1) / kCacheLine : 0;
        for (std::size_t t = 0; t < tiles; ++t) {
            const std::size_t k = count * t / tiles, end = count * (t + 1) / tiles;
            const std::size_t done = lines * t / tiles;
            const Fetch<Real> fetch{next, from + done * (kCacheLine / sizeof(Real)),
                                    lines * (t + 1) / tiles - done};
            meet_block<kManyWeights>(end - k, rows, of, u + k * length, fetch, packed,
                                     lanes + k * kBlockRows * kRowLanes, out + k * apart, apart);
        }
    }
}

template <class Real>
void plain_many_margins(PlainRows<Real> rows, const double* u, std::size_t count, double* out,
                        std::size_t apart, double* room) {
    const std::size_t length = plain_layout(rows.cols).length;
    double* const lanes = room + kPanelCols * kManyWeights;
    const auto block = [rows](std::size_t begin) {
        PlainRows<Real> of = rows;
        if (begin > rows.count) begin = rows.count;
        of.x += begin * rows.stride;
        of.y += begin;
        of.count = rows.count - begin < kBlockRows ? rows.count - begin : kBlockRows;
        return of;
    };
    for (std::size_t i = 0; i < rows.count; i += kBlockRows)
        for (std::size_t k = 0; k < count; k += kWeightsTogether) {
            const bool last = k + kWeightsTogether >= count;
            meet_weights(block(i), block(last ? i + kBlockRows : i), u + k * length,
                         last ? count - k : kWeightsTogether, room, lanes, out + k * apart + i,
                         apart);
        }
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
