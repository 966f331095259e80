// The storages of rows. Pointers and sizes only.
#pragma once

#include "core/types.hpp"

namespace fastgrok {

// Blocks of 16 rows, column after column inside a block, already multiplied by their label, with
// the label itself as the last column (the bias feature). Unused rows of the last block are zero.
struct PackedRows {
    const double* blocks = nullptr;  // 16 * (cols + 1) doubles a block
    std::size_t count = 0;           // blocks
    std::size_t cols = 0;
    const double* weights = nullptr;  // by row, or null where all are 1
};

// Rows as the caller gave them, float64 or float32: all of them in order, or those of an index. In
// a copy they may lie further apart than they are long, with zeros in between.
template <class Real>
struct PlainRows {
    const Real* x = nullptr;  // row-major, `stride` apart
    const double* y = nullptr;
    std::size_t count = 0;  // rows
    std::size_t cols = 0;
    std::size_t stride = cols;             // numbers
    bool far = false;                      // one of so many that no cache holds them
    const std::uint32_t* index = nullptr;  // increasing
    const double* weights = nullptr;       // as y lies, or null where all are 1
};

// Sparse rows as the caller gave them, float64 or float32: row i has the entries x[k] in the
// columns column[k], which increase, for begin[i] <= k < begin[i + 1]. All rows in order, or those
// of an index.
template <class Real>
struct SparseRows {
    const Real* x = nullptr;
    const std::uint32_t* column = nullptr;
    const std::int64_t* begin = nullptr;
    const double* y = nullptr;
    std::size_t count = 0;  // rows
    std::size_t cols = 0;
    const std::uint32_t* index = nullptr;  // increasing
    const double* weights = nullptr;       // as y lies, or null where all are 1
};

// What an l_inf attack in a box needs to know: the weights' magnitudes, and by column the side of
// the box that rows of label +1 and -1 are moved to (it may be infinite). `magnitude` is padded
// with zeros, as w is.
struct Retreat {
    const double* magnitude = nullptr;
    const double* positive = nullptr;
    const double* negative = nullptr;
};

}  // namespace fastgrok
