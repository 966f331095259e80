// How errors are measured: those of w against ||w||, or what is the least that matters, that of b
// against max(|b|, 1).
#pragma once

#include "core/problem.hpp"
#include "kernels/losses.hpp"

namespace fastgrok {

class Coordinates;

struct LeapScale {
    // Errors of w are measured against `least` at least, and where that and w are 0 against 1.
    // Parameters and errors are in `coordinates`, if given.
    LeapScale(const Vector& u, const Layout& layout, double least = 0.0,
              const Coordinates* coordinates = nullptr);

    // max(||e_w|| / max(||w||, least), |e_b| / max(|b|, 1)).
    double norm(const Vector& e) const;

    // At least the norm of any e whose entries are bounded by these.
    double norm_of_bounds(const Vector& bounds) const;

    Layout layout;
    const Coordinates* coordinates;
    double w, b;

private:
    double given(const Vector& e) const;
};

// Where slopes do not vanish far out, or weights decay beside a bias that does not, w may tend to 0
// while margins of 1 are what it is all about: weights that change no margin by more than a
// hundredth. 0 of a loss with an exponential tail where nothing decays.
double least_weights(const Problem& problem, Loss loss, bool decays);

}  // namespace fastgrok
