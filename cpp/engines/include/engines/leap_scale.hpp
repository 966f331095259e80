// How errors are measured: those of w against ||w||, that of b against max(|b|, 1).
#pragma once

#include "core/problem.hpp"

namespace fastgrok {

class Coordinates;

struct LeapScale {
    // Where w is 0 its errors are measured against 1. Parameters and errors are in `coordinates`,
    // if given.
    LeapScale(const Vector& u, const Layout& layout, const Coordinates* coordinates = nullptr);

    // max(||e_w|| / ||w||, |e_b| / max(|b|, 1)).
    double norm(const Vector& e) const;

    // At least the norm of any e whose entries are bounded by these.
    double norm_of_bounds(const Vector& bounds) const;

    Layout layout;
    const Coordinates* coordinates;
    double w, b;

private:
    double given(const Vector& e) const;
};

}  // namespace fastgrok
