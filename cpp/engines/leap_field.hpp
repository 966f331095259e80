// What the leaping integrator needs to know of a map u -> u + F(u): the field e^s F(u), s = log k,
// and linear solves with its Jacobian. Nothing over- or underflows up to k = 1e300.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "engines/passes.hpp"

namespace fastgrok {

struct LeapCosts {
    std::int64_t evaluations = 0;     // of the gradient: passes over the data
    std::int64_t products = 0;        // of the Hessian and a vector: passes too
    std::int64_t factorizations = 0;  // of a dense matrix, each with a pass for the Hessian
};

class LeapField {
public:
    virtual ~LeapField() = default;

    virtual const Layout& layout() const = 0;
    // The largest norm of a row (x, 1), by which a margin can change faster than the parameters.
    virtual double largest_row() const = 0;

    // g <- e^s F(u). The solves that follow are about this point.
    virtual void evaluate(const Vector& u, double s, Vector& g) = 0;

    // Solves (I - c J) x = r for x, J the derivative of e^s F by u where it was last evaluated,
    // c > 0. What is left of r weighs at most `accuracy` in the norm of LeapScale. False where it
    // could not be done.
    virtual bool solve(double c, const Vector& r, const LeapScale& scale, double accuracy,
                       Vector& x) = 0;

    virtual const LeapCosts& costs() const = 0;
};

// A step of gradient descent, u -> u - rate grad L(u). Dense Hessians for few columns, conjugate
// gradients for many. `between_passes`, if given, is called after every pass and may throw.
std::unique_ptr<LeapField> make_descent_field(const Problem& problem, Loss loss, double rate,
                                              int threads,
                                              std::function<void()> between_passes = {});

// Two steps of gradient descent at once, for orbits of period 2. Up to kMostDenseCols columns.
std::unique_ptr<LeapField> make_two_step_field(const Problem& problem, Loss loss, double rate,
                                               int threads,
                                               std::function<void()> between_passes = {});

inline constexpr std::size_t kMostDenseCols = 128;

}  // namespace fastgrok
