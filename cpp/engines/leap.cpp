#include "engines/leap.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "motion_weights.hpp"
#include "norms.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

constexpr double kSafety = 0.8;         // of the step size that the estimated error allows
constexpr double kFastestGrowth = 1.5;  // of the step size from step to step
constexpr double kFirstShare = 0.3;     // of the tolerance, for the first step
constexpr double kKept = 0.9;           // of earlier errors, from step to step
constexpr double kRestShare = 0.01;     // of the tolerance, for what is left to move at rest
// Of a smooth motion the estimate from slopes is about twice that from differences.
constexpr double kOfSlopes = 0.5;
// Where it is so many times the other, the motion turns within a step.
constexpr double kSudden = 3.0;
constexpr double kOtherOrder = 0.95;  // another order must allow a step longer than by 1/this

}  // namespace

// The coefficients of a step of a given order to s: with the newest y,
//   G = slope * y + known_slope_,   u = y - shift * G - known_shift_.
struct Leap::Formula {
    double s, slope, shift;

    // What Newton's matrix has before -J.
    double factor() const { return 1.0 / slope - shift; }
};

Leap::Leap(std::unique_ptr<LeapField> field, const std::vector<LeapStart>& start,
           const LeapOptions& options)
    : field_(std::move(field)), options_(options) {
    const std::size_t n = start.size();
    if (n < kFewestStarts) throw std::invalid_argument("a leap starts from at least 8 iterates");
    if (!(options.tolerance > 0.0) || options.most_order < 1 || options.most_order > 6)
        throw std::invalid_argument("a leap needs a positive tolerance and orders of 1 to 6");
    Vector s;
    for (const LeapStart& point : start) {
        if (!(point.k > 0.0) || (!s.empty() && !(std::log(point.k) > s.back())))
            throw std::invalid_argument(
                "the iterates that a leap starts from must follow each other");
        if (point.u.size() != field_->layout().length || point.update.size() != point.u.size())
            throw std::invalid_argument("iterates need the length of the parameters");
        s.push_back(std::log(point.k));
    }
    for (std::size_t p = n; p-- > n - kMemory;) {
        // The nodes nearest to p.
        const std::size_t first = std::min(p < 3 ? 0 : p - 3, n - kModelNodes);
        const ModelWeights weights(s[p], s.data() + first, kModelNodes, 4);
        const Vector u = turned(start[p].u);
        Point point{start[p].k, s[p], u, turned(start[p].update), u};
        for (double& x : point.g) x *= point.k;
        for (std::size_t i = 0; i < kModelNodes; ++i)
            add_multiple(point.y,
                         model_weight(field_->motion(), weights, i, s[p]) * start[first + i].k,
                         turned(start[first + i].update));
        past_.push_back(std::move(point));
    }
    next_ = past_.front();
    h_ = 0.5 * fewest_iterations() / past_[0].k;  // too short for a step
    order_ = last_order_ = 1;
    choose_start();
}

Vector Leap::given(const Vector& u) const {
    return field_->coordinates() != nullptr ? field_->coordinates()->from(u) : u;
}

Vector Leap::turned(const Vector& u) const {
    return field_->coordinates() != nullptr ? field_->coordinates()->to(u) : u;
}

void Leap::keep_bias(Vector& u) const {
    const std::size_t intercept = field_->layout().intercept;
    if (!field_->bias()) u[intercept] = past_[0].u[intercept];
}

double Leap::rounding_effect(double k, double enough) {
    Vector u;
    interpolate(k, u);
    return field_->rounding_effect(u, std::log(k), field_->scale(u), enough);
}

bool Leap::amplifies(double k) {
    Vector u;
    interpolate(k, u);
    return field_->amplifies(u, past_[0].k);
}

void Leap::turn(const std::shared_ptr<const Coordinates>& coordinates) {
    std::optional<Matrix> across;
    if (field_->coordinates() != nullptr) across = coordinates->from_other(*field_->coordinates());
    for (Point& point : past_)
        for (Vector* x : {&point.y, &point.g, &point.u})
            *x = across ? times(*across, *x) : coordinates->to(*x);
    next_ = past_.front();
    converged_ = false;  // what was a rounding error may be a motion here
    if (auto other = field_->turned_field(coordinates))
        field_ = std::move(other);
    else
        field_->turn(coordinates);
}

