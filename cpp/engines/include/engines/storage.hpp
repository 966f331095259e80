// The kernels for a storage of rows, and pieces of it.
#pragma once

#include "kernels/kernels.hpp"

namespace fastgrok {

inline const Kernels::Packed& kernels_for(const PackedRows&) {
    return kernels().packed;
}
inline const Kernels::Plain<double>& kernels_for(const PlainRows<double>&) {
    return kernels().plain64;
}
inline const Kernels::Plain<float>& kernels_for(const PlainRows<float>&) {
    return kernels().plain32;
}

// `count` rows from `first` on, a multiple of kLanes.
inline PackedRows slice(PackedRows rows, std::size_t first, std::size_t count) {
    return {rows.blocks + first * (rows.cols + 1), whole_lanes(count) / kLanes, rows.cols,
            rows.weights == nullptr ? nullptr : rows.weights + first};
}
template <class Real>
PlainRows<Real> slice(PlainRows<Real> rows, std::size_t first, std::size_t count) {
    return {rows.x + first * rows.stride,
            rows.y + first,
            count,
            rows.cols,
            rows.stride,
            rows.far,
            nullptr,
            rows.weights == nullptr ? nullptr : rows.weights + first};
}

}  // namespace fastgrok
