// Between the points that a leap goes through: at once, and later where they were kept.
#include "engines/leap_way.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engines/leap.hpp"
#include "finite_differences.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

constexpr std::size_t kMostNodes = 7;

// Through the newest point of a step and `order` before; point(i) is the i-th of these.
template <class PointAt>
void between(double k, std::size_t order, PointAt point, Vector& u) {
    std::array<double, kMostNodes> nodes;
    for (std::size_t i = 0; i <= order; ++i) nodes[i] = point(i).s;
    const DifferenceWeights<kMostNodes, 0> weights(std::log(k), nodes.data(), order + 1, 0);
    u.assign(point(0).u.size(), 0.0);
    for (std::size_t i = 0; i <= order; ++i) add_multiple(u, weights.weight[0][i], point(i).u);
}

}  // namespace

void Leap::interpolate(double k, Vector& u) const {
    if (k >= past_[0].k) {
        u = past_[0].u;
        return;
    }
    between(k, last_order_, [this](std::size_t i) -> const Point& { return past_[i]; }, u);
    keep_bias(u);
}

void Leap::at(double k, Vector& u) const {
    interpolate(k, u);
    if (field_->coordinates() != nullptr) u = given(u);
}

void Leap::keep_step(LeapWay& way) const {
    const auto point = [](const Point& one, std::size_t order) {
        return LeapWay::Point{one.k, one.s, order, one.u};
    };
    if (converged_) way.rests_from_ = now();
    if (!way.parts_.empty() && way.parts_.back().to == now()) return;  // kept already
    if (way.parts_.empty() || way.parts_.back().to != before() ||
        way.parts_.back().coordinates != field_->shared_coordinates()) {
        LeapWay::Part part{
            before(), 0.0, field_->shared_coordinates(), field_->bias(), field_->layout().intercept,
            {}};
        way.parts_.push_back(std::move(part));
        for (std::size_t i = past_.size(); i-- > 1;)
            way.parts_.back().points.push_back(point(past_[i], 0));
    }
    way.parts_.back().points.push_back(point(past_[0], last_order_));
    way.parts_.back().to = now();
}

const LeapWay::Part* LeapWay::part_of(double k) const {
    if (k >= rests_from_) return &parts_.back();
    for (const Part& part : parts_)
        if (part.from < k && k <= part.to) return &part;
    return nullptr;
}

void LeapWay::at(double k, Vector& u) const {
    const Part& part = *part_of(k);
    const auto end = std::lower_bound(part.points.begin(), part.points.end(), k,
                                      [](const Point& one, double at) { return one.k < at; });
    if (end == part.points.end() || end->k == k) {
        u = end == part.points.end() ? part.points.back().u : end->u;
    } else {
        between(
            k, end->order,
            [end](std::size_t i) -> const Point& {
                return *(end - static_cast<std::ptrdiff_t>(i));
            },
            u);
        if (!part.bias) u[part.intercept] = end->u[part.intercept];
    }
    if (part.coordinates != nullptr) u = part.coordinates->from(u);
}

}  // namespace fastgrok
