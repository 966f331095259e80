// Adam (Kingma and Ba 2015): steps from running means of the gradient and of its squares.
#pragma once

#include "core/problem.hpp"

namespace fastgrok {

struct AdamOptions {
    double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
};

// What the next step needs. The powers are products, as many factors as steps.
struct AdamState {
    Vector first, second;  // running means
    double beta1_power = 1.0, beta2_power = 1.0;
};

class Adam {
public:
    Adam(const AdamOptions& options, double lr, double scale, std::size_t parameters);

    // Turns minus the gradient of the summed loss into what the step adds to the parameters, entry
    // by entry in the order of the formulas: NaN where the square of a gradient is too large for a
    // double. Nothing is remembered before `accept`.
    void propose(Vector& gradient);
    void accept();

    const AdamState& state() const { return now_; }
    void restore(AdamState state);

private:
    AdamOptions options_;
    double lr_, scale_;
    AdamState now_, next_;
};

}  // namespace fastgrok
