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
inline const Kernels::Sparse<double>& kernels_for(const SparseRows<double>&) {
    return kernels().sparse64;
}
inline const Kernels::Sparse<float>& kernels_for(const SparseRows<float>&) {
    return kernels().sparse32;
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
template <class Real>
SparseRows<Real> slice(SparseRows<Real> rows, std::size_t first, std::size_t count) {
    return {rows.x,
            rows.column,
            rows.begin + first,
            rows.y + first,
            count,
            rows.cols,
            nullptr,
            rows.weights == nullptr ? nullptr : rows.weights + first};
}

template <class Rows>
void make_pass(const Rows& rows, const RowPass& pass) {
    if (pass.weight != nullptr)
        kernels_for(rows).second(rows, pass.weight, pass.u, pass.out);
    else
        kernels_for(rows).first(rows, pass.u, pass.loss, pass.most, pass.shift, pass.bits,
                                pass.out);
}

// What only some storages have kernels for: attacks, many parameter vectors at once, and several
// passes.
template <class Rows>
concept Attackable = requires(const Rows& rows) { kernels_for(rows).drop; };
template <class Rows>
concept ForMany = requires(const Rows& rows) { kernels_for(rows).many_margins; };
template <class Rows>
concept ForPassesTogether = requires(const Rows& rows) { kernels_for(rows).together; };

}  // namespace fastgrok
