// Passes over packed rows: 16 lanes over the 16 rows of a block.
//
// The blocks are read once, in order, a few at a time: first the products z . u of their rows, then
// the coefficients, which need the registers for the constants of exp, then the sums over their
// rows, which need them for accumulators. In between the blocks stay in the first-level cache.
#pragma once

#include "elementary.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

constexpr std::size_t kBlocksAtOnce = 8;
// Columns whose lane sums fit into the registers together.
constexpr int kColumnsAtOnce = kAccumulators / kGroups;

// z . u for one register of rows. D is the number of columns where it is known at compile time,
// else 0.
template <int D>
inline Vec dot_packed(const double* lane, std::size_t cols, const double* u) {
    Vec t = load(lane) * set1(u[0]);
    for (std::size_t j = 1; j <= (D > 0 ? D : cols); ++j)
        t = fma(load(lane + j * kLanes), set1(u[j]), t);
    return t;
}

// z . u of every row to out.
template <int D>
inline void dot_blocks(const double* block, std::size_t count, std::size_t cols, const double* u,
                       double* out) {
    if (D > 0) cols = D;
    for (std::size_t k = 0; k < count; ++k, block += kLanes * (cols + 1), out += kLanes)
        for (int g = 0; g < kGroups; ++g)
            store(out + g * kWidth, dot_packed<D>(block + g * kWidth, cols, u));
}

// lanes[j] += sum over rows of c * z_j, lane by lane, for P neighbouring columns.
template <int P>
inline void add_columns(const double* columns, std::size_t count, std::size_t stride,
                        const double* c, double* lanes) {
    Vec sum[P][kGroups];
    for (int p = 0; p < P; ++p)
        for (int g = 0; g < kGroups; ++g) sum[p][g] = load(lanes + p * kLanes + g * kWidth);
    for (std::size_t k = 0; k < count; ++k, columns += stride, c += kLanes)
        for (int g = 0; g < kGroups; ++g) {
            const Vec cg = load(c + g * kWidth);
            for (int p = 0; p < P; ++p)
                sum[p][g] = fma(cg, load(columns + p * kLanes + g * kWidth), sum[p][g]);
        }
    for (int p = 0; p < P; ++p)
        for (int g = 0; g < kGroups; ++g) store(lanes + p * kLanes + g * kWidth, sum[p][g]);
}

// The same for `width` columns in panels of at most P.
template <int P>
inline void add_panels(const double* columns, std::size_t width, std::size_t count,
                       std::size_t stride, const double* c, double* lanes) {
    for (; width >= P; width -= P, columns += P * kLanes, lanes += P * kLanes)
        add_columns<P>(columns, count, stride, c, lanes);
    if constexpr (P > 1) add_panels<P / 2>(columns, width, count, stride, c, lanes);
}

// out_j = sum over rows of c * z_j, where weigh(first row, n, t) turns n values of t = z . u into
// c.
template <int D, class Weigh>
inline void accumulate_packed(PackedRows rows, const double* u, Weigh weigh, double* out) {
    const std::size_t cols = D > 0 ? D : rows.cols;
    const std::size_t stride = kLanes * (cols + 1);
    double lanes[(kMostPackedCols + 1) * kLanes];
    double c[kBlocksAtOnce * kLanes];
    for (std::size_t i = 0; i < stride; ++i) lanes[i] = 0.0;
    for (std::size_t k = 0; k < rows.count; k += kBlocksAtOnce) {
        const std::size_t count = rows.count - k < kBlocksAtOnce ? rows.count - k : kBlocksAtOnce;
        const double* blocks = rows.blocks + k * stride;
        dot_blocks<D>(blocks, count, cols, u, c);
        weigh(k * kLanes, count * kLanes, c);
        add_panels<kColumnsAtOnce>(blocks, cols + 1, count, stride, c, lanes);
    }
    for (std::size_t j = 0; j <= cols; ++j) out[j] = add_lanes(lanes + j * kLanes);
}

// The papers live at d = 2; up to 4 columns the compiler unrolls everything.
template <class Weigh>
inline void accumulate_packed(PackedRows rows, const double* u, Weigh weigh, double* out) {
    switch (rows.cols) {
        case 1: return accumulate_packed<1>(rows, u, weigh, out);
        case 2: return accumulate_packed<2>(rows, u, weigh, out);
        case 3: return accumulate_packed<3>(rows, u, weigh, out);
        case 4: return accumulate_packed<4>(rows, u, weigh, out);
        default: return accumulate_packed<0>(rows, u, weigh, out);
    }
}

void packed_margins(PackedRows rows, const double* u, double* out) {
    dot_blocks<0>(rows.blocks, rows.count, rows.cols, u, out);
}

// -l'(m), n values, from t = m unit.
template <class L>
inline void slopes(double most, double shift, std::size_t n, double* t) {
    if constexpr (requires(Vec v) { L::begin_slope(v, v); }) {
        double scale[kBlocksAtOnce * kLanes];
        for (std::size_t i = 0; i < n; i += kWidth) {
            const Fraction f = L::begin_slope(load(t + i), set1(most));
            store(t + i, f.r);
            store(scale + i, f.scale);
        }
        for (std::size_t i = 0; i < n; i += kWidth)
            store(t + i, L::end_slope(Fraction{load(t + i), load(scale + i)}));
    } else {
        for (std::size_t i = 0; i < n; i += kWidth)
            store(t + i, L::slope(load(t + i), set1(most), set1(shift)));
    }
}

// t_i times weight_i, n values.
inline void multiply(const double* weight, std::size_t n, double* t) {
    for (std::size_t i = 0; i < n; i += kWidth) store(t + i, load(weight + i) * load(t + i));
}

void packed_first(PackedRows rows, const double* u, Loss loss, double most, double shift,
                  double* bits, double* out) {
    with_loss(loss, [=]<class L>(L) {
        double v[kMostPackedCols + 1];
        for (std::size_t j = 0; j <= rows.cols; ++j) v[j] = u[j] * L::traits.unit;
        const auto weigh = [=](std::size_t row, std::size_t n, double* t) {
            if (bits != nullptr)
                for (std::size_t i = 0; i < n; i += kWidth) store(bits + row + i, load(t + i));
            slopes<L>(most, shift, n, t);
            if (rows.weights != nullptr) multiply(rows.weights + row, n, t);
        };
        accumulate_packed(rows, v, weigh, out);
    });
}

void packed_second(PackedRows rows, const double* weight, const double* v, double* out) {
    const auto weigh = [weight](std::size_t row, std::size_t n, double* t) {
        multiply(weight + row, n, t);
    };
    accumulate_packed(rows, v, weigh, out);
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
