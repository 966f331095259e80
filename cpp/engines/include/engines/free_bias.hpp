// What a bias that costs nothing asks of the dual: that coefficients balance.
#pragma once

#include "core/problem.hpp"

namespace fastgrok {

// Members z_i end with c_i = y_i f, f being the bias's feature, and G are their products. With
// coefficients that balance, c . x = 0, the last entry of their sum vanishes, and a bias b in units
// of f adds b c to margins: so with g = G^-1 r, and p = G^-1 c, x = g - b p has the margins r if
// b = (c . g) / (c . p) = (p . r) / (c . p). What f is does not matter to x.
class FreeBias {
public:
    // c and p of the members.
    void set(Vector lasts, Vector pull);

    // x in the place of g = G^-1 r; returns b.
    double balance(Vector& g) const;
    // r - b c in the place of r, which G^-1 takes to x; returns b.
    double take_from(Vector& margins) const;

private:
    Vector lasts_, pull_;
    double along_ = 0.0;  // c . p
};

// Makes coefficients that are not negative less in the heavier class, so that they balance; false
// if one of the classes has none that are positive. Labels by member.
bool balance_classes(const Vector& labels, Vector& alpha);

}  // namespace fastgrok
