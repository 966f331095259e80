// Where the parameters of so many columns lie, dense or sparse: sets of both kinds may be evaluated
// at the same.
#pragma once

#include "core/types.hpp"

namespace fastgrok {

static constexpr Layout layout_of(std::size_t cols) {
    return cols <= kMostPackedCols ? packed_layout(cols) : plain_layout(cols);
}

}  // namespace fastgrok
