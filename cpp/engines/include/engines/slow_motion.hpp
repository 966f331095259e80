// How the iterates of an optimizer move where the gradient changes slowly beside its memory.
//
// With D = d/dk and E = e^D they lie on a smooth u(k) with D S(D) u = F(u, k), S fixed by the
// optimizer; with y = S(D) u / S(0) and F for F / S(0) that is y' = F(u), and
//
//     u = y + a_1 F + a_2 F' + a_3 F'' + ...,      a_j = s_j / s_0,  1/S = s_0 + s_1 D + ...
//
// Plain descent: S = (E - 1) / D. Momentum beta: times (1 - beta / E). Nesterov's, whose gradient
// is taken at the iterate that is kept: that over (1 + beta - beta / E).
#pragma once

#include <array>
#include <cmath>

#include "engines/stepper.hpp"

namespace fastgrok {

struct SlowMotion {
    // Of plain descent, u <- u - rate grad L(u), L the sum of the losses.
    SlowMotion(double rate);
    // std::invalid_argument for an optimizer whose steps a slow gradient does not determine.
    SlowMotion(const StepperOptions& options, double lr, double scale);

    bool is_plain() const {
        return memory == 1.0 && decay == 0.0 && schedule.is_constant() && !is_normalized();
    }
    bool is_normalized() const { return length > 0.0; }
    double pace(double k) const { return schedule.at(k); }
    double decay_of_bias() const { return decay_bias ? decay : 0.0; }

    // F(u, k) = -pace(k) g, g = rate grad L(u) + decay u, of the bias only where it decays; or, of
    // normalized descent, -pace(k) length g / ||g||.
    double rate, decay = 0.0;
    double length = 0.0;
    bool decay_bias = false;
    Schedule schedule;
    std::array<double, 7> series;  // a_0 = 1 to a_6
    double memory = 1.0;           // steps of the optimizer that a step of `u` must span several of
    // Of the eigenvalues of minus F's derivative, for stability, and the same of lr times those of
    // the Hessian.
    double limit = 2.0, limit_of_lr = 2.0;
};

}  // namespace fastgrok
