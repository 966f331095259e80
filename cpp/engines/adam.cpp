#include "engines/adam.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace fastgrok {

Adam::Adam(const AdamOptions& options, double lr, double scale, std::size_t parameters)
    : options_(options), lr_(lr), scale_(scale) {
    now_.first.assign(parameters, 0.0);
    now_.second.assign(parameters, 0.0);
    next_ = now_;
}

void Adam::propose(Vector& gradient) {
    const auto& [beta1, beta2, eps] = options_;
    next_.beta1_power = now_.beta1_power * beta1;
    next_.beta2_power = now_.beta2_power * beta2;
    const double first_share = 1.0 - next_.beta1_power, second_share = 1.0 - next_.beta2_power;
    for (std::size_t j = 0; j < gradient.size(); ++j) {
        const double g = -scale_ * gradient[j];
        next_.first[j] = beta1 * now_.first[j] + (1.0 - beta1) * g;
        next_.second[j] = beta2 * now_.second[j] + (1.0 - beta2) * (g * g);
        const double size = std::sqrt(next_.second[j] / second_share) + eps;
        // Steps after an overflow would be 0 for ever.
        gradient[j] = std::isfinite(size) ? -lr_ * (next_.first[j] / first_share / size)
                                          : std::numeric_limits<double>::quiet_NaN();
    }
}

void Adam::accept() {
    std::swap(now_, next_);
}

void Adam::restore(AdamState state) {
    now_ = std::move(state);
}

}  // namespace fastgrok
