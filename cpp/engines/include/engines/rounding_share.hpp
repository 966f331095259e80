// What rounding errors have to do with single rows of a leap's field.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/losses.hpp"

namespace fastgrok {

struct RoundingShare {
    // How much a coefficient changes when its margin does, by rounding; or its own rounding error
    // and that of the sums that it is a term of.
    enum class Of : int { change, error };

    // The field's units, and what a sum in lanes and chunks loses, as a share of the sum of its
    // terms' sizes.
    static constexpr double kUnits = 4.0 * std::numeric_limits<double>::epsilon();
    static constexpr double kOfSums = 2.0 * std::numeric_limits<double>::epsilon();

    Of of;
    Loss loss;
    double log_rate;  // of e^s times the rate

    // The coefficient of a row with so many bits of margin and this weight, and its rounding error;
    // `terms` is the sum of the sizes of the margin's terms.
    struct Coefficient {
        double value, error;  // its size, whatever its sign
        double change;        // with its margin, at most
    };
    Coefficient coefficient(double bits, double terms, double weight) const {
        constexpr double kUnit = 0.5 * std::numeric_limits<double>::epsilon();
        // Of the slope itself, and of a margin for each of its terms: its product, and what is
        // added.
        constexpr double kOfSlope = 4.0, kOfTerms = 1.5;
        const double m = bits * traits_of(loss).per_unit(), log_factor = log_rate;
        return with_loss(loss, [&]<class L>(L) -> Coefficient {
            if constexpr (L::traits.exponential_tail()) {
                const double value = weight * L::scaled_slope(log_factor, m);
                return {value, kUnit * value * (kOfSlope + kOfTerms * L::steepness(m) * terms),
                        value};
            } else if constexpr (L::traits.twice_differentiable) {
                const double value = weight * L::scaled_slope(log_factor, m);
                const double change = weight * std::exp(log_factor) * L::traits.most_curvature;
                return {value, kUnit * (kOfSlope * value + kOfTerms * change * terms), change};
            } else {
                return {};  // not built with such a loss
            }
        });
    }

    double operator()(double bits, double terms, double weight) const {
        if (of == Of::change) return kUnits * (1.0 + terms) * coefficient(bits, 0.0, weight).change;
        const Coefficient c = coefficient(bits, terms, weight);
        return c.error + kOfSums * c.value;
    }
};

}  // namespace fastgrok
