// A hard margin on given rows, from a solution in plain floating point to all of its digits.
#pragma once

#include "engines/active_set.hpp"

namespace fastgrok {

// theta = sum of alpha_i z_i with z_i . theta = 1 for the members z_i.
struct HardMarginPoint {
    Vector theta, alpha;
    Vector rest;       // what float64 leaves of alpha, where that matters
    double off = 0.0;  // of a bias, over 1 or itself: the last correction, or what rounding may be
};

// Corrects theta and alpha by products of twice the digits, and finds `rest` if else the bias, the
// last entry of theta over `feature`, might be off by more than `tol`. False if corrections do not
// become small, as where the members nearly depend on each other, or alpha is not positive.
// `rows` are the members', one after the other. `bias` is whether theta ends with one.
bool refine(ActiveSet& members, const Vector& rows, bool bias, double feature, double tol,
            HardMarginPoint& point);

}  // namespace fastgrok
