// Derivatives of the polynomial through values at given nodes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace fastgrok {

template <std::size_t Most, std::size_t Highest>
struct DifferenceWeights {
    // weight[m][i] multiplies the value at node i in the m-th derivative at x.
    std::array<std::array<double, Most>, Highest + 1> weight{};

    // Fornberg's recurrence (Mathematics of Computation 51, 1988): n <= Most different nodes,
    // derivatives up to `highest` <= Highest.
    DifferenceWeights(double x, const double* nodes, std::size_t n, std::size_t highest) {
        weight[0][0] = 1.0;
        double last_product = 1.0, last_offset = nodes[0] - x;
        for (std::size_t i = 1; i < n; ++i) {
            const std::size_t most = std::min(i, highest);
            double product = 1.0;
            const double offset = nodes[i] - x;
            for (std::size_t j = 0; j < i; ++j) {
                const double apart = nodes[i] - nodes[j];
                product *= apart;
                if (j + 1 == i)
                    for (std::size_t m = most + 1; m-- > 0;)
                        weight[m][i] =
                            last_product * (below(m, j) - last_offset * weight[m][j]) / product;
                for (std::size_t m = most + 1; m-- > 0;)
                    weight[m][j] = (offset * weight[m][j] - below(m, j)) / apart;
            }
            last_product = product;
            last_offset = offset;
        }
    }

private:
    double below(std::size_t m, std::size_t i) const {
        return m == 0 ? 0.0 : static_cast<double>(m) * weight[m - 1][i];
    }
};

}  // namespace fastgrok