double Leap::sudden_error(const LeapScale& scale) const {
    return std::max(sudden_w_ / scale.w, sudden_b_ / scale.b);
}

// The error that a step of this order to s would make, from divided differences of the newest y and
// past ones, or of past ones alone.
double Leap::error_of_order(std::size_t order, double s, const Vector* newest,
                            const LeapScale& scale) {
    const std::size_t past = newest != nullptr ? order + 1 : order + 2;
    std::array<double, kMemory + 1> nodes;
    std::size_t n = 0;
    if (newest != nullptr) nodes[n++] = s;
    for (std::size_t i = 0; i < past; ++i) nodes[n++] = past_[i].s;
    double product = 1.0, slope = 0.0;  // the rest of the error's formula
    for (std::size_t i = 0; i < order; ++i) {
        product *= s - past_[i].s;
        slope += 1.0 / (s - past_[i].s);
    }
    sum_.assign(next_.y.size(), 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        double weight = product / slope;
        for (std::size_t j = 0; j < n; ++j)
            if (j != i) weight /= nodes[i] - nodes[j];
        add_multiple(sum_, weight,
                     newest == nullptr ? past_[i].y
                     : i == 0          ? *newest
                                       : past_[i - 1].y);
    }
    return scale.norm(sum_);
}

// By how much the step differs from what the slopes at its end and before, a polynomial, add up to.
double Leap::error_of_slopes(double s, const LeapScale& scale) {
    constexpr std::array<double, 4> kGauss{-0.8611363115940526, -0.3399810435848563,
                                           0.3399810435848563, 0.8611363115940526};
    constexpr std::array<double, 4> kWeights{0.3478548451374538, 0.6521451548625461,
                                             0.6521451548625461, 0.3478548451374538};
    const std::size_t n = order_ + 1;
    std::array<double, kMemory> nodes;
    nodes[0] = s;
    for (std::size_t i = 1; i < n; ++i) nodes[i] = past_[i - 1].s;
    const double half = 0.5 * (s - past_[0].s), middle = s - half;
    std::array<double, kMemory> weight{};
    for (std::size_t g = 0; g < kGauss.size(); ++g) {
        const DifferenceWeights<kMemory, 0> at(middle + half * kGauss[g], nodes.data(), n, 0);
        for (std::size_t i = 0; i < n; ++i) weight[i] += half * kWeights[g] * at.weight[0][i];
    }
    sum_ = past_[0].y;
    for (std::size_t i = 0; i < n; ++i)
        add_multiple(sum_, weight[i], i == 0 ? next_.g : past_[i - 1].g);
    for (std::size_t j = 0; j < sum_.size(); ++j) sum_[j] -= next_.y[j];
    return scale.norm(sum_);
}

// The order that allows the longest first step, and how long.
void Leap::choose_start() {
    const LeapScale scale = field_->scale(past_[0].u);
    const double longest =
        std::max(1.5 * (past_[0].s - past_[1].s), 2.0 * fewest_iterations() / past_[0].k);
    for (int p = options_.most_order; p >= 1; --p) {
        const auto order = static_cast<std::size_t>(p);
        double h = longest;
        while (h > h_ && !(error_of_order(order, past_[0].s + h, nullptr, scale) <=
                           kFirstShare * options_.tolerance))
            h *= 0.8;
        if (h > h_) {
            h_ = h;
            order_ = order;
        }
    }
}

Leap::Status Leap::step(double horizon) {
    if (statistics_.accepted == 0 && !converged_) converged_ = starts_at_rest(horizon);
    if (converged_) return Status::converged;
    const double last = std::log(horizon);
    while (true) {
        const double rest = last - past_[0].s, fewest = fewest_iterations() / past_[0].k;
        if (!(h_ >= fewest) || !(rest >= fewest)) return Status::failed;
        const bool arrives = rest <= h_;
        // Two halves rather than a whole step and a tiny one.
        const double h = arrives ? rest : std::min(h_, std::max(rest / 2.0, fewest));
        const double s = arrives ? last : past_[0].s + h;
        if (try_step(arrives ? horizon : std::exp(s), s)) {
            if (arrives) return Status::arrived;
            // Not worth solving for before the next e-fold of steps would change as little as an
            // error may.
            converged_ = moves_at_most(options_.tolerance) && is_over(horizon);
            return converged_ ? Status::converged : Status::moving;
        }
        ++statistics_.rejected;
    }
}

