// What the leaping integrator needs to know of a motion u' = F(u, k): the field e^s F(u), s = log
// k, and linear solves with its Jacobian. Nothing over- or underflows up to k = 1e300.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engines/coordinates.hpp"
#include "engines/leap_scale.hpp"
#include "engines/needs.hpp"
#include "engines/passes.hpp"
#include "engines/rounding_share.hpp"
#include "engines/slow_motion.hpp"

namespace fastgrok {

struct LeapCosts {
    std::int64_t evaluations = 0;     // passes for the gradient, with the Hessian where it is dense
    std::int64_t products = 0;        // passes for the product of the Hessian and a vector
    std::int64_t factorizations = 0;  // of a dense matrix
    double multiplying = 0.0;         // seconds of the products in solves
};

class LeapField {
public:
    // The flow of -grad L has one limit or direction, second derivatives lead there, and far out
    // what is left of a margin can be a factor of e^s, or curvatures are bounded.
    static constexpr LossProperty needs[] = {kTwiceDifferentiable, kConvex, kStaysInRange};

    virtual ~LeapField() = default;

    // g <- e^s F(u). The solves that follow are about this point.
    virtual void evaluate(const Vector& u, double s, Vector& g) = 0;

    // Solves (I - c J) x = r for x, J the derivative of e^s F by u where it was last evaluated,
    // c >= 0. What is left of r is at most `accuracy` in the norm of `scale`; where -J has no
    // negative eigenvalues the error of x is not larger. False where that cannot be done.
    virtual bool solve(double c, const Vector& r, const LeapScale& scale, double accuracy,
                       Vector& x) = 0;

    // What rounding alone may put into each component of g where it was last evaluated, at u.
    void rounding(const Vector& u, Vector& out);

    // What the rounding errors of F move u by, at step e^s, in the norm of `scale`: they add up
    // over the steps in directions in which nothing draws the iterates together. At most `enough`
    // may be answered without looking closer. Infinite where that cannot be said.
    virtual double rounding_effect(const Vector& u, double s, const LeapScale& scale,
                                   double enough) = 0;

    // Coordinates in which rounding does less harm at u, which is in those of the problem as given;
    // null if there are none.
    virtual std::shared_ptr<const Coordinates> better_coordinates(const Vector&, const ExactNull&) {
        return nullptr;
    }
    // Whether there may ever be some.
    virtual bool turns_later() const { return true; }
    // All parameters are in these from now on.
    void turn(std::shared_ptr<const Coordinates> coordinates);
    // Or of another field that takes this one's place, unless it is null.
    virtual std::unique_ptr<LeapField> turned_field(std::shared_ptr<const Coordinates>) {
        return nullptr;
    }
    const Coordinates* coordinates() const { return coordinates_.get(); }
    const std::shared_ptr<const Coordinates>& shared_coordinates() const { return coordinates_; }

    LeapScale scale(const Vector& u) const {
        return {u, problem().layout(), least_, coordinates()};
    }
    const Problem& problem() const { return given_.problem(); }  // as given
    bool bias() const { return problem().bias(); }

    // Whether a step of descent at u can make an error larger: rate lambda_max(H) > 2, or what is
    // the limit of the optimizer. Of a cycle whether k rounds like that where it was last evaluated
    // can: a single step may make errors larger there that the others make smaller.
    bool amplifies(const Vector& u, double k);

    // The schedule at step k, and not at that of s, as long as this lives.
    class AtPace {
    public:
        AtPace(LeapField& field, double k) : field_(field) { field.pace_ = field.motion_.pace(k); }
        ~AtPace() { field_.pace_ = -1.0; }
        AtPace(const AtPace&) = delete;
        AtPace& operator=(const AtPace&) = delete;

    private:
        LeapField& field_;
    };

    const SlowMotion& motion() const { return motion_; }

    // Where the parameters change by as much as `change`, l'' changes at most by a factor e to the
    // power of this; and so do the size of a gradient that F is divided by, and its direction.
    double bend(double change) const { return (traits_.bend * largest_row_ + turning_) * change; }

    // Makes passes over all rows, as given, together with others.
    void pair(PairedPasses& with) { given_.pair(with); }

    const Layout& layout() const { return passes().problem().layout(); }
    const LeapCosts& costs() const { return costs_; }

protected:
    LeapField(const Problem& problem, Loss loss, const SlowMotion& motion, int threads,
              std::function<void()> between_passes);

    // The same where the curvature may be so large anywhere.
    virtual bool amplifies_at(const Vector& u, double k) = 0;

    // Runs pass(loss, shift) so that 2^shift F(u) / rate neither over- nor underflows; it must
    // leave the bits of the margins in bits_ and what is to be finite in `out`. Gives what undoes
    // the shift and brings in the rate: e^s rate 2^-shift.
    template <class Pass>
    double shifted(double s, const Vector& out, Pass pass);
    // Of normalized descent what shifted() is of others, times what makes a multiple of F of it;
    // the shift keeps the gradient in range.
    template <class Pass>
    double directed(Pass pass);
    // Makes e^s F of such a multiple of F in g, its direction in direction_. Gives the factor.
    double normalize(double s, Vector& g);
    // Projects a vector onto what is orthogonal to direction_, and gives what was along it.
    double project(Vector& v) const;
    void after_pass() const {
        if (between_passes_) between_passes_();
    }

