// e^-m, whose functions are all the same.
#pragma once

#include "kernels/loss.hpp"

namespace fastgrok {

struct Exponential {
    static constexpr LossTraits traits = {
        .convex = true,
        .twice_differentiable = true,
        .lipschitz = kUnbounded,
        .most_curvature = kUnbounded,
        .unit = kLog2E,
        .zero_above = kMostBits,
        .exponential_from = -kUnbounded,
    };

    template <class Vec>
    static Vec value(Vec m) {
        return exp(like(m, 0.0) - m);
    }

    template <class Vec>
    static Vec curvature(Vec m) {
        return value(m);
    }

    template <class Vec>
    static Vec slope(Vec t, Vec most, Vec shift) {
        // So far below a shift no row lies but what fills a block, which must not become infinite.
        const Vec least =
            select_greater(shift, like(t, 1000.0), like(t, -1000.0), like(t, -1024.0));
        return exp2_of_negative(t - shift, most, least);
    }

    template <class Vec>
    static Vec curvature_of_slope(Vec p) {
        return p;
    }

    template <class Vec>
    static Vec full_slope(Vec t, Vec shift) {
        return exp((shift - t) * like(t, kLogOf2));
    }

    static double scaled_slope(double log_factor, double m) { return std::exp(log_factor - m); }

    static double steepness(double) { return 1.0; }
};

}  // namespace fastgrok
