// Passes over packed rows: 16 lanes over the 16 rows of a block.
//
// The blocks are read once, in order, a few at a time: first the coefficients of their rows, which
// need the registers for the constants of exp, then the sums over their rows, which need them for
// accumulators. In between the blocks stay in the first-level cache.
#pragma once

#include <type_traits>

#include "kernels/elementary.hpp"
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

// f(index of the first row, z . u) of every row to out. f may take several registers in step.
template <int D, class Function>
inline void map_packed(const double* blocks, std::size_t count, std::size_t first_row,
                       std::size_t cols, const double* u, Function f, double* out) {
    if (D > 0) cols = D;
    for (std::size_t k = 0; k < count; ++k) {
        const double* block = blocks + k * kLanes * (cols + 1);
        const auto t = [=](int g) { return dot_packed<D>(block + g * kWidth, cols, u); };
        double* to = out + k * kLanes;
        const std::size_t row = first_row + k * kLanes;
        if constexpr (std::is_invocable_v<Function, std::size_t, Twice<Vec>>) {
            static_assert(kGroups % 2 == 0);
            for (int g = 0; g < kGroups; g += 2) {
                const Twice<Vec> c = f(row + g * kWidth, Twice<Vec>{t(g), t(g + 1)});
                store(to + g * kWidth, c.a);
                store(to + (g + 1) * kWidth, c.b);
            }
        } else {
            for (int g = 0; g < kGroups; ++g) store(to + g * kWidth, f(row + g * kWidth, t(g)));
        }
    }
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

// out_j = sum over rows of coefficient(row, z . u) * z_j.
template <int D, class Coefficient>
inline void accumulate_packed(PackedRows rows, const double* u, Coefficient coefficient,
                              double* out) {
    const std::size_t cols = D > 0 ? D : rows.cols;
    const std::size_t stride = kLanes * (cols + 1);
    double lanes[(kMostPackedCols + 1) * kLanes];
    double c[kBlocksAtOnce * kLanes];
    for (std::size_t i = 0; i < stride; ++i) lanes[i] = 0.0;
    for (std::size_t k = 0; k < rows.count; k += kBlocksAtOnce) {
        const std::size_t count = rows.count - k < kBlocksAtOnce ? rows.count - k : kBlocksAtOnce;
        const double* blocks = rows.blocks + k * stride;
        map_packed<D>(blocks, count, k * kLanes, cols, u, coefficient, c);
        add_panels<kColumnsAtOnce>(blocks, cols + 1, count, stride, c, lanes);
    }
    for (std::size_t j = 0; j <= cols; ++j) out[j] = add_lanes(lanes + j * kLanes);
}

// The papers live at d = 2; up to 4 columns the compiler unrolls everything.
template <class Coefficient>
inline void accumulate_packed(PackedRows rows, const double* u, Coefficient c, double* out) {
    switch (rows.cols) {
        case 1: return accumulate_packed<1>(rows, u, c, out);
        case 2: return accumulate_packed<2>(rows, u, c, out);
        case 3: return accumulate_packed<3>(rows, u, c, out);
        case 4: return accumulate_packed<4>(rows, u, c, out);
        default: return accumulate_packed<0>(rows, u, c, out);
    }
}

void packed_margins(PackedRows rows, const double* u, double* out) {
    map_packed<0>(
        rows.blocks, rows.count, 0, rows.cols, u, [](std::size_t, Vec t) { return t; }, out);
}

void packed_first(PackedRows rows, const double* u, Loss loss, double* out) {
    if (loss == Loss::logistic) {
        accumulate_packed(
            rows, u, [](std::size_t, Twice<Vec> t) { return sigmoid_of_negative(t); }, out);
    } else {
        accumulate_packed(rows, u, [](std::size_t, Vec t) { return exp(set1(0.0) - t); }, out);
    }
}

void packed_second(PackedRows rows, const double* weight, const double* v, double* out) {
    accumulate_packed(
        rows, v, [weight](std::size_t row, Vec t) { return load(weight + row) * t; }, out);
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
