// A hard margin on given rows, from a solution in plain floating point to all of its digits.
#pragma once

#include <functional>

#include "core/problem.hpp"

namespace fastgrok {

// theta = sum of alpha_i z_i with z_i . theta = 1 for the members z_i.
struct HardMarginPoint {
    Vector theta, alpha;
    Vector rest;       // what float64 leaves of alpha, where that matters
    double off = 0.0;  // of a bias, over 1 or itself: the last correction, or what rounding may be
};

// Corrects theta and alpha by products of twice the digits. `rest` is found, and theta to its last
// digit, if members are said to be `near` each other's span, or if else margins, or the bias (the
// last entry of theta times `feature`, if there is one), might be off by more than `tol`. False if
// corrections do not become small, as where the members nearly depend on each other, or if alpha is
// not positive. `rows` are the members', in an order that alpha has as well; `solve` multiplies by
// the inverse of their products.
bool refine(const double* rows, const std::function<void(Vector&)>& solve, bool bias,
            double feature, double tol, bool near, HardMarginPoint& point);

}  // namespace fastgrok
