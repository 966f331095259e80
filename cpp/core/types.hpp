// Plain types shared by all floors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastgrok {

enum class Loss { logistic, exponential };

// Where the entries of a parameter vector (w, b) lie. Rows that are swept by columns want w padded
// with zeros to whole groups of 16, packed rows want no padding; the intercept follows in either
// case.
struct Layout {
    std::size_t cols = 0;       // d
    std::size_t intercept = 0;  // index of b
    std::size_t length = 0;     // number of doubles, padding included
};

}  // namespace fastgrok
