// How errors are measured: those of w against ||w||, that of b against max(|b|, 1).
#pragma once

#include "core/problem.hpp"

namespace fastgrok {

struct LeapScale {
    // Where w is 0 its errors are measured against 1.
    LeapScale(const Vector& u, const Layout& layout);

    // max(||e_w|| / ||w||, |e_b| / max(|b|, 1)).
    double norm(const Vector& e) const;

    Layout layout;
    double w, b;
};

}  // namespace fastgrok
