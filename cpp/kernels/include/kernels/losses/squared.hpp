// (1 - m)^2, without a factor 1/2: of a label y = -1 or +1 and its logit f, (y - f)^2. Its slope
// has either sign, and every row counts.
#pragma once

#include "kernels/loss.hpp"

namespace fastgrok {

struct Squared {
    static constexpr LossTraits traits = {
        .convex = true,
        .twice_differentiable = true,
        .lipschitz = kUnbounded,
        .most_curvature = 2.0,
        .bend = 0.0,
        .unit = 1.0,
        .zero_above = kUnbounded,
        .exponential_from = kUnbounded,
    };

    template <class Vec>
    static Vec value(Vec m) {
        const Vec short_of = like(m, 1.0) - m;
        return short_of * short_of;
    }

    template <class Vec>
    static Vec curvature(Vec m) {
        return like(m, 2.0);
    }

    template <class Vec>
    static Vec slope(Vec t, Vec, Vec) {
        const Vec short_of = like(t, 1.0) - t;
        return short_of + short_of;
    }

    template <class Vec>
    static Vec curvature_of_slope(Vec p) {
        return like(p, 2.0);
    }

    static double scaled_slope(double log_factor, double m) {
        return std::exp(log_factor) * 2.0 * std::fabs(1.0 - m);
    }
};

}  // namespace fastgrok
