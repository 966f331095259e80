// Gradient descent without taking every step: the Euler-Maclaurin form of u_{k+1} = u_k + F(u_k),
//
//     y = u + F/2 - F'/12 + F'''/720,   dy/dk = F(u),   ' = d/dk,
//
// or of momentum the like, see SlowMotion, integrated in s = log k by variable-step variable-order
// BDF. With D = d/ds and G = k F, F' = (D - 1) G / k^2, F'' = (D - 2)(D - 1) G / k^3 and so on, the
// derivatives being those of the interpolant of G through the last points: y - u is a multiple of
// the newest G plus what is known, and the newest G is what BDF says, a multiple of the newest y
// plus what is known. So the only unknown is y, one pass over the data tests it, and Newton's
// matrix is I - c J, J = dG/du.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engines/leap_field.hpp"
#include "engines/leap_way.hpp"

namespace fastgrok {

struct LeapOptions {
    double tolerance = 1e-9;     // of the error of a single step, in the norm of LeapScale
    int most_order = 6;          // 1 to 6
    double longest_still = 0.5;  // step, in s, where nothing moves that would show an error
};

struct LeapStatistics {
    std::int64_t accepted = 0, rejected = 0;
    std::int64_t corrections = 0;            // Newton's, each one evaluation and one solve
    std::array<std::int64_t, 7> of_order{};  // accepted steps by order
    double step_error = 0.0;   // sum of the estimated errors of all steps, in the norm of LeapScale
    double model_error = 0.0;  // largest size of the first terms left out, likewise
};

// An exact iterate u_k, k > 0, and the update F(u_k) that follows it.
struct LeapStart {
    double k;
    Vector u, update;
};

class Leap {
public:
    enum class Status {
        moving,     // short of the horizon
        arrived,    // at the horizon
        converged,  // what is left of the way to the horizon changes nothing any more
        failed,     // the motion isn't smooth: a step would have to span hardly any iterations
    };

    static constexpr std::size_t kFewestStarts = 8;
    // Iterations of a step; more where the optimizer has a memory of this share of more.
    static constexpr double kFewestIterations = 4.0, kFewestOfMemory = 0.25;

    // At least kFewestStarts iterates, k increasing, about evenly spaced in log k, some iterations
    // apart; std::invalid_argument otherwise.
    Leap(std::unique_ptr<LeapField> field, const std::vector<LeapStart>& start,
         const LeapOptions& options);

    // Called before an accepted step shows: until then all that can be asked is as after the last.
    void wait_before_steps(std::function<void()> wait) { wait_ = std::move(wait); }

    // One accepted step, not beyond `horizon`, which has to lie fewest_iterations() beyond now().
    Status step(double horizon);

    // What rounding errors so far may have done to u at k, of which at() tells, in the norm of
    // LeapScale; see LeapField::rounding_effect.
    double rounding_effect(double k, double enough);

    // Goes on in these coordinates. Parameters on this side stay in those of the problem.
    void turn(const std::shared_ptr<const Coordinates>& coordinates);
    LeapField& field() { return *field_; }
    double fewest_iterations() const {
        return kFewestIterations * std::max(1.0, kFewestOfMemory * field_->motion().memory);
    }

    // The last step went from before() to now().
    double before() const { return past_[1].k; }
    double now() const { return past_[0].k; }
    Vector parameters() const { return given(past_[0].u); }  // at now()
    double step_error() const { return last_error_; }        // of the last step
    double recent_error() const { return recent_error_; }    // likewise, and what is left of others

    // The errors of all steps in which the motion turned suddenly. Elsewhere a coarser integration
    // tells more; there it turns no less suddenly.
    double sudden_error(const LeapScale& scale) const;

    // Whether exact steps from u at k, of which at() tells, can make errors larger, which the
    // integrator damps.
    bool amplifies(double k);

    // u at a k of the last step, by interpolation; once converged, at any later k as well.
    void at(double k, Vector& u) const;
    // Adds the last step to `way`, and that it has converged. Steps may be left out in between.
    void keep_step(LeapWay& way) const;

    const LeapStatistics& statistics() const { return statistics_; }
    const LeapField& field() const { return *field_; }

private:
    // Of past points; order q needs q + 2 to be compared with order q + 1.
    static constexpr std::size_t kMemory = kFewestStarts, kMostOrder = 6;
    static constexpr std::size_t kModelNodes = 7;  // of the derivatives of G

    struct Point {
        double k, s;
        Vector y, g, u;
    };
    struct Formula;

    void interpolate(double k, Vector& u) const;  // in those of the field
    // From the coordinates of the field to those of the problem, and back.
    Vector given(const Vector& u) const;
    Vector turned(const Vector& u) const;
    // Without a bias b stays where it is.
    void keep_bias(Vector& u) const;
    bool correct(const Formula& formula, const LeapScale& scale);
    bool try_step(double k, double s);
    bool moves_at_most(double size) const;
    bool starts_at_rest(double horizon);
    bool is_over(double horizon);
    bool is_at_rest(const Vector& u, double horizon);
    double error_of_order(std::size_t order, double s, const Vector* newest,
                          const LeapScale& scale);
    double error_of_slopes(double s, const LeapScale& scale);
    void choose_start();
    void choose_order(double s, const LeapScale& scale);
    void accept();

    std::unique_ptr<LeapField> field_;
    LeapOptions options_;
    std::vector<Point> past_;  // newest first
    Point next_;
    std::size_t order_, last_order_;
    double h_ = 0.0;  // of the coming step, in s
    double last_error_ = 0.0, recent_error_ = 0.0;
    double sudden_w_ = 0.0, sudden_b_ = 0.0;
    bool converged_ = false;
    Vector residual_, correction_, sum_, known_slope_, known_shift_;
    LeapStatistics statistics_;
    std::function<void()> wait_;
};

}  // namespace fastgrok
