#include "engines/leap_scale.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/kernels.hpp"

namespace fastgrok {

LeapScale::LeapScale(const Vector& u, const Layout& layout_)
    : layout(layout_),
      w(std::sqrt(kernels().dot(u.data(), u.data(), layout_.cols))),
      b(std::max(std::fabs(u[layout_.intercept]), 1.0)) {
    if (w == 0.0) w = 1.0;
}

double LeapScale::norm(const Vector& e) const {
    const double of_w = std::sqrt(kernels().dot(e.data(), e.data(), layout.cols)) / w;
    const double of_b = std::fabs(e[layout.intercept]) / b;
    return of_w >= of_b ? of_w : of_b == of_b ? std::max(of_w, of_b) : of_b;
}

}  // namespace fastgrok
