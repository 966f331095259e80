// A hard margin on given rows, from a solution in plain floating point to all of its digits.
#pragma once

#include <cstddef>
#include <functional>

#include "core/problem.hpp"

namespace fastgrok {

// theta = sum of alpha_i z_i with z_i . theta = 1 for the members z_i.
struct HardMarginPoint {
    Vector theta, alpha;
    Vector rest;       // what float64 leaves of alpha, where that matters
    double off = 0.0;  // of a bias, over 1 or itself: the last correction, or what rounding may be
};

// What is known of the members z_i, rows of theta's size in the order of alpha.
struct MarginMembers {
    const double* rows;
    // x <- what alpha changes by where margins are to change by x; returns what that changes of a
    // free bias.
    std::function<double(Vector&)> solve;
    bool bias = false;  // the last entry of theta times `feature`
    bool free = false;  // it costs nothing: theta is that sum but for the bias, of feature 1
    bool near = false;  // members lie near each other's span
    double feature = 1.0;
};

// Corrects theta and alpha by products of twice the digits. `rest` is found, and theta to its last
// digit, if members are said to be near each other's span, or if else margins, or the bias, might
// be off by more than `tol`; not with a free bias. False if that was needed or corrections do not
// become small, as where the members nearly depend on each other, or if alpha is not positive.
bool refine(const MarginMembers& members, double tol, HardMarginPoint& point);

// Solves for rows whose bias is free, their last entries being the labels, to all of its digits;
// false where refine() is.
bool solve_free(const double* rows, std::size_t count, std::size_t dim, double tol,
                HardMarginPoint& point);

}  // namespace fastgrok