bool Leap::try_step(double k, double s) {
    const std::size_t q = order_;
    const LeapScale scale = field_->scale(past_[0].u);
    std::array<double, kMemory + 1> nodes;
    nodes[0] = next_.s = s;
    next_.k = k;
    for (std::size_t i = 0; i < kMemory; ++i) nodes[i + 1] = past_[i].s;

    const DifferenceWeights<kMostOrder + 1, 1> slope(s, nodes.data(), q + 1, 1);
    const ModelWeights model(s, nodes.data(), q + 1, 5);
    const DifferenceWeights<kMostOrder + 1, 0> guess(s, nodes.data() + 1, q + 1, 0);
    const std::size_t length = next_.y.size();
    next_.y.assign(length, 0.0);
    known_slope_.assign(length, 0.0);
    known_shift_.assign(length, 0.0);
    for (std::size_t i = 0; i <= q; ++i) add_multiple(next_.y, guess.weight[0][i], past_[i].y);
    for (std::size_t i = 1; i <= q; ++i) {
        add_multiple(known_slope_, slope.weight[1][i], past_[i - 1].y);
        add_multiple(known_shift_, model_weight(field_->motion(), model, i, s), past_[i - 1].g);
    }
    const Formula formula{s, slope.weight[1][0], model_weight(field_->motion(), model, 0, s)};
    const double h = s - past_[0].s;
    if (!correct(formula, scale)) {
        h_ = 0.4 * h;
        return false;
    }
    const double of_differences = error_of_order(q, s, &next_.y, scale);
    const double of_slopes = kOfSlopes * error_of_slopes(s, scale);
    const double error = std::max(of_differences, of_slopes);
    if (!(error <= options_.tolerance)) {
        const double shorter =
            0.9 * std::pow(options_.tolerance / error, 1.0 / static_cast<double>(q + 1));
        h_ = h * (shorter > 0.3 ? shorter : 0.3);
        return false;
    }
    if (wait_) wait_();
    last_error_ = error;
    recent_error_ = error + kKept * recent_error_;
    statistics_.step_error += error;
    if (of_slopes > kSudden * of_differences) {
        sudden_w_ += error * scale.w;
        sudden_b_ += error * scale.b;
    }
    sum_.assign(length, 0.0);
    for (std::size_t i = 0; i <= q; ++i)
        add_multiple(sum_, left_out_weight(field_->motion(), model, i, s),
                     i == 0 ? next_.g : past_[i - 1].g);
    statistics_.model_error = std::max(statistics_.model_error, scale.norm(sum_));
    h_ = h;
    choose_order(s, scale);
    accept();
    last_order_ = q;
    ++statistics_.accepted;
    ++statistics_.of_order[q];
    return true;
}

// Newton's iteration from the prediction in next_.y.
bool Leap::correct(const Formula& formula, const LeapScale& scale) {
    constexpr int kMostCorrections = 6;
    constexpr double kNewtonShare = 0.01, kSolveShare = 0.2;  // of the tolerance
    // Of a linear motion there is no second correction to look at what the first has left.
    const double solved = field_->bend(1.0) > 0.0 ? kSolveShare : kNewtonShare;
    const std::size_t length = next_.y.size();
    residual_.resize(length);
    const auto set_point = [&] {
        for (std::size_t j = 0; j < length; ++j) {
            next_.g[j] = formula.slope * next_.y[j] + known_slope_[j];
            next_.u[j] = next_.y[j] - formula.shift * next_.g[j] - known_shift_[j];
        }
        keep_bias(next_.u);
    };
    set_point();
    for (int i = 0; i < kMostCorrections; ++i) {
        field_->evaluate(next_.u, formula.s, residual_);
        ++statistics_.corrections;
        for (std::size_t j = 0; j < length; ++j)
            residual_[j] = (residual_[j] - next_.g[j]) / formula.slope;
        if (!field_->solve(formula.factor(), residual_, scale, solved * options_.tolerance,
                           correction_))
            return false;
        add_multiple(next_.y, 1.0, correction_);
        set_point();
        // l'' changes by at most a factor e^moved on the way, so that what Newton's step leaves is
        // about `moved` times its length.
        const double size = scale.norm(correction_);
        const double moved = field_->bend(norm(correction_.data(), length));
        if (size * moved <= kNewtonShare * options_.tolerance) return true;
        if (!(moved <= 3.0)) return false;
    }
    return false;
}

