#include "engines/slow_motion.hpp"

#include <stdexcept>

namespace fastgrok {
namespace {

using Kind = StepperOptions::Kind;
using Series = std::array<double, 7>;  // in powers of D

// D / (E - 1), by Bernoulli's numbers.
constexpr Series kPlain{1.0, -1.0 / 2.0, 1.0 / 12.0, 0.0, -1.0 / 720.0, 0.0, 1.0 / 30240.0};

// (c + d / E) / (c + d).
Series linear_in_backward_step(double c, double d) {
    Series out{};
    double term = d / (c + d);
    out[0] = 1.0;
    for (std::size_t j = 1; j < out.size(); ++j) {
        term /= -static_cast<double>(j);
        out[j] = term;
    }
    return out;
}

Series product(const Series& a, const Series& b) {
    Series out{};
    for (std::size_t i = 0; i < a.size(); ++i)
        for (std::size_t j = 0; i + j < a.size(); ++j) out[i + j] += a[i] * b[j];
    return out;
}

// Of a series that begins with 1.
Series inverse(const Series& a) {
    Series out{};
    out[0] = 1.0;
    for (std::size_t i = 1; i < a.size(); ++i)
        for (std::size_t j = 1; j <= i; ++j) out[i] -= a[j] * out[i - j];
    return out;
}

}  // namespace

SlowMotion::SlowMotion(double rate_) : rate(rate_), series(kPlain) {}

SlowMotion::SlowMotion(const StepperOptions& options, double lr, double scale)
    : rate(lr * scale),
      decay(lr * options.weight_decay),
      decay_bias(options.decay_bias),
      schedule(options.schedule),
      series(kPlain) {
    if (options.kind == Kind::normalized) length = lr;
    if (options.kind == Kind::plain || options.kind == Kind::normalized) return;
    if (options.kind != Kind::momentum && options.kind != Kind::nesterov)
        throw std::invalid_argument(
            "a slow gradient does not determine the steps of this optimizer");
    if (!schedule.is_constant())
        throw std::invalid_argument("momentum is followed with a constant learning rate only");
    const double beta = options.momentum;
    rate /= 1.0 - beta;
    decay /= 1.0 - beta;
    memory = (1.0 + beta) / (1.0 - beta);
    limit_of_lr = 2.0 * (1.0 + beta);
    series = product(kPlain, inverse(linear_in_backward_step(1.0, -beta)));
    if (options.kind == Kind::nesterov) {
        series = product(series, linear_in_backward_step(1.0 + beta, -beta));
        limit_of_lr /= 1.0 + 2.0 * beta;
    }
    limit = limit_of_lr / (1.0 - beta);
}

}  // namespace fastgrok
