// Passes over plain rows. How rows are taken depends on where they lie; the order of operations
// inside a row and from row to row does not.
#pragma once

#include "adjacent_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

template <class Real, class Weigh>
inline void accumulate_plain(PlainRows<Real> rows, const double* u, Weigh weigh, double* out) {
    // The processor is busy enough with the widening of single precision.
    constexpr Beside kBeside = sizeof(Real) < sizeof(double) ? Beside::nothing : Beside::add;
    if (rows.far && takes_turns(rows)) return accumulate_in_turns<kLongStrip>(rows, u, weigh, out);
    if (rows.far)
        return accumulate_strips<kLongStrip, Beside::add, Ahead::all>(rows, u, weigh, out);
    if (rows.index == nullptr) return accumulate_adjacent(rows, u, weigh, out);
    if (rows.cols <= kNarrowRow)
        return accumulate_strips<kLongStrip, kBeside, Ahead::nothing>(rows, u, weigh, out);
    return accumulate_strips<kShortStrip, Beside::add, Ahead::nothing>(rows, u, weigh, out);
}

template <class Real>
void plain_margins(PlainRows<Real> rows, const double* u, double* out) {
    const std::size_t cols = rows.cols;
    const double b = u[plain_layout(cols).intercept];
    for (std::size_t i = 0; i < rows.count; i += kLongStrip) {
        Strip<kLongStrip, Real> strip;
        strip.find(rows, i);
        double t[kStripRoom];
        strip.dot(cols, u, b, t);
        for (std::size_t r = 0; r < strip.n; ++r) out[i + r] = t[r] * strip.y[r];
    }
}

// Of n products with rows from the first one on the coefficients of `first`, from the labels and
// these times the rows' weights; the margins go to `bits` unless it is null.
template <class L>
struct BySlope {
    double most, shift;
    double* bits;

    void operator()(std::size_t row, const double* y, const double* weighted, std::size_t n,
                    double* t) const {
        for (std::size_t r = 0; r < n; r += kWidth) {
            const Vec m = load(t + r) * load(y + r) * set1(L::traits.unit);
            store(t + r, m);
            if (bits != nullptr)
                for (std::size_t k = r; k < r + kWidth && k < n; ++k) bits[row + k] = t[k];
            store(t + r, L::slope(m, set1(most), set1(shift)) * load(weighted + r));
        }
    }
};

// And those of `second`.
struct ByWeight {
    const double* weight;

    void operator()(std::size_t row, const double*, const double*, std::size_t n, double* t) const {
        for (std::size_t r = 0; r < n; ++r) t[r] *= weight[row + r];
    }
};

template <class Real>
void plain_first(PlainRows<Real> rows, const double* u, Loss loss, double most, double shift,
                 double* bits, double* out) {
    with_loss(loss,
              [=]<class L>(L) { accumulate_plain(rows, u, BySlope<L>{most, shift, bits}, out); });
}

template <class Real>
void plain_second(PlainRows<Real> rows, const double* weight, const double* v, double* out) {
    accumulate_plain(rows, v, ByWeight{weight}, out);
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
