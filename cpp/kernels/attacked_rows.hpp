// How far an l_inf attack inside a box lowers the margin of each row.
//
// Coordinate j moves by min(radius, room), room being its distance from the side of the box that
// lies in the direction of -y sign(w_j), and takes |w_j| times that from the margin.
#pragma once

#include "kernels/kernels.hpp"
#include "simd.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// Packed columns hold y x_j, so the sides get the label's sign too.
void packed_drop(PackedRows rows, const Retreat& retreat, const double* radius, std::size_t count,
                 std::size_t stride, double* out) {
    const std::size_t cols = rows.cols;
    for (std::size_t k = 0; k < rows.count; ++k)
        for (int g = 0; g < kGroups; ++g) {
            const std::size_t row = k * kLanes + g * kWidth;
            const double* lane = rows.blocks + k * kLanes * (cols + 1) + g * kWidth;
            const Vec y = load(lane + cols * kLanes);
            for (std::size_t e = 0; e < count; ++e) {
                const Vec reach = load(radius + e * stride + row);
                Vec sum = set1(0.0);
                for (std::size_t j = 0; j < cols; ++j) {
                    const Vec side =
                        select_negative(y, set1(retreat.negative[j]), set1(retreat.positive[j]));
                    const Vec room = abs(load(lane + j * kLanes) - side * y);
                    sum = fma(set1(retreat.magnitude[j]), min_keep_nan(reach, room), sum);
                }
                store(out + e * stride + row, sum);
            }
        }
}

// The radii of a row are taken one after the other while it lies in the first-level cache.
template <class Real>
void plain_drop(PlainRows<Real> rows, const Retreat& retreat, const double* radius,
                std::size_t count, std::size_t stride, double* out) {
    const std::size_t cols = rows.cols;
    const double* magnitude = retreat.magnitude;
    for (std::size_t i = 0; i < rows.count; ++i) {
        const Real* x = rows.x + i * rows.stride;
        const double* side = rows.y[i] > 0.0 ? retreat.positive : retreat.negative;
        for (std::size_t e = 0; e < count; ++e) {
            const Vec reach = set1(radius[e * stride + i]);
            Vec sum[kGroups];
            for (int g = 0; g < kGroups; ++g) sum[g] = set1(0.0);
            std::size_t j = 0;
            for (; j + kLanes <= cols; j += kLanes)
                for (int g = 0; g < kGroups; ++g) {
                    const std::size_t at = j + g * kWidth;
                    const Vec room = abs(load(x + at) - load(side + at));
                    sum[g] = fma(load(magnitude + at), min_keep_nan(reach, room), sum[g]);
                }
            for (int g = 0; j < cols; ++g, j += kWidth) {
                const int left = cols - j < kWidth ? static_cast<int>(cols - j) : kWidth;
                const Vec room =
                    abs(left < kWidth ? load_tail(x + j, left) - load_tail(side + j, left)
                                      : load(x + j) - load(side + j));
                sum[g] = fma(load(magnitude + j), min_keep_nan(reach, room), sum[g]);
            }
            out[e * stride + i] = add_lanes(sum);
        }
    }
}

// max(lower - x, x - upper, beyond) over a strip of G registers of columns. The extremes over all
// rows come first, so that the sides are read once. NaNs are passed over.
template <int G, class Real, class Load>
inline Vec look_beyond(const Real* x, std::size_t rows, std::size_t stride, const double* lower,
                       const double* upper, Load load_some, Vec beyond) {
    Vec least[G], most[G];
    for (int g = 0; g < G; ++g) least[g] = most[g] = load_some(x + g * kWidth);
    for (std::size_t i = 1; i < rows; ++i)
        for (int g = 0; g < G; ++g) {
            const Vec value = load_some(x + i * stride + g * kWidth);
            least[g] = min_keep_nan(value, least[g]);
            most[g] = max_keep_nan(value, most[g]);
        }
    for (int g = 0; g < G; ++g) {
        beyond = max_keep_nan(load_some(lower + g * kWidth) - least[g], beyond);
        beyond = max_keep_nan(most[g] - load_some(upper + g * kWidth), beyond);
    }
    return beyond;
}

template <class Real>
bool plain_inside(PlainRows<Real> rows, const double* lower, const double* upper) {
    const std::size_t cols = rows.cols;
    Vec beyond = set1(0.0);
    const auto look = [&]<int G>(std::size_t j, auto load_some) {
        beyond = look_beyond<G>(rows.x + j, rows.count, rows.stride, lower + j, upper + j,
                                load_some, beyond);
    };
    const auto whole = [](const auto* p) { return load(p); };
    std::size_t j = 0;
    for (; j + kLanes <= cols; j += kLanes) look.template operator()<kGroups>(j, whole);
    for (; j + kWidth <= cols; j += kWidth) look.template operator()<1>(j, whole);
    const int left = static_cast<int>(cols - j);
    if (left > 0)
        look.template operator()<1>(j, [left](const auto* p) { return load_tail(p, left); });
    double lanes[kWidth];
    store(lanes, beyond);
    for (const double lane : lanes)
        if (lane > 0.0) return false;
    return true;
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
