// Where the search for a maximum margin may begin: rows that are likely to be in its support.
#pragma once

#include <vector>

#include "core/problem.hpp"
#include "engines/margin_pool.hpp"
#include "engines/support.hpp"

namespace fastgrok {

// Of some rows those with positive dual coefficients, the largest first.
struct MarginStart {
    std::vector<std::size_t> places;  // in the pool
    Vector alpha;
};

// Ascent on the dual one coefficient at a time (Hsieh et al. 2008, "A dual coordinate descent
// method for large-scale linear SVM", without the bound of a soft margin): some epochs over
// the pool in an order that is drawn anew for each by a generator of its own. There
// are none where numbers are out of range. An Interrupt of this thread is looked at.
MarginStart approach_margin(const Problem& problem, const MarginUnits& units,
                            const MarginPool& pool);

}  // namespace fastgrok
