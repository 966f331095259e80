// Margins of plain rows against many parameter vectors at once: a small matrix product whose every
// entry is, operation by operation, what plain_margins makes of it.
//
// A tile of rows meets a tile of weights, and their products fill the registers. The weights of a
// tile stay in the caches while a block of rows passes, and the block while all weights do.
#pragma once

#include "plain_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

constexpr int kTilePairs = kAccumulators / kRowGroups;
constexpr std::size_t kManyRows = kTilePairs >= 24 ? 4 : kTilePairs >= 6 ? 2 : 1;
constexpr std::size_t kManyWeights = kTilePairs / kManyRows;
// Rows of a block, in bytes: half of a small second-level cache.
constexpr std::size_t kManyBytes = std::size_t{1} << 17;

// out[k * apart + r] = y_r (x_r . w_k + b_k) for R rows and K weights, which lie `length` apart.
template <std::size_t R, std::size_t K, class Real>
inline void margins_tile(const Real* const* x, const double* y, std::size_t cols, const double* u,
                         std::size_t length, double* out, std::size_t apart) {
    Vec sum[R][K][kRowGroups];
    for (std::size_t r = 0; r < R; ++r)
        for (std::size_t k = 0; k < K; ++k)
            for (int g = 0; g < kRowGroups; ++g) sum[r][k][g] = set1(0.0);
    std::size_t j = 0;
    for (; j + kRowLanes <= cols; j += kRowLanes)
        for (int g = 0; g < kRowGroups; ++g) {
            const std::size_t at = j + g * kWidth;
            Vec row[R];
            for (std::size_t r = 0; r < R; ++r) row[r] = load(x[r] + at);
            for (std::size_t k = 0; k < K; ++k) {
                const Vec w = load(u + k * length + at);
                for (std::size_t r = 0; r < R; ++r) sum[r][k][g] = fma(row[r], w, sum[r][k][g]);
            }
        }
    for (int g = 0; g < kRowGroups && j < cols; ++g, j += kWidth) {
        const int left = cols - j < kWidth ? static_cast<int>(cols - j) : kWidth;
        for (std::size_t k = 0; k < K; ++k) {
            const Vec w = load(u + k * length + j);
            for (std::size_t r = 0; r < R; ++r)
                sum[r][k][g] = fma(load_some(x[r] + j, left), w, sum[r][k][g]);
        }
    }
    const std::size_t intercept = plain_layout(cols).intercept;
    for (std::size_t k = 0; k < K; ++k)
        for (std::size_t r = 0; r < R; ++r)
            out[k * apart + r] = ((0.0 + add_lanes(sum[r][k])) + u[k * length + intercept]) * y[r];
}

template <std::size_t K, class Real>
inline void margins_of_block(PlainRows<Real> rows, const double* u, std::size_t length,
                             std::size_t begin, std::size_t end, double* out, std::size_t apart) {
    std::size_t i = begin;
    for (; i + kManyRows <= end; i += kManyRows) {
        const Real* x[kManyRows];
        for (std::size_t r = 0; r < kManyRows; ++r) x[r] = rows.x + (i + r) * rows.stride;
        margins_tile<kManyRows, K>(x, rows.y + i, rows.cols, u, length, out + i, apart);
    }
    for (; i < end; ++i) {
        const Real* const x = rows.x + i * rows.stride;
        margins_tile<1, K>(&x, rows.y + i, rows.cols, u, length, out + i, apart);
    }
}

template <class Real>
void plain_many_margins(PlainRows<Real> rows, const double* u, std::size_t count, double* out,
                        std::size_t apart) {
    const std::size_t length = plain_layout(rows.cols).length;
    const std::size_t fit = kManyBytes / (sizeof(Real) * rows.stride) / kManyRows * kManyRows;
    const std::size_t at_once = fit > kManyRows ? fit : kManyRows;
    for (std::size_t i = 0; i < rows.count; i += at_once) {
        const std::size_t end = i + at_once < rows.count ? i + at_once : rows.count;
        std::size_t k = 0;
        for (; k + kManyWeights <= count; k += kManyWeights)
            margins_of_block<kManyWeights>(rows, u + k * length, length, i, end, out + k * apart,
                                           apart);
        for (; k < count; ++k)
            margins_of_block<1>(rows, u + k * length, length, i, end, out + k * apart, apart);
    }
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