    // What is to be said of rows where it was last evaluated.
    RoundingShare share(RoundingShare::Of of) const { return {of, loss_, log_rate_}; }

    // out <- the sum of share(bits, terms, weight) |z_row|, `terms` being the sum of the sizes of
    // the terms of its margin at u.
    virtual void sum_sizes(const Vector& u, Vector& out, const RoundingShare& share);

    // The least of the bits of the margins where it was last evaluated; NaN if there is one.
    virtual double least_bits();

    Passes& passes() { return turned_ ? *turned_ : given_; }
    const Passes& passes() const { return turned_ ? *turned_ : given_; }

    // Curvatures l''(m_i) at u, in coordinates as given.
    Vector curvatures(const Vector& u);

    // What is multiplied with u_j in e^s F where it was last evaluated, if F decays it.
    double decay(std::size_t j) const {
        return j == layout().intercept && !decays_last_ ? 0.0 : decay_now_;
    }
    // Whether coordinates can be turned: what decays must do so in all directions.
    bool turns() const {
        return !motion_.is_normalized() && (motion_.decay == 0.0 || motion_.decay_bias || !bias());
    }

    Passes given_;
    Loss loss_;
    const LossTraits& traits_;  // of the loss
    SlowMotion motion_;
    double rate_;  // of the motion, in the coordinates
    std::function<void()> between_passes_;
    LeapCosts costs_;
    Loss last_loss_;  // that shifted() ended with, and the shift
    double last_shift_ = 0.0;
    double log_rate_ = 0.0;   // e^s rate times the schedule, where it was last evaluated
    double decay_now_ = 0.0;  // likewise of the decay
    Vector bits_;
    Vector direction_;      // of F, where it is normalized
    double turning_ = 0.0;  // the trace of the Hessian of what is minimised as a share of ||g||

private:
    bool in_range(const Vector& out);
    double shift_of_margins();
    double pace_at(double s) const { return pace_ >= 0.0 ? pace_ : motion_.pace(std::exp(s)); }
    bool may_amplify();
    void measure_rows(int exponent);

    std::shared_ptr<const Coordinates> coordinates_;
    std::unique_ptr<Passes> turned_;
    double least_;                      // of the weights, against which errors are measured
    bool decays_last_ = false;          // of the parameters
    double pace_ = -1.0;                // of the schedule, if it is not to be that at s
    double largest_row_, squares_sum_;  // of the rows (x_i, 1), the sum weighted
    int may_amplify_ = -1;              // not known yet
};

// Gradient descent on the sum of the losses. Dense algebra for packed rows, conjugate gradients for
// others. `between_passes`, if given, is called after every pass and may throw; the integrator can
// then be asked again.
std::unique_ptr<LeapField> make_descent_field(const Problem& problem, Loss loss,
                                              const SlowMotion& motion, int threads,
                                              std::function<void()> between_passes = {});

// `period` steps of plain descent at once, two or more, for cycles: k counts rounds. Dense algebra
// and products with vectors likewise; std::invalid_argument where the motion is another.
std::unique_ptr<LeapField> make_cycle_field(const Problem& problem, Loss loss,
                                            const SlowMotion& motion, int period, int threads,
                                            std::function<void()> between_passes = {});

// Why neither is to be made: rows that lie elsewhere would be copied, and are too many. Else "".
std::string why_rows_are_too_far(const Problem& problem, int period);

// ||x_i||^2.
double squared_row(const Problem& problem, std::size_t row);

template <class Pass>
double LeapField::shifted(double s, const Vector& out, Pass pass) {
    // From e^100 steps on the margins that matter are about as large as s, and a loss with an
    // exponential tail is that tail to the last bit there. Where that should be wrong the pass is
    // repeated. Without such a tail slopes end as rounding errors of margins, far from underflow.
    constexpr double kPlain = 100.0;
    if (motion_.is_normalized()) return directed(pass);
    const double pace = pace_at(s);
    log_rate_ = s + std::log(rate_ * pace);
    decay_now_ = motion_.decay > 0.0 ? std::exp(s + std::log(motion_.decay * pace)) : 0.0;
    last_shift_ = s > kPlain && traits_.exponential_tail() ? std::floor(s * kLog2E) : 0.0;
    last_loss_ = last_shift_ > 0.0 ? Loss::exponential : loss_;
    pass(last_loss_, last_shift_);
    ++costs_.evaluations;
    after_pass();
    if (last_shift_ > 0.0 && !in_range(out)) {
        last_shift_ = 0.0;
        last_loss_ = loss_;
        pass(last_loss_, last_shift_);
        ++costs_.evaluations;
        after_pass();
    }
    return std::exp(log_rate_ - last_shift_ * kLogOf2);
}

template <class Pass>
double LeapField::directed(Pass pass) {
    log_rate_ = std::log(rate_);
    decay_now_ = motion_.decay;
    const auto run = [&] {
        last_loss_ = last_shift_ > 0.0 ? Loss::exponential : loss_;
        pass(last_loss_, last_shift_);
        ++costs_.evaluations;
        after_pass();
    };
    run();  // with the last shift: margins change little
    if (const double shift = shift_of_margins(); shift != last_shift_) {
        last_shift_ = shift;
        run();
    }
    return rate_;
}

}  // namespace fastgrok
