// max(0, 1 - m), whose slope is -1 below margin 1 and, by choice, 0 at it.
#pragma once

#include "kernels/loss.hpp"

namespace fastgrok {

struct Hinge {
    static constexpr LossTraits traits = {
        .convex = true,
        .differentiable = false,  // at margin 1, where no curvature bounds the change of the slope
        .twice_differentiable = false,
        .lipschitz = 1.0,
        .most_curvature = kUnbounded,
        .unit = 1.0,
        .zero_above = 1.0,
        .exponential_from = kUnbounded,
    };

    template <class Vec>
    static Vec value(Vec m) {
        return max_keep_nan(like(m, 0.0), like(m, 1.0) - m);
    }

    template <class Vec>
    static Vec curvature(Vec m) {
        return like(m, 0.0);
    }

    template <class Vec>
    static Vec slope(Vec t, Vec most, Vec) {
        const Vec short_of = value(t);  // 0 only from margin 1 on, and NaN of NaN
        const Vec one = select_greater(short_of, like(t, 0.0), like(t, 1.0), short_of);
        return select_greater(t, most, like(t, 0.0), one);
    }

    template <class Vec>
    static Vec curvature_of_slope(Vec p) {
        return like(p, 0.0);
    }
};

}  // namespace fastgrok
