// How large the entries of a problem's rows are.
#pragma once

#include "core/problem.hpp"

namespace fastgrok {

struct RowSizes {
    Vector squares;  // sums of squares in a row, without bias: infinite or 0 where that is so
    Vector columns;  // largest magnitudes in a column
};

RowSizes row_sizes(const Problem& problem, int threads);

}  // namespace fastgrok
