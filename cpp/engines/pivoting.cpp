#include <algorithm>
#include <cmath>
#include <utility>

#include "core/interrupt.hpp"
#include "engines/dense.hpp"
#include "kernels/kernels.hpp"
#include "norms.hpp"

namespace fastgrok {

// A row's distance goes down by the part that a reflection has taken; where next to nothing of it
// is left it is measured anew (Drmac and Bujanovic, ACM Trans. Math. Softw. 35, 2008).
std::vector<std::size_t> order_by_distance(const MatrixView& a, Vector& distance) {
    constexpr double kCancelled = 0x1p-26;
    const std::size_t steps = std::min(a.rows, a.cols);
    const auto norm_from = [&](std::size_t i, std::size_t j) {
        const double* const x = &a(i, j);
        return norm(x, a.cols - j, kernels().dot(x, x, a.cols - j));
    };
    std::vector<std::size_t> order(a.rows);
    Vector left(a.rows), measured(a.rows), reflector(a.cols);
    for (std::size_t i = 0; i < a.rows; ++i) {
        order[i] = i;
        left[i] = measured[i] = norm_from(i, 0);
    }
    distance.assign(steps, 0.0);
    for (std::size_t j = 0; j < steps; ++j) {
        if (const Interrupt* told = Interrupt::here(); told && told->was_due()) throw Interrupted();
        const auto farthest = static_cast<std::size_t>(
            std::max_element(left.begin() + static_cast<std::ptrdiff_t>(j), left.end()) -
            left.begin());
        if (farthest != j) {
            std::swap_ranges(&a(j, 0), &a(j, 0) + a.cols, &a(farthest, 0));
            std::swap(order[j], order[farthest]);
            std::swap(left[j], left[farthest]);
            std::swap(measured[j], measured[farthest]);
        }
        const double size = norm_from(j, j);
        distance[j] = size;
        const std::size_t n = a.cols - j;
        if (!(size > 0.0)) continue;
        // I - v v^T / v_0 takes the row to -sign * size along the first, v = row / size + sign e.
        double* const v = reflector.data();
        for (std::size_t k = 0; k < n; ++k) v[k] = a(j, j + k) / size;
        v[0] += std::copysign(1.0, v[0]);
        for (std::size_t i = j + 1; i < a.rows; ++i) {
            double* const x = &a(i, j);
            const double along = -kernels().dot(x, v, n) / std::fabs(v[0]);
            kernels().dense.add_rows(v, 1, n, n, &along, x);
            if (left[i] == 0.0) continue;
            const double taken = std::fabs(x[0]) / left[i];
            const double rest = std::max((1.0 + taken) * (1.0 - taken), 0.0);
            const double share = left[i] / measured[i];
            if (rest * share * share > kCancelled)
                left[i] *= std::sqrt(rest);
            else
                left[i] = measured[i] = n > 1 ? norm_from(i, j + 1) : 0.0;
        }
    }
    return order;
}

}  // namespace fastgrok
