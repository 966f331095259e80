#include "engines/leap_scale.hpp"

#include <algorithm>
#include <cmath>

#include "engines/coordinates.hpp"
#include "kernels/kernels.hpp"
#include "norms.hpp"

namespace fastgrok {
namespace {

double norm_of_weights(const Vector& u, std::size_t cols) {
    return norm(u.data(), cols, kernels().dot(u.data(), u.data(), cols));
}

}  // namespace

LeapScale::LeapScale(const Vector& u, const Layout& layout_, double least,
                     const Coordinates* coordinates_)
    : layout(layout_), coordinates(coordinates_) {
    const Vector turned = coordinates != nullptr ? coordinates->from(u) : Vector();
    const Vector& given = coordinates != nullptr ? turned : u;
    w = std::max(norm_of_weights(given, layout.cols), least);
    b = std::max(std::fabs(given[layout.intercept]), 1.0);
    if (w == 0.0) w = 1.0;
}

double LeapScale::norm(const Vector& e) const {
    return coordinates != nullptr ? given(coordinates->from(e)) : given(e);
}

double LeapScale::norm_of_bounds(const Vector& bounds) const {
    return coordinates != nullptr ? given(coordinates->bounds_from(bounds)) : given(bounds);
}

double LeapScale::given(const Vector& e) const {
    const double of_w = norm_of_weights(e, layout.cols) / w;
    const double of_b = std::fabs(e[layout.intercept]) / b;
    return of_w >= of_b ? of_w : of_b == of_b ? std::max(of_w, of_b) : of_b;
}

double least_weights(const Problem& problem, Loss loss, bool decays) {
    constexpr double kMargin = 1e-2;
    if (traits_of(loss).exponential_tail() && !decays) return 0.0;
    double largest = 0.0;
    if (Elsewhere* const elsewhere = problem.elsewhere()) {
        const Vector told = elsewhere->ask({Question::row_sizes, {}});
        for (std::size_t c = 0; c < told.size(); c += 3) largest = std::max(largest, told[c + 1]);
        return largest > 0.0 ? kMargin / largest : 0.0;
    }
    for (std::size_t i = 0; i < problem.rows(); ++i)
        largest = std::max(largest, row_norm(problem, i));
    return largest > 0.0 ? kMargin / largest : 0.0;
}

}  // namespace fastgrok
