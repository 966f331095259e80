// log(1 + e^-m).
#pragma once

#include "kernels/loss.hpp"

namespace fastgrok {

struct Logistic {
    // From 58 bits on 1 + e^m is e^m, with some to spare.
    static constexpr LossTraits traits = {
        .convex = true,
        .twice_differentiable = true,
        .lipschitz = 1.0,
        .most_curvature = 0.25,
        .unit = kLog2E,
        .zero_above = kMostBits,
        .exponential_from = 58.0,
    };

    template <class Vec>
    static Vec value(Vec m) {
        return softplus(like(m, 0.0) - m);
    }

    // sig(m) sig(-m) = e / (1 + e)^2 with e = exp(-|m|).
    template <class Vec>
    static Vec curvature(Vec m) {
        const Vec e = exp_of_negative(negate_abs(m));
        const Vec s = like(m, 1.0) + e;
        return e / (s * s);
    }

    // 1 / (1 + e^m). In two halves, because a processor sees only a few dozen instructions ahead
    // and so overlaps many short chains better than few long ones.
    template <class Vec>
    static auto begin_slope(Vec t, Vec most) {
        return begin_sigmoid(t, most);
    }
    template <class Fraction>
    static auto end_slope(Fraction f) {
        return end_sigmoid(f);
    }
    template <class Vec>
    static Vec slope(Vec t, Vec most, Vec) {
        return end_slope(begin_slope(t, most));
    }

    template <class Vec>
    static Vec curvature_of_slope(Vec p) {
        return p * (like(p, 1.0) - p);
    }

    template <class Vec>
    static Vec full_slope(Vec t, Vec) {
        return sigmoid((like(t, 0.0) - t) * like(t, kLogOf2));
    }

    static double scaled_slope(double log_factor, double m) {
        return std::exp(log_factor - (m > 0.0 ? m : 0.0) - std::log1p(std::exp(-std::fabs(m))));
    }

    static double steepness(double m) {
        const double small = std::exp(-std::fabs(m));
        return m > 0.0 ? 1.0 / (1.0 + small) : small / (1.0 + small);
    }
};

}  // namespace fastgrok
