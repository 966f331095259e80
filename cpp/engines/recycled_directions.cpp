#include "recycled_directions.hpp"

#include <algorithm>
#include <utility>

#include "norms.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

// Of a direction nothing is new if no more than this share of its curvature is left beside those
// that are later.
constexpr double kLeastIndependent = 1e-6;
// Directions that pay for what they cost a solve, and bytes of those kept and of as many new ones,
// with their products: 64 MiB, as of the largest sample of a Hessian.
constexpr std::size_t kMost = 24, kMostBytes = std::size_t{1} << 26;

}  // namespace

RecycledDirections::RecycledDirections(const Layout& layout)
    : layout_(layout), most_(std::min(kMost, kMostBytes / (4 * sizeof(double) * layout.length))) {}

void RecycledDirections::keep(const Vector& direction, const Vector& product) {
    const double size = norm(direction.data(), direction.size());
    if (new_.size() == most_ || !(size > 0.0) || !(of_.trace > 0.0)) return;
    Kept kept{direction, product, of_.trace};
    for (double& x : kept.direction) x /= size;
    for (double& x : kept.product) x /= size;
    new_.push_back(std::move(kept));
}

void RecycledDirections::take_over(Kept kept) {
    if (kept_.size() == most_) {
        kept_.pop_back();
        for (Kept& other : kept_) {
            other.of_w.pop_back();
            other.of_bias.pop_back();
            other.of_product.pop_back();
        }
    }
    kept_.push_front(std::move(kept));
    Kept& latest = kept_.front();
    const std::size_t intercept = layout_.intercept;
    for (Kept& other : kept_) {
        const double bias = latest.direction[intercept] * other.direction[intercept];
        const double w = dot(latest.direction, other.direction) - bias;
        latest.of_w.push_back(w);
        latest.of_bias.push_back(bias);
        latest.of_product.push_back(dot(latest.product, other.direction));
        if (&other == &latest) continue;
        other.of_w.push_front(w);
        other.of_bias.push_front(bias);
        other.of_product.push_front(dot(other.product, latest.direction));
    }
}

void RecycledDirections::begin(const Of& of) {
    of_ = of;
    for (Kept& kept : new_) take_over(std::move(kept));
    new_.clear();
    used_ = of.trace > 0.0 ? kept_.size() : 0;
    while (used_ > 0 && !factorise_all()) --used_;
}

bool RecycledDirections::factorise_all() {
    gram_ = Matrix(used_);
    for (std::size_t i = 0; i < used_; ++i)
        for (std::size_t j = 0; j <= i; ++j) {
            const Kept &a = kept_[i], &b = kept_[j];
            // Of two Hessians, so that they need not agree.
            const double products =
                0.5 * (curvature(a) * a.of_product[j] + curvature(b) * b.of_product[i]);
            gram_(i, j) = gram_(j, i) =
                of_.of_w * a.of_w[j] + of_.of_bias * a.of_bias[j] + products;
        }
    Vector sizes(used_);
    for (std::size_t i = 0; i < used_; ++i) sizes[i] = gram_(i, i);
    if (!factorise_by_entries(gram_.view())) return false;
    for (std::size_t i = 0; i < used_; ++i)
        if (!(gram_(i, i) * gram_(i, i) > kLeastIndependent * sizes[i])) return false;
    return true;
}

Vector RecycledDirections::of_directions(const Vector& r) const {
    Vector out(used_);
    for (std::size_t i = 0; i < used_; ++i) out[i] = dot(kept_[i].direction, r);
    solve_factorized(gram_, out);
    return out;
}

Vector RecycledDirections::of_products(const Vector& z) const {
    Vector scaled = z, out(used_);
    for (std::size_t j = 0; j < z.size(); ++j) scaled[j] *= diagonal(j);
    for (std::size_t i = 0; i < used_; ++i)
        out[i] = dot(kept_[i].direction, scaled) + curvature(kept_[i]) * dot(kept_[i].product, z);
    solve_factorized(gram_, out);
    return out;
}

void RecycledDirections::subtract_products(Vector& from, const Vector& shares) const {
    Vector sum(from.size(), 0.0);
    add_directions(sum, shares);
    for (std::size_t j = 0; j < from.size(); ++j) from[j] -= diagonal(j) * sum[j];
    for (std::size_t i = 0; i < used_; ++i)
        add_multiple(from, -shares[i] * curvature(kept_[i]), kept_[i].product);
}

void RecycledDirections::add_directions(Vector& to, const Vector& shares) const {
    for (std::size_t i = 0; i < used_; ++i) add_multiple(to, shares[i], kept_[i].direction);
}

}  // namespace fastgrok
