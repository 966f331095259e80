#include "engines/leap_field.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engines/curvature.hpp"
#include "norms.hpp"
#include "vectors.hpp"

namespace fastgrok {

LeapField::LeapField(const Problem& problem, Loss loss, const SlowMotion& motion, int threads,
                     std::function<void()> between_passes)
    : given_(problem, threads),
      loss_(loss),
      traits_(traits_of(loss)),
      motion_(motion),
      rate_(motion.rate),
      between_passes_(std::move(between_passes)),
      last_loss_(loss),
      least_(least_weights(problem, loss, motion.decay > 0.0)) {
    check_needs("leaping", needs, loss);
    decays_last_ = motion.decay_bias && bias();
    measure_rows(0);
}

// Of rows times 2^exponent.
void LeapField::measure_rows(int exponent) {
    const Problem& problem = given_.problem();
    const double one = bias() ? 1.0 : 0.0;
    double largest = 0.0;
    squares_sum_ = 0.0;
    if (problem.elsewhere() != nullptr) {
        const Vector told = given_.ask({Question::row_sizes, {}}, Passes::Answer::numbers);
        for (std::size_t c = 0; c < told.size(); c += 3) {
            squares_sum_ += bias() ? told[c] : told[c + 2];
            largest = std::max(largest, told[c + 1]);
        }
        largest_row_ = bias() ? problem.norms(given_.threads()).largest : largest;
        return;
    }
    if (!problem.packed() && bias()) {  // whose norms are known
        const RowNorms& norms = problem.norms(given_.threads());
        for (std::size_t i = 0; i < problem.rows(); ++i)
            squares_sum_ += problem.weight(i) * norms.bits[i] * norms.bits[i] * (kLogOf2 * kLogOf2);
        largest_row_ = norms.largest;
        return;
    }
    for (std::size_t i = 0; i < problem.rows(); ++i) {
        const double size = row_norm(problem, i);
        const double scaled = exponent == 0 ? size : std::scalbn(size, exponent),
                     square = scaled * scaled + one;
        largest = std::max(largest, square);
        squares_sum_ += problem.weight(i) * square;
    }
    largest_row_ = std::sqrt(largest);
}

double squared_row(const Problem& problem, std::size_t row) {
    return problem.visit_row(row, [](const auto* x, std::size_t n, auto) {
        double lanes[kLanes] = {};
        for (std::size_t k = 0; k < n; ++k)
            lanes[k % kLanes] += static_cast<double>(x[k]) * static_cast<double>(x[k]);
        double sum = 0.0;
        for (const double lane : lanes) sum += lane;
        return sum;
    });
}

void LeapField::turn(std::shared_ptr<const Coordinates> coordinates) {
    coordinates_ = std::move(coordinates);
    turned_ = std::make_unique<Passes>(coordinates_->problem(), given_.threads());
    const int exponent = coordinates_->exponent();
    rate_ = std::scalbn(std::scalbn(motion_.rate, -exponent), -exponent);
    measure_rows(exponent);
}

Vector LeapField::curvatures(const Vector& u) {
    Vector weights;
    if (problem().elsewhere() != nullptr)
        Passes(problem().here(), given_.threads()).curvature_weights(u, loss_, weights);
    else
        given_.curvature_weights(u, loss_, weights);
    ++costs_.evaluations;
    after_pass();
    return weights;
}

void LeapField::rounding(const Vector& u, Vector& out) {
    // The margin is off by rounding errors of its terms, the slope by a share like that.
    sum_sizes(u, out, share(RoundingShare::Of::change));
    for (std::size_t j = 0; j < u.size(); ++j)
        out[j] += RoundingShare::kUnits * decay(j) * std::fabs(u[j]);
}

void LeapField::sum_sizes(const Vector& u, Vector& out, const RoundingShare& share) {
    const Problem& problem = passes().problem();
    const std::size_t cols = problem.layout().cols, intercept = problem.layout().intercept;
    out.assign(u.size(), 0.0);
    for (std::size_t i = 0; i < problem.rows(); ++i) {
        const auto add = [&](std::size_t n, auto column, auto entry, double last) {
            double terms = std::fabs(last * u[intercept]);
            for (std::size_t k = 0; k < n; ++k) terms += std::fabs(entry(k) * u[column(k)]);
            const double times = share(bits_[i], terms, problem.weight(i));
            for (std::size_t k = 0; k < n; ++k) out[column(k)] += times * std::fabs(entry(k));
            if (problem.bias()) out[intercept] += times * std::fabs(last);
        };
        if (problem.packed()) {
            const double* z = problem.block(i / kLanes) + i % kLanes;
            add(
                cols, [](std::size_t j) { return j; }, [z](std::size_t j) { return z[j * kLanes]; },
                z[cols * kLanes]);
        } else {
            problem.visit_row(i, [&](const auto* x, std::size_t n, auto column) {
                add(n, column, [x](std::size_t k) { return static_cast<double>(x[k]); }, 1.0);
            });
        }
    }
}

bool LeapField::amplifies(const Vector& u, double k) {
    constexpr double kFar = 0.5;  // of the limit
    const AtPace now(*this, k);
    // All curvatures together, where it was last evaluated, mostly are far from it.
    if (motion_.is_normalized() && turning_ * motion_.length * pace_at(0.0) <= kFar * motion_.limit)
        return false;
    return may_amplify() && amplifies_at(u, k);
}

// By the curvature that the loss has at most, everywhere, and at margin 0. No schedule exceeds 1.
bool LeapField::may_amplify() {
    constexpr double kTolerance = 0.05, kMargin = 1.2;
    if (motion_.is_normalized()) return true;  // where ||g|| is small
    if (may_amplify_ >= 0) return may_amplify_ == 1;
    // Of wide rows there are no such passes in other coordinates, nor are they in other units.
    Passes& in_range = turned_ && problem().packed() ? *turned_ : given_;
    const bool bounded = traits_.bounded_curvature();
    const double most = motion_.limit - motion_.decay;
    bool may = !bounded || rate_ * traits_.most_curvature * squares_sum_ > most;
    if (may && bounded) {
        std::vector<Vector> directions;
        double visited = 0.0;
        const double largest = largest_curvature(
            in_range, Vector(in_range.problem().layout().length, 0.0), loss_,
            CurvatureSearch{.tolerance = kTolerance}, directions, visited, [this] {
                ++costs_.products;
                after_pass();
            });
        may = !(kMargin * rate_ * largest <= most);
    }
    may_amplify_ = may ? 1 : 0;
    return may;
}

// The last one, if it serves, or one that brings the least margin to 0. What decays has a gradient
// that does not underflow.
double LeapField::shift_of_margins() {
    constexpr double kLargeBits = 600.0, kApart = 300.0;
    if (!traits_.exponential_tail() || motion_.decay > 0.0) return 0.0;
    const double least = std::floor(least_bits());
    if (!(least > kLargeBits) || !std::isfinite(least)) return 0.0;
    return std::fabs(least - last_shift_) <= kApart ? last_shift_ : least;
}

double LeapField::least_bits() {
    return least_of(bits_.data(), given_.problem().rows());
}

double LeapField::normalize(double s, Vector& g) {
    const double length = std::exp(s + std::log(motion_.length * pace_at(s)));
    const double size = norm(g.data(), g.size()), factor = size > 0.0 ? length / size : 0.0;
    direction_ = g;
    for (std::size_t j = 0; j < g.size(); ++j) {
        if (size > 0.0) direction_[j] /= size;
        g[j] = length * direction_[j];
    }
    log_rate_ += std::log(factor) + last_shift_ * kLogOf2;
    decay_now_ *= factor;
    return factor;
}

double LeapField::project(Vector& v) const {
    const double along = dot(direction_, v);
    add_multiple(v, -along, direction_);
    return along;
}

// Whether all went well with a shift: no row lies where the tail is not the slope, and nothing has
// overflowed.
bool LeapField::in_range(const Vector& out) {
    if (!(least_bits() >= traits_.exponential_from)) return false;
    return std::all_of(out.begin(), out.end(), [](double x) { return std::isfinite(x); });
}

}  // namespace fastgrok
