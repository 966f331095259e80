// Margins as if computed in twice the working precision and then rounded: Dot2 of Ogita, Rump and
// Oishi (2005), in lanes. Rounding of the lanes' sums is kept like that of any other sum.
#pragma once

#include "kernels/kernels.hpp"
#include "plain_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// Sums and what their rounding has taken away.
struct Compensated {
    Vec sum, lost;

    void add_product(Vec a, Vec b) {
        const Vec product = a * b;
        lost = lost + (add(product) + product_error(a, b, product));
    }

    // Adds x to `sum`; returns the rounding error, which is exact (Knuth's TwoSum).
    Vec add(Vec x) {
        const Vec next = sum + x;
        const Vec taken = next - sum;
        const Vec error = (sum - (next - taken)) + (x - taken);
        sum = next;
        return error;
    }
};

// The sums of kRowLanes lanes after `start`, one after the other.
inline double add_compensated(double start, const Compensated* lanes) {
    double sums[kRowLanes], losses[kRowLanes], total = start, lost = 0.0;
    for (std::size_t g = 0; g < kRowLanes / kWidth; ++g) {
        store(sums + g * kWidth, lanes[g].sum);
        store(losses + g * kWidth, lanes[g].lost);
    }
    for (std::size_t k = 0; k < kRowLanes; ++k) {
        const double next = total + sums[k];
        const double taken = next - total;
        lost += ((total - (next - taken)) + (sums[k] - taken)) + losses[k];
        total = next;
    }
    return total + lost;
}

template <class Real>
void plain_accurate(PlainRows<Real> rows, const double* u, double* out) {
    const std::size_t cols = rows.cols;
    const double b = u[plain_layout(cols).intercept];
    for (std::size_t i = 0; i < rows.count; ++i) {
        const std::size_t at = rows.index != nullptr ? rows.index[i] : i;
        const Real* x = rows.x + at * rows.stride;
        Compensated lanes[kRowGroups];
        for (Compensated& lane : lanes) lane = {set1(0.0), set1(0.0)};
        std::size_t j = 0;
        for (; j + kRowLanes <= cols; j += kRowLanes)
            for (int g = 0; g < kRowGroups; ++g)
                lanes[g].add_product(load(x + j + g * kWidth), load(u + j + g * kWidth));
        for (int g = 0; g < kRowGroups && j < cols; ++g, j += kWidth) {
            const int left = cols - j < kWidth ? static_cast<int>(cols - j) : kWidth;
            lanes[g].add_product(load_some(x + j, left), load(u + j));
        }
        out[i] = rows.y[at] * add_compensated(b, lanes);
    }
}

// out_j = sum over rows of c_i x_ij for kRowLanes neighbouring columns, where part(p, g) loads what
// register g gets from p.
template <class Part>
inline void sum_columns(const double* x, std::size_t rows, std::size_t cols, const double* c,
                        Part part, double* out) {
    Compensated sums[kRowGroups];
    for (Compensated& sum : sums) sum = {set1(0.0), set1(0.0)};
    for (std::size_t i = 0; i < rows; ++i, x += cols)
        for (int g = 0; g < kRowGroups; ++g)
            sums[g].add_product(part(x + g * kWidth, g), set1(c[i]));
    for (int g = 0; g < kRowGroups; ++g) store(out + g * kWidth, sums[g].sum + sums[g].lost);
}

void accurate_sums(const double* x, std::size_t rows, std::size_t cols, const double* c,
                   double* out) {
    std::size_t j = 0;
    for (; j + kRowLanes <= cols; j += kRowLanes)
        sum_columns(x + j, rows, cols, c, [](const double* p, int) { return load(p); }, out + j);
    if (j == cols) return;
    const int left = static_cast<int>(cols - j);
    const auto part = [left](const double* p, int g) {
        const int count = left - g * kWidth;
        return count <= 0 ? set1(0.0) : load_some(p, count);
    };
    double last[kRowLanes];
    sum_columns(x + j, rows, cols, c, part, last);
    for (int k = 0; k < left; ++k) out[j + k] = last[k];
}

void packed_accurate(PackedRows rows, const double* u, double* out) {
    const std::size_t stride = kLanes * (rows.cols + 1);
    for (std::size_t k = 0; k < rows.count; ++k, out += kLanes) {
        const double* block = rows.blocks + k * stride;
        for (std::size_t i = 0; i < kLanes; i += kWidth) {
            // The labels times the bias are exact.
            Compensated sum{load(block + rows.cols * kLanes + i) * set1(u[rows.cols]), set1(0.0)};
            for (std::size_t j = 0; j < rows.cols; ++j)
                sum.add_product(load(block + j * kLanes + i), set1(u[j]));
            store(out + i, sum.sum + sum.lost);
        }
    }
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
