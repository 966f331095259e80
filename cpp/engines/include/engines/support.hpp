// A guess of the support of a maximum margin, and of its dual coefficients: by an active-set method
// on the dual in plain floating point, which whoever asks has to check.
//
// The problem is min 1/2 ||theta||^2 with z_i . theta >= 1, z_i = y_i (x_i / 2^exponent, feature),
// or without the feature. Its dual, max sum alpha - 1/2 ||sum_i alpha_i z_i||^2 over alpha >= 0,
// is solved for a working set, whose rows then all have the margin 1. Where that makes coefficients
// negative, they are cut off along the way as far as the dual rises (projected steps of Newton's
// method, at least as long as Lawson and Hanson's), and rows whose coefficient vanishes leave. Then
// rows with margins below 1 enter, many at a time while the working set is small, and where they
// depend on it, one in the place of another. The dual rises with every change, so there is an end.
//
// Margins are computed for a pool of rows, those with the least margins; of all rows only where
// none of the pool is inside the margin.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "core/pages.hpp"
#include "core/problem.hpp"
#include "engines/refined_margin.hpp"

namespace fastgrok {

struct Support {
    bool found = false;    // else nothing is known
    bool refined = false;  // see refine()
    bool full = false;     // nothing was found because more rows would be needed than may be held
    std::vector<std::uint32_t> rows;
    Table<double> vectors;  // theirs, the feature as 1 times the label
    HardMarginPoint point;
};

struct MarginUnits {
    int exponent = 0;      // of the power of two that makes the longest row about 1
    double feature = 1.0;  // of the bias, if the problem has one: a power of two
    double tol = 1e-11;    // of margins
    bool refine = true;
    // The bias costs nothing. `feature`, about 1, then is that of the products alone; with
    // `columns` it is that of a guess, and large.
    bool free = false;
    // Powers of two of the columns, without the bias, as they are then; empty if these do not
    // differ much.
    std::vector<int> columns;
    // Rows that may be held at once.
    std::size_t most = std::numeric_limits<std::size_t>::max();
};

// `first` is a vector of parameters: rows with small margins there are looked at first; empty for
// the mean row. An Interrupt of this thread is looked at now and then.
Support find_support(const Problem& problem, const MarginUnits& units, const Vector& first,
                     int threads);

}  // namespace fastgrok
