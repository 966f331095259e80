// Plain types and the constants of the layout, shared by all floors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastgrok {

// Every sum runs in a fixed number of lanes whatever the register width: that is what makes the
// instruction sets agree to the last bit. Lanes run over rows where there are at most 16 columns,
// else over columns; the products of a row, of which several are under way at a time, have fewer.
inline constexpr std::size_t kLanes = 16;
inline constexpr std::size_t kRowLanes = 8;
inline constexpr std::size_t kMostPackedCols = 16;

inline constexpr double kLog2E = 1.4426950408889634, kLogOf2 = 0.6931471805599453;

// Where the entries of a parameter vector (w, b) lie. Rows that are swept by columns want w padded
// with zeros to whole groups of lanes, packed rows want no padding; the intercept follows in either
// case.
struct Layout {
    std::size_t cols = 0;       // d
    std::size_t intercept = 0;  // index of b
    std::size_t length = 0;     // number of doubles, padding included
};

// static, because the kernels are compiled for several instruction sets: the linker must not hand
// an instance made for one of them to code that has to run everywhere.
static constexpr std::size_t whole_lanes(std::size_t n) {
    return (n + kLanes - 1) / kLanes * kLanes;
}

static constexpr Layout packed_layout(std::size_t cols) {
    return {cols, cols, cols + 1};
}
static constexpr Layout plain_layout(std::size_t cols) {
    return {cols, whole_lanes(cols), whole_lanes(cols) + 1};
}

}  // namespace fastgrok
