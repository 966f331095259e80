#include "engines/attack_autodiff.hpp"

#include <algorithm>
#include <cmath>

namespace fastgrok {
namespace {

// Sums of term(j) in kLanes lanes.
template <class Real, class Term>
Real lane_sum(std::size_t n, Term term) {
    Real lane[kLanes] = {};
    std::size_t j = 0;
    for (; j + kLanes <= n; j += kLanes)
        for (std::size_t l = 0; l < kLanes; ++l) lane[l] += term(j + l);
    for (std::size_t l = 0; j < n; ++j, ++l) lane[l] += term(j);
    std::size_t width = kLanes / 2;
    while (width > 0 && width >= n) width /= 2;  // the lanes from n on hold zeros
    for (; width > 0; width /= 2)
        for (std::size_t l = 0; l < width; ++l) lane[l] += lane[l + width];
    return lane[0];
}

template <class Real>
Real norm_of(const std::vector<Real>& v, Ball ball) {
    if (ball == Ball::l_1)
        return lane_sum<Real>(v.size(), [&](std::size_t j) { return std::fabs(v[j]); });
    return std::sqrt(lane_sum<Real>(v.size(), [&](std::size_t j) { return v[j] * v[j]; }));
}

// Norms are kept from 0 by the same constant as in foolbox.
template <class Real>
constexpr Real kLeastNorm = static_cast<Real>(1e-12);

template <class Real>
Real clip(Real x, Real low, Real high) {
    return std::min(std::max(x, low), high);
}

template <class Real>
std::vector<Real> rounded(const double* from, std::size_t n) {
    std::vector<Real> out(n);
    for (std::size_t j = 0; j < n; ++j) out[j] = static_cast<Real>(from[j]);
    return out;
}

}  // namespace

template <class Real>
Real logit_gradient(Real z, bool positive) {
    // exp(0 - top) + exp(z - top), of which one is 1; most rows are so far away that the other is
    // lost beside it, and no more is to be computed of them.
    const Real top = std::max(z, Real(0)), less = std::exp(-std::fabs(z));
    const Real total = Real(1) + less;
    const Real probability = total > Real(1) ? std::exp((z - top) - std::log(total))
                             : z > Real(0)   ? Real(1) + (z - top)
                                             : less;
    return positive ? probability - Real(1) : probability;
}

template float logit_gradient(float, bool);
template double logit_gradient(double, bool);

template <class Real>
AutodiffAttack<Real>::AutodiffAttack(const AttackSettings& settings, const double* w, double b,
                                     std::size_t cols)
    : settings_(settings),
      cols_(cols),
      w_(rounded<Real>(w, cols)),
      lower_(rounded<Real>(settings.lower.data(), settings.lower.size())),
      upper_(rounded<Real>(settings.upper.data(), settings.upper.size())),
      b_(static_cast<Real>(b)),
      step_size_(static_cast<Real>(settings.step_size)),
      finite_(std::isfinite(b_) &&
              std::all_of(w_.begin(), w_.end(), [](Real x) { return std::isfinite(x); })) {}

template <class Real>
void AutodiffAttack<Real>::move(const Problem& problem, std::size_t row, double radius,
                                const double* start, Interrupt& interrupt, Scratch& s,
                                double* point) const {
    s.origin.resize(cols_);
    s.gradient.resize(cols_);
    problem.copy_row(row, s.origin.data());
    s.point = s.origin;
    if (start != nullptr)
        for (std::size_t j = 0; j < cols_; ++j) s.point[j] = static_cast<Real>(start[j]);
    const double y = problem.labels()[row];
    for (std::int64_t k = 0; finite_ && k < settings_.steps && !interrupt.due(k); ++k)
        if (!step(y, static_cast<Real>(radius), s)) break;  // it would stay for ever
    for (std::size_t j = 0; j < cols_; ++j) point[j] = static_cast<double>(s.point[j]);
    // Rounding the sides of the box may have moved them outwards.
    if (settings_.has_box())
        for (std::size_t j = 0; j < cols_; ++j)
            point[j] = clip(point[j], settings_.lower[j], settings_.upper[j]);
}

// One step, rounded in the order of foolbox's gradient-descent attacks. False where nothing
// changed.
template <class Real>
bool AutodiffAttack<Real>::step(double y, Real radius, Scratch& s) const {
    std::vector<Real>&x = s.point, &g = s.gradient;
    const std::vector<Real>& origin = s.origin;
    const Real z = lane_sum<Real>(cols_, [&](std::size_t j) { return x[j] * w_[j]; }) + b_;
    const Real slope = logit_gradient(z, y > 0.0);
    if (std::isnan(slope)) return false;  // z overflowed
    bool changed = false;
    const auto put = [&](std::size_t j, Real value) {
        if (settings_.has_box()) value = clip(value, lower_[j], upper_[j]);
        changed |= value != x[j];
        x[j] = value;
    };
    if (settings_.ball == Ball::l_inf) {
        for (std::size_t j = 0; j < cols_; ++j) {
            const Real gradient = slope * w_[j];
            const Real sign = static_cast<Real>((gradient > Real(0)) - (gradient < Real(0)));
            const Real moved = x[j] + step_size_ * sign;
            const Real most = static_cast<Real>(settings_.in_column(radius, j));
            put(j, origin[j] + clip(moved - origin[j], -most, most));
        }
        return changed;
    }
    for (std::size_t j = 0; j < cols_; ++j) g[j] = slope * w_[j];
    const Real factor = Real(1) / std::max(norm_of(g, settings_.ball), kLeastNorm<Real>);
    for (std::size_t j = 0; j < cols_; ++j)
        g[j] = (x[j] + step_size_ * (g[j] * factor)) - origin[j];
    const Real shrink =
        std::min(Real(1), radius / std::max(norm_of(g, settings_.ball), kLeastNorm<Real>));
    for (std::size_t j = 0; j < cols_; ++j) put(j, origin[j] + g[j] * shrink);
    return changed;
}

template class AutodiffAttack<float>;
template class AutodiffAttack<double>;

}  // namespace fastgrok
