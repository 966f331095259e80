// The blocks that dense products and triangular systems are made of. Every entry is one sum, added
// in the order of k: its bits depend neither on the blocks nor on the width of a register.
#pragma once

#include "kernels/kernels.hpp"
#include "plain_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

constexpr int kTileGroups = 2;
constexpr int kTileRows = kAccumulators / kTileGroups, kTileCols = kTileGroups * kWidth;
static_assert(kTileRows * kTileCols <= static_cast<int>(kMostTileEntries));
static_assert(kSolvedCols % kWidth == 0);

void dense_tile(const double* a, const double* b, std::size_t count, double* c,
                std::ptrdiff_t stride) {
    Vec sum[kTileRows][kTileGroups];
    for (int i = 0; i < kTileRows; ++i)
        for (int g = 0; g < kTileGroups; ++g) sum[i][g] = load(c + i * stride + g * kWidth);
    for (std::size_t k = 0; k < count; ++k, a += kTileRows, b += kTileCols) {
        Vec part[kTileGroups];
        for (int g = 0; g < kTileGroups; ++g) part[g] = load(b + g * kWidth);
#pragma GCC unroll 16
        for (int i = 0; i < kTileRows; ++i) {
            const Vec factor = set1(a[i]);
            for (int g = 0; g < kTileGroups; ++g) sum[i][g] = fma(factor, part[g], sum[i][g]);
        }
    }
    for (int i = 0; i < kTileRows; ++i)
        for (int g = 0; g < kTileGroups; ++g) store(c + i * stride + g * kWidth, sum[i][g]);
}

// Groups of neighbouring columns whose sums are in registers at once.
constexpr int kSumGroups = 8;

template <int G>
inline void add_to_columns(const double* x, std::size_t rows, std::size_t stride, const double* c,
                           double* out) {
    Vec sum[G];
    for (int g = 0; g < G; ++g) sum[g] = load(out + g * kWidth);
    for (std::size_t i = 0; i < rows; ++i, x += stride) {
        const Vec factor = set1(c[i]);
        for (int g = 0; g < G; ++g) sum[g] = fma(factor, load(x + g * kWidth), sum[g]);
    }
    for (int g = 0; g < G; ++g) store(out + g * kWidth, sum[g]);
}

void dense_add_rows(const double* x, std::size_t rows, std::size_t cols, std::size_t stride,
                    const double* c, double* out) {
    std::size_t j = 0;
    for (; j + kSumGroups * kWidth <= cols; j += kSumGroups * kWidth)
        add_to_columns<kSumGroups>(x + j, rows, stride, c, out + j);
    for (; j + kWidth <= cols; j += kWidth) add_to_columns<1>(x + j, rows, stride, c, out + j);
    if (j == cols) return;
    const int left = static_cast<int>(cols - j);
    double last[kWidth];
    store(last, load_tail(out + j, left));
    Vec sum = load(last);
    for (std::size_t i = 0; i < rows; ++i)
        sum = fma(set1(c[i]), load_tail(x + i * stride + j, left), sum);
    store(last, sum);
    for (int k = 0; k < left; ++k) out[j + k] = last[k];
}

void dense_solve(const double* l, std::size_t n, double* b) {
    for (std::size_t j = 0; j < kSolvedCols; j += kWidth)
        for (std::size_t i = 0; i < n; ++i) {
            Vec sum = load(b + i * kSolvedCols + j);
            for (std::size_t k = 0; k < i; ++k)
                sum = fma(set1(-l[i * n + k]), load(b + k * kSolvedCols + j), sum);
            store(b + i * kSolvedCols + j, sum / set1(l[i * n + i]));
        }
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
