// Gradient and Hessian of packed rows in one pass: 16 lanes over the 16 rows of a block.
#pragma once

#include "packed_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// The sums of p z_j and, for j <= k, of q z_j z_k, p = -l'(m) and q = l''(m), weighted. Column j
// times q takes the place of the coefficients when the columns from j on are added.
template <class L, int D>
inline void newton_packed(PackedRows rows, const double* v, double shift, double* bits,
                          double* out) {
    constexpr std::size_t kMost = kMostPackedCols + 1;
    const std::size_t cols = D > 0 ? D : rows.cols, length = cols + 1;
    const std::size_t stride = kLanes * length, sums = length + length * (length + 1) / 2;
    double lanes[(kMost + kMost * (kMost + 1) / 2) * kLanes];
    double p[kBlocksAtOnce * kLanes], q[kBlocksAtOnce * kLanes], qz[kBlocksAtOnce * kLanes];
    for (std::size_t i = 0; i < sums * kLanes; ++i) lanes[i] = 0.0;
    double kept[kBlocksAtOnce * kLanes];
    const Slopes<L> slopes{L::traits.zero_above, shift, bits, nullptr};
    for (std::size_t k = 0; k < rows.count; k += kBlocksAtOnce) {
        const std::size_t count = rows.count - k < kBlocksAtOnce ? rows.count - k : kBlocksAtOnce;
        const std::size_t n = count * kLanes;
        const double* blocks = rows.blocks + k * stride;
        begin_batch<D>(blocks, count, cols, v, k * kLanes, p, kept, slopes);
        end_batch(count, k * kLanes, p, kept, slopes);
        for (std::size_t i = 0; i < n; i += kWidth)
            store(q + i, L::curvature_of_slope(load(p + i)));
        if (rows.weights != nullptr) {
            multiply(rows.weights + k * kLanes, n, p);
            multiply(rows.weights + k * kLanes, n, q);
        }
        add_panels<kColumnsAtOnce>(blocks, length, count, stride, p, lanes);
        double* triangle = lanes + length * kLanes;
        for (std::size_t j = 0; j < length; ++j) {
            const double* column = blocks + j * kLanes;
            for (std::size_t b = 0; b < count; ++b)
                for (std::size_t i = 0; i < kLanes; i += kWidth)
                    store(qz + b * kLanes + i,
                          load(q + b * kLanes + i) * load(column + b * stride + i));
            add_panels<kColumnsAtOnce>(column, length - j, count, stride, qz, triangle);
            triangle += (length - j) * kLanes;
        }
    }
    for (std::size_t j = 0; j < sums; ++j) out[j] = add_lanes(lanes + j * kLanes);
}

void packed_newton(PackedRows rows, const double* u, Loss loss, double shift, double* bits,
                   double* out) {
    with_loss(loss, [=]<class L>(L) {
        double v[kMostPackedCols + 1];
        for (std::size_t j = 0; j <= rows.cols; ++j) v[j] = u[j] * L::traits.unit;
        switch (rows.cols) {
            case 1: return newton_packed<L, 1>(rows, v, shift, bits, out);
            case 2: return newton_packed<L, 2>(rows, v, shift, bits, out);
            case 3: return newton_packed<L, 3>(rows, v, shift, bits, out);
            case 4: return newton_packed<L, 4>(rows, v, shift, bits, out);
            default: return newton_packed<L, 0>(rows, v, shift, bits, out);
        }
    });
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
