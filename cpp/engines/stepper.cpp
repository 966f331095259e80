#include "engines/stepper.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "norms.hpp"

namespace fastgrok {

using Kind = StepperOptions::Kind;

Stepper::Stepper(const StepperOptions& options, double lr, double scale, std::size_t parameters,
                 std::size_t intercept)
    : options_(options), lr_(lr), scale_(scale), rate_(lr * scale), intercept_(intercept) {
    if (moments() >= 1) now_.first.assign(parameters, 0.0);
    if (moments() >= 2) now_.second.assign(parameters, 0.0);
    next_ = now_;
}

std::size_t Stepper::moments() const {
    switch (options_.kind) {
        case Kind::adam: return 2;
        case Kind::momentum:
        case Kind::nesterov: return 1;
        default: return 0;
    }
}

// out += factor u, of what decays.
void Stepper::add_decay(const Vector& u, double factor, Vector& out) const {
    for (std::size_t j = 0; j < u.size(); ++j)
        if (j != intercept_ || options_.decay_bias) out[j] += factor * u[j];
}

double Stepper::propose(std::int64_t step, const Vector& u, Vector& gradient) {
    double largest = 0.0;
    if (options_.is_plain()) {
        for (double& x : gradient) {
            x *= rate_;
            largest = std::max(largest, std::fabs(x));
        }
        return largest;
    }
    for (const double x : gradient) largest = std::max(largest, std::fabs(x));
    largest *= rate_;
    const double lr = options_.schedule.is_constant()
                          ? lr_
                          : lr_ * options_.schedule.at(static_cast<double>(step));
    const double decay = options_.weight_decay;
    // Minus the gradient of what is minimised.
    for (double& x : gradient) x *= scale_;
    if (decay > 0.0 && !options_.decoupled) add_decay(u, -decay, gradient);
    switch (options_.kind) {
        case Kind::plain:
            for (double& x : gradient) x *= lr;
            break;
        case Kind::momentum:
        case Kind::nesterov: {
            const double kept = options_.momentum;
            for (std::size_t j = 0; j < gradient.size(); ++j) {
                const double velocity = kept * now_.first[j] + gradient[j];
                next_.first[j] = velocity;
                gradient[j] =
                    lr *
                    (options_.kind == Kind::momentum ? velocity : gradient[j] + kept * velocity);
            }
            break;
        }
        case Kind::sign:
            for (double& x : gradient) x = x > 0.0 ? lr : x < 0.0 ? -lr : lr * x;  // NaN stays
            break;
        case Kind::normalized: {
            const double size = norm(gradient.data(), gradient.size());
            if (size > 0.0)
                for (double& x : gradient) x = lr * (x / size);
            break;
        }
        case Kind::adam: adam(lr, gradient); break;
    }
    if (decay > 0.0 && options_.decoupled) add_decay(u, -lr * decay, gradient);
    return largest;
}

// Kingma and Ba (2015), entry by entry in the order of the formulas.
void Stepper::adam(double lr, Vector& gradient) {
    const double beta1 = options_.beta1, beta2 = options_.beta2;
    next_.beta1_power = now_.beta1_power * beta1;
    next_.beta2_power = now_.beta2_power * beta2;
    const double first_share = 1.0 - next_.beta1_power, second_share = 1.0 - next_.beta2_power;
    for (std::size_t j = 0; j < gradient.size(); ++j) {
        const double g = -gradient[j];
        next_.first[j] = beta1 * now_.first[j] + (1.0 - beta1) * g;
        next_.second[j] = beta2 * now_.second[j] + (1.0 - beta2) * (g * g);
        const double size = std::sqrt(next_.second[j] / second_share) + options_.eps;
        // Steps after an overflow would be 0 for ever.
        gradient[j] = std::isfinite(size) ? -lr * (next_.first[j] / first_share / size)
                                          : std::numeric_limits<double>::quiet_NaN();
    }
}

void Stepper::accept() {
    if (moments() > 0) std::swap(now_, next_);
}

}  // namespace fastgrok
