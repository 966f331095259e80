#include "engines/leap_field.hpp"

#include <algorithm>
#include <cmath>

namespace fastgrok {

LeapField::LeapField(const Problem& problem, Loss loss, double rate, int threads,
                     std::function<void()> between_passes)
    : passes_(problem, threads),
      loss_(loss),
      rate_(rate),
      last_loss_(loss),
      between_passes_(std::move(between_passes)) {
    double largest = 0.0;
    for (std::size_t i = 0; i < problem.rows(); ++i)
        largest = std::max(largest, squared_row(problem, i));
    largest_row_ = std::sqrt(largest + (problem.bias() ? 1.0 : 0.0));
}

double squared_row(const Problem& problem, std::size_t row) {
    const std::size_t cols = problem.layout().cols;
    return problem.visit_row(row, [&](const auto* x) {
        double lanes[kLanes] = {};
        for (std::size_t j = 0; j < cols; ++j)
            lanes[j % kLanes] += static_cast<double>(x[j]) * static_cast<double>(x[j]);
        double sum = 0.0;
        for (const double lane : lanes) sum += lane;
        return sum;
    });
}

// Whether all went well with a shift: no row of the logistic loss lies where e^-m is not the
// slope, and nothing has overflowed.
bool LeapField::in_range(const Vector& out) const {
    constexpr double kFewestBits = 58.0;
    if (loss_ == Loss::logistic)
        for (std::size_t i = 0; i < passes_.problem().rows(); ++i)
            if (!(bits_[i] >= kFewestBits)) return false;
    return std::all_of(out.begin(), out.end(), [](double x) { return std::isfinite(x); });
}

}  // namespace fastgrok
