// max(0, 1 - m)^2, of which nothing is left from margin 1 on.
#pragma once

#include "kernels/loss.hpp"

namespace fastgrok {

struct SquaredHinge {
    static constexpr LossTraits traits = {
        .convex = true,
        .twice_differentiable = false,  // at margin 1
        .lipschitz = kUnbounded,
        .most_curvature = 2.0,
        .unit = 1.0,
        .zero_above = 1.0,
        .exponential_from = kUnbounded,
    };

    template <class Vec>
    static Vec value(Vec m) {
        const Vec short_of = max_keep_nan(like(m, 0.0), like(m, 1.0) - m);
        return short_of * short_of;
    }

    template <class Vec>
    static Vec curvature(Vec m) {
        return select_greater(like(m, 1.0), m, like(m, 2.0), like(m, 0.0));
    }

    template <class Vec>
    static Vec slope(Vec t, Vec most, Vec) {
        const Vec short_of = max_keep_nan(like(t, 0.0), like(t, 1.0) - t);
        return select_greater(t, most, like(t, 0.0), short_of + short_of);
    }

    template <class Vec>
    static Vec curvature_of_slope(Vec p) {
        return select_greater(p, like(p, 0.0), like(p, 2.0), like(p, 0.0));
    }
};

}  // namespace fastgrok
