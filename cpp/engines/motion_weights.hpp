// What the values of G = k F at past points have to do with y - u, see leap.hpp and SlowMotion.
#pragma once

#include <cmath>
#include <cstddef>

#include "engines/slow_motion.hpp"
#include "finite_differences.hpp"

namespace fastgrok {

// The m-th derivative of F by k is k^-(m+1) (D - 1) ... (D - m) G: what multiplies G_i in it, of
// order m = 0 to 5.
using ModelWeights = DifferenceWeights<7, 5>;

inline double derivative_weight(const ModelWeights& of, std::size_t i, int m, double per_k) {
    // Coefficients of (D - 1) ... (D - m).
    constexpr double kFactors[6][6] = {{1.0},
                                       {-1.0, 1.0},
                                       {2.0, -3.0, 1.0},
                                       {-6.0, 11.0, -6.0, 1.0},
                                       {24.0, -50.0, 35.0, -10.0, 1.0},
                                       {-120.0, 274.0, -225.0, 85.0, -15.0, 1.0}};
    double sum = 0.0, power = per_k;
    for (int j = m; j >= 0; --j) sum += kFactors[m][j] * of.weight[static_cast<std::size_t>(j)][i];
    for (int j = 0; j < m; ++j) power *= per_k;
    return power * sum;
}

// What multiplies G_i in y - u = -a_1 F - a_2 F' - ... - a_5 F'''' at s = log k; of plain descent
// a_5 is 0.
inline double model_weight(const SlowMotion& motion, const ModelWeights& of, std::size_t i,
                           double s) {
    const double per_k = std::exp(-s);
    double sum = 0.0;
    for (int m = 4; m >= 0; --m)
        if (const double a = motion.series[static_cast<std::size_t>(m) + 1]; a != 0.0)
            sum -= a * derivative_weight(of, i, m, per_k);
    return sum;
}

// The same for the term of sixth order.
inline double left_out_weight(const SlowMotion& motion, const ModelWeights& of, std::size_t i,
                              double s) {
    const double per_k = std::exp(-s);
    return motion.series[6] * derivative_weight(of, i, 5, per_k);
}

}  // namespace fastgrok
