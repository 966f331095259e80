// Gradient descent without taking every step: the Euler-Maclaurin form of u_{k+1} = u_k + F(u_k),
//
//     y = u + F/2 - F'/12 + F'''/720,   dy/dk = F(u),   ' = d/dk,
//
// integrated in s = log k by variable-step variable-order BDF. With D = d/ds and G = k F,
// F' = (D - 1) G / k^2 and F''' = (D - 3)(D - 2)(D - 1) G / k^4, the derivatives being those of the
// interpolant of G through the last points: y - u is a multiple of the newest G plus what is known,
// and the newest G is what BDF says, a multiple of the newest y plus what is known. So the only
// unknown is y, one pass over the data tests it, and Newton's matrix is I - c J, J = dG/du.
#pragma once

#include <memory>
#include <vector>

#include "engines/leap_field.hpp"

namespace fastgrok {

struct LeapOptions {
    double tolerance = 1e-9;  // of the error of a single step, in the norm of LeapScale
    int most_order = 6;
};

struct LeapStatistics {
    std::int64_t accepted = 0, rejected = 0, newton = 0;
    std::int64_t steps_of_order[7] = {};  // accepted, by order
    double step_error = 0.0;   // sum of the estimated errors of all steps, in the norm of LeapScale
    double model_error = 0.0;  // size of the first term left out, F^(5)/30240, summed likewise
};

// An exact iterate u_k and the update F(u_k) that follows it.
struct LeapStart {
    double k;
    Vector u, update;
};

class Leap {
public:
    enum class Status {
        moving,     // at now(), short of the horizon
        arrived,    // at the horizon
        converged,  // what is left of the way to the horizon changes nothing any more
        failed,     // a step could not be taken, or would span hardly any iterations
    };

    // Of kFewestStarts iterates or more, k increasing, about evenly spaced in log k.
    Leap(std::unique_ptr<LeapField> field, const std::vector<LeapStart>& start,
         const LeapOptions& options);
    static constexpr std::size_t kFewestStarts = 8;

    // One accepted step, not beyond `horizon`.
    Status step(double horizon);

    // The last step went from before() to now().
    double before() const;
    double now() const;
    const Vector& parameters() const;  // at now()

    // u at a k of the last step, by interpolation; beyond now() only once converged.
    void at(double k, Vector& u) const;

    const LeapStatistics& statistics() const { return statistics_; }
    const LeapField& field() const { return *field_; }

private:
    LeapStatistics statistics_;
    std::unique_ptr<LeapField> field_;
};

}  // namespace fastgrok