// The order and the step size that the estimated errors of the last step recommend.
void Leap::choose_order(double s, const LeapScale& scale) {
    double best = 0.0;
    std::size_t chosen = order_;
    const std::size_t most = static_cast<std::size_t>(options_.most_order);
    for (std::size_t p = std::max<std::size_t>(order_ - 1, 1); p <= std::min(order_ + 1, most);
         ++p) {
        const double error = p == order_ ? last_error_ : error_of_order(p, s, &next_.y, scale);
        double longer = kSafety * std::pow(options_.tolerance / std::max(error, 1e-300),
                                           1.0 / static_cast<double>(p + 1));
        if (p != order_) longer *= kOtherOrder;
        if (longer > best) {
            best = longer;
            chosen = p;
        }
    }
    order_ = chosen;
    h_ *= std::clamp(best, 0.4, kFastestGrowth);
    // What hardly moves yet may begin to, and not in the middle of a long step.
    if (scale.norm(next_.g) <= options_.tolerance) h_ = std::min(h_, options_.longest_still);
}

void Leap::accept() {
    std::swap(past_.back(), next_);
    std::rotate(past_.begin(), past_.end() - 1, past_.end());
}

// In the next e-fold of steps.
bool Leap::moves_at_most(double size) const {
    return field_->scale(past_[0].u).norm(past_[0].g) <= size;
}

// Long after the iterates have come to rest what rounding leaves of k F may exceed the tolerance,
// where a step remembers many, and no step of the integrator would be accepted.
bool Leap::starts_at_rest(double horizon) {
    constexpr double kNearRest = 1e3;  // of the tolerance
    if (!moves_at_most(kNearRest * options_.tolerance)) return false;
    residual_.resize(past_[0].u.size());
    field_->evaluate(past_[0].u, past_[0].s, residual_);
    return is_over(horizon);
}

// Whether nothing moves any more until the horizon. One implicit Euler step to there, or a million
// times as far as now, shows it: on data that can't be separated it is Newton's step to the
// minimum. Farther than that rounding errors of the gradient would decide, so that the gradient
// itself is looked at where that step leads.
bool Leap::is_over(double horizon) {
    constexpr double kFarthest = 1e6;
    const Point& point = past_[0];
    const LeapScale scale = field_->scale(point.u);
    const double c = std::min(horizon / point.k - 1.0, kFarthest);
    residual_ = point.g;
    for (double& x : residual_) x *= c;
    if (!field_->solve(c, residual_, scale, 0.1 * kRestShare * options_.tolerance, correction_))
        return false;
    if (!(scale.norm(correction_) <= kRestShare * options_.tolerance)) return false;
    add_multiple(correction_, 1.0, point.u);
    return is_at_rest(correction_, horizon);
}

// Whether each component of the gradient at u is a rounding error, or too small to matter until the
// horizon. Coherent gradients of points with large margins are small too, but not rounding errors.
bool Leap::is_at_rest(const Vector& u, double horizon) {
    const Point& point = past_[0];
    const LeapScale scale = field_->scale(point.u);
    const LeapField::AtPace now(*field_, point.k);  // no step is larger from here on
    const auto finite = [](const Vector& v) {
        return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
    };
    // As seen from the horizon, where small gradients don't underflow; or where large ones overflow
    // there, as seen from now.
    for (const double s : {std::log(horizon), point.s}) {
        field_->evaluate(u, s, residual_);
        field_->rounding(u, sum_);
        if (!finite(residual_) || !finite(sum_)) continue;
        const double steps = std::expm1(std::log(horizon) - point.s) * std::exp(point.s - s);
        for (std::size_t j = 0; j < residual_.size(); ++j)
            residual_[j] = std::fabs(residual_[j]) <= sum_[j] ? 0.0 : steps * residual_[j];
        return scale.norm(residual_) <= 2.0 * kRestShare * options_.tolerance;
    }
    return false;
}

}  // namespace fastgrok
