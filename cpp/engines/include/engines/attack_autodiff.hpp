// The iterated attack as a library of automatic differentiation carries it out.
#pragma once

#include <vector>

#include "core/interrupt.hpp"
#include "engines/attack_settings.hpp"

namespace fastgrok {

// Everything is computed in `Real`, float or double, with products and sums rounded one by one in a
// fixed order. The gradient of the cross-entropy of the two logits (0, z) is (sig(z) - 1[y = 1]) w,
// where the bracket comes out as exactly 0 for rows that are classified with confidence: such rows
// are not moved, although the true gradient never vanishes. Nor is any row where w or b overflows.
template <class Real>
class AutodiffAttack {
public:
    AutodiffAttack(const AttackSettings& settings, const double* w, double b, std::size_t cols);

    // From `start` (null: from the row itself) to `point`, which ends inside the box. Stops short
    // once the interrupt is due.
    struct Scratch {
        std::vector<Real> origin, point, gradient;
    };
    void move(const Problem& problem, std::size_t row, double radius, const double* start,
              Interrupt& interrupt, Scratch& scratch, double* point) const;

private:
    bool step(double y, Real radius, Scratch& scratch) const;

    const AttackSettings& settings_;
    std::size_t cols_;
    std::vector<Real> w_, lower_, upper_;
    Real b_, step_size_;
    bool finite_;
};

extern template class AutodiffAttack<float>;
extern template class AutodiffAttack<double>;

// d cross-entropy / dz of the logits (0, z) by way of log_softmax, as PyTorch rounds it.
template <class Real>
Real logit_gradient(Real z, bool positive);

}  // namespace fastgrok
