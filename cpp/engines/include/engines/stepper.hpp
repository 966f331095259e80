// From a gradient to a step: plain descent, momentum, Adam and others, as PyTorch defines them,
// with weight decay and schedules of the learning rate.
#pragma once

#include <cstdint>

#include "core/problem.hpp"
#include "engines/schedule.hpp"

namespace fastgrok {

struct StepperOptions {
    enum class Kind { plain, momentum, nesterov, sign, normalized, adam };

    Kind kind = Kind::plain;
    double momentum = 0.0;
    double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // of Adam
    double weight_decay = 0.0;
    bool decay_bias = false;
    bool decoupled = false;  // the decay does not go through what the optimizer makes of gradients
    Schedule schedule;

    // Whether a step is linear in the gradient, so that a share of the gradient's largest entry is
    // one of what the step makes of it. Sign descent and Adam make small entries large.
    bool keeps_proportions() const { return kind != Kind::sign && kind != Kind::adam; }
    // Whether a multiple of the gradient makes the same step.
    bool is_scale_free() const {
        return (kind == Kind::sign || kind == Kind::normalized) && weight_decay == 0.0;
    }
    bool is_plain() const {
        return kind == Kind::plain && weight_decay == 0.0 && schedule.is_constant();
    }
};

// What the next step needs besides the parameters. The powers are products, as many factors as
// steps.
struct StepperState {
    Vector first, second;  // running means of Adam; `first` is the velocity of momentum
    double beta1_power = 1.0, beta2_power = 1.0;
};

class Stepper {
public:
    // `intercept` is where the bias is among the parameters.
    Stepper(const StepperOptions& options, double lr, double scale, std::size_t parameters,
            std::size_t intercept);

    // Turns minus the gradient of the summed loss at u into what the step adds to u, which `step`
    // others came before: NaN where something on the way is too large for a double. Gives the
    // largest entry of the summed loss's own gradient, times lr and its scale. Nothing is
    // remembered before `accept`.
    double propose(std::int64_t step, const Vector& u, Vector& gradient);
    void accept();

    const StepperOptions& options() const { return options_; }
    std::size_t moments() const;  // how many vectors it remembers
    const StepperState& state() const { return now_; }
    void restore(StepperState state) { now_ = std::move(state); }

private:
    void add_decay(const Vector& u, double factor, Vector& out) const;
    void adam(double lr, Vector& gradient);

    StepperOptions options_;
    double lr_, scale_, rate_;  // rate = lr * scale
    std::size_t intercept_;
    StepperState now_, next_;
};

}  // namespace fastgrok
