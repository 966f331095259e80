// Passes over sparse rows: the products of a strip of rows first, then one vector evaluation of
// their coefficients, then, while the entries lie in a cache, what they add to the sums.
//
// Entries one by one, in the order of the columns and row after row, so that neither strips nor
// registers matter to the bits.
#pragma once

#include "core/layout.hpp"
#include "elementary.hpp"
#include "kernels/kernels.hpp"
#include "plain_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// Rows of a strip at most, and entries from which on no more join them: 24 kB.
constexpr std::size_t kSparseStrip = 64, kStripEntries = 2048;
// Sums that are under way at once.
constexpr std::size_t kChains = 4;

template <class Real>
struct Entries {
    const Real* x;
    const std::uint32_t* column;
    std::size_t count;

    // x . w
    double dot(const double* w) const {
        double sum[kChains] = {};
        std::size_t k = 0;
        for (; k + kChains <= count; k += kChains)
            for (std::size_t c = 0; c < kChains; ++c)
                sum[c] = fma(static_cast<double>(x[k + c]), w[column[k + c]], sum[c]);
        for (std::size_t c = 0; k < count; ++c, ++k)
            sum[c] = fma(static_cast<double>(x[k]), w[column[k]], sum[c]);
        return (sum[0] + sum[2]) + (sum[1] + sum[3]);
    }

    // out += c * x. No column comes twice, so that several sums may be under way.
    void add_to(double c, double* out) const {
        const auto sum = [&](std::size_t k) {
            return fma(c, static_cast<double>(x[k]), out[column[k]]);
        };
        std::size_t k = 0;
        for (; k + kChains <= count; k += kChains) {
            double sums[kChains];
            for (std::size_t i = 0; i < kChains; ++i) sums[i] = sum(k + i);
            for (std::size_t i = 0; i < kChains; ++i) out[column[k + i]] = sums[i];
        }
        for (; k < count; ++k) out[column[k]] = sum(k);
    }
};

template <class Real>
inline std::size_t row_at(SparseRows<Real> rows, std::size_t i) {
    return rows.index != nullptr ? rows.index[i] : i;
}

template <class Real>
inline Entries<Real> entries_of(SparseRows<Real> rows, std::size_t row) {
    const std::int64_t first = rows.begin[row], end = rows.begin[row + 1];
    return {rows.x + first, rows.column + first, static_cast<std::size_t>(end - first)};
}

// out += sum over rows of c_i (x_i, 1), where weigh(first row, labels, these times the rows'
// weights, n, t) turns n values of t = x . w + b into c. A row that weighs nothing adds nothing,
// and is not looked at again.
template <class Real, class Weigh>
inline void accumulate_sparse(SparseRows<Real> rows, const double* u, Weigh weigh, double* out) {
    const std::size_t intercept = layout_of(rows.cols).intercept;
    const double b = u[intercept];
    double sum_c = out[intercept];
    Entries<Real> strip[kSparseStrip];
    double t[kSparseStrip], y[kSparseStrip], weighted[kSparseStrip];
    for (std::size_t i = 0, n; i < rows.count; i += n) {
        std::size_t entries = 0;
        for (n = 0; n < kSparseStrip && i + n < rows.count && entries < kStripEntries; ++n) {
            const std::size_t row = row_at(rows, i + n);
            strip[n] = entries_of(rows, row);
            entries += strip[n].count;
            y[n] = rows.y[row];
            weighted[n] = rows.weights != nullptr ? y[n] * rows.weights[row] : y[n];
            t[n] = strip[n].dot(u) + b;
        }
        for (std::size_t r = n; r % kWidth != 0; ++r) y[r] = weighted[r] = t[r] = 0.0;
        weigh(i, y, weighted, n, t);
        for (std::size_t r = 0; r < n; ++r) {
            if (t[r] == 0.0) continue;
            strip[r].add_to(t[r], out);
            sum_c += t[r];
        }
    }
    out[intercept] = sum_c;
}

template <class Real>
void sparse_margins(SparseRows<Real> rows, const double* u, double* out) {
    const double b = u[layout_of(rows.cols).intercept];
    for (std::size_t i = 0; i < rows.count; ++i) {
        const std::size_t row = row_at(rows, i);
        out[i] = (entries_of(rows, row).dot(u) + b) * rows.y[row];
    }
}

// As plain_accurate, in one chain.
template <class Real>
void sparse_accurate(SparseRows<Real> rows, const double* u, double* out) {
    const double b = u[layout_of(rows.cols).intercept];
    for (std::size_t i = 0; i < rows.count; ++i) {
        const std::size_t row = row_at(rows, i);
        const Entries<Real> of = entries_of(rows, row);
        double sum = b, lost = 0.0;
        for (std::size_t k = 0; k < of.count; ++k) {
            const double x = static_cast<double>(of.x[k]), w = u[of.column[k]];
            const double product = x * w, next = sum + product, taken = next - sum;
            lost += ((sum - (next - taken)) + (product - taken)) + __builtin_fma(x, w, -product);
            sum = next;
        }
        out[i] = rows.y[row] * (sum + lost);
    }
}

template <class Real>
void sparse_first(SparseRows<Real> rows, const double* u, Loss loss, double most, double shift,
                  double* bits, double* out) {
    with_loss(loss,
              [=]<class L>(L) { accumulate_sparse(rows, u, BySlope<L>{most, shift, bits}, out); });
}

template <class Real>
void sparse_second(SparseRows<Real> rows, const double* weight, const double* v, double* out) {
    accumulate_sparse(rows, v, ByWeight{weight}, out);
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
