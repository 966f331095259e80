#include "engines/refined_margin.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/pages.hpp"
#include "engines/active_set.hpp"
#include "engines/free_bias.hpp"
#include "kernels/kernels.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

constexpr int kRounds = 3, kRoundsOfPairs = 12;
// Relative corrections: one after which nothing is left to correct, and the largest that the last
// one may be for the others to have been of any use.
constexpr double kEnough = 1e-18, kLeast = 1e-6;
// So many times as large as what the weights add to margins, a bias hides them.
constexpr double kMuch = 4.0;

double length_of(const double* a, std::size_t n) {
    return std::sqrt(kernels().dot(a, a, n));
}

// out_i = row_i . u, with twice the digits.
void accurate_products(const double* rows, std::size_t count, const Vector& u, Vector& out) {
    const std::size_t cols = u.size();
    Vector padded(plain_layout(cols).length, 0.0);
    std::copy(u.begin(), u.end(), padded.begin());
    const Vector ones(count, 1.0);
    out.resize(count);
    kernels().plain64.accurate({rows, ones.data(), count, cols}, padded.data(), out.data());
}

double largest(const Vector& values) {
    double out = 0.0;
    for (const double x : values) out = std::max(out, std::fabs(x));
    return out;
}

// head + rest += change, head being the sum rounded (Knuth's sum without error).
void add(double& head, double& rest, double change) {
    const double total = head + change, part = total - head;
    const double left = rest + ((head - (total - part)) + (change - part));
    head = total + left;
    rest = left - (head - total);
}

class Pairs {
public:
    Pairs(const MarginMembers& members, HardMarginPoint& point)
        : solve_(members.solve),
          count_(point.alpha.size()),
          dim_(point.theta.size()),
          point_(point),
          by_rows_(count_ * (2 * dim_ + 1)),
          by_columns_((2 * count_ + 1) * dim_),
          coefficients_(2 * count_ + 1, 1.0),
          theta_rest_(dim_, 0.0) {
        const std::size_t dim = dim_;
        const double* rows = members.rows;
        for (std::size_t i = 0; i < count_; ++i) {
            double* to = &by_rows_[i * (2 * dim + 1)];
            std::copy_n(rows + i * dim, dim, to);
            std::copy_n(rows + i * dim, dim, to + dim);
            to[2 * dim] = -1.0;
        }
        std::copy_n(rows, count_ * dim, by_columns_.data());
        std::copy_n(rows, count_ * dim, &by_columns_[count_ * dim]);
    }

    // Whether corrections became small; `last` is that of theta's last entry.
    bool converge(double& last) {
        point_.rest.assign(count_, 0.0);
        double before = std::numeric_limits<double>::infinity();
        Vector u(2 * dim_ + 1, 1.0), missing;
        sum();
        for (int k = 0; k < kRoundsOfPairs; ++k) {
            std::copy(point_.theta.begin(), point_.theta.end(), u.begin());
            std::copy(theta_rest_.begin(), theta_rest_.end(),
                      u.begin() + static_cast<std::ptrdiff_t>(dim_));
            accurate_products(by_rows_.data(), count_, u, missing);
            solve_(missing);
            const double size = largest(missing) / largest(point_.alpha);
            if (!(size < 0.5 * before)) break;
            for (std::size_t i = 0; i < count_; ++i)
                add(point_.alpha[i], point_.rest[i], -missing[i]);
            const double head = point_.theta[dim_ - 1], rest = theta_rest_[dim_ - 1];
            sum();
            last = (point_.theta[dim_ - 1] - head) + (theta_rest_[dim_ - 1] - rest);
            before = size;
            if (size < kEnough) break;
        }
        return before < kLeast;
    }

private:
    // theta, and what float64 leaves of it.
    void sum() {
        std::copy(point_.alpha.begin(), point_.alpha.end(), coefficients_.begin());
        std::copy(point_.rest.begin(), point_.rest.end(),
                  coefficients_.begin() + static_cast<std::ptrdiff_t>(count_));
        const auto sums = [&](std::size_t rows, Vector& out) {
            kernels().accurate_sums(by_columns_.data(), rows, dim_, coefficients_.data(),
                                    out.data());
        };
        sums(2 * count_, point_.theta);
        for (std::size_t j = 0; j < dim_; ++j)
            by_columns_[2 * count_ * dim_ + j] = -point_.theta[j];
        sums(2 * count_ + 1, theta_rest_);
    }

    const std::function<double(Vector&)>& solve_;
    std::size_t count_, dim_;
    HardMarginPoint& point_;
    // (z, z, -1), to be multiplied by (theta, its rest, 1); and the rows twice, then -theta.
    Table<double> by_rows_, by_columns_;
    Vector coefficients_, theta_rest_;
};

}  // namespace

bool refine(const MarginMembers& members, double tol, HardMarginPoint& point) {
    const double *const rows = members.rows, feature = members.feature;
    const std::size_t count = point.alpha.size(), dim = point.theta.size();
    const double size = length_of(point.theta.data(), dim);
    Vector missing, norms(count);
    for (std::size_t i = 0; i < count; ++i) norms[i] = length_of(rows + i * dim, dim);
    bool more = members.near;
    for (int k = 0;; ++k) {
        accurate_products(rows, count, point.theta, missing);
        bool good = true;
        for (std::size_t i = 0; i < count; ++i) {
            missing[i] = 1.0 - missing[i];
            const double rounding = 4.0 * kEps * size * norms[i];
            good = good && std::fabs(missing[i]) <= rounding;
            more = more || rounding > tol;
        }
        if (good) break;
        if (k == kRounds) return false;
        const double of_bias = members.solve(missing);
        for (std::size_t i = 0; i < count; ++i) point.alpha[i] += missing[i];
        kernels().dense.add_rows(rows, count, dim, dim, missing.data(), point.theta.data());
        if (members.free) point.theta[dim - 1] += of_bias;
    }
    if (members.bias) {
        double longest = 0.0;
        for (std::size_t i = 0; i < count; ++i)
            longest = std::max(longest, length_of(rows + i * dim, dim - 1));
        const double own = std::fabs(point.theta[dim - 1] * feature), b = std::max(own, 1.0);
        const double reach = length_of(point.theta.data(), dim - 1) * longest;
        point.off = kEps * reach * reach / b;
        if (!(point.off < tol)) {
            // By what w misses of being the sum of its rows.
            Vector left(dim);
            kernels().accurate_sums(rows, count, dim, point.alpha.data(), left.data());
            for (std::size_t j = 0; j < dim; ++j) left[j] -= point.theta[j];
            point.off = length_of(left.data(), dim - 1) * longest / b;
        }
        // Margins say little of weights that hardly matter to them.
        more = more || !(point.off < tol) || own > kMuch * reach;
    }
    if (more) {
        double last = 0.0;
        if (members.free || !Pairs(members, point).converge(last)) return false;
        const double b = std::max(std::fabs(point.theta[dim - 1] * feature), 1.0);
        if (members.bias) point.off = std::fabs(last * feature) / b;
    }
    return *std::min_element(point.alpha.begin(), point.alpha.end()) > 0.0;
}

bool solve_free(const double* rows, std::size_t count, std::size_t dim, double tol,
                HardMarginPoint& point) {
    ActiveSet members(dim, count);
    Vector y(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::copy_n(rows + i * dim, dim, members.add_row());
        y[i] = rows[i * dim + dim - 1];
    }
    const std::vector<bool> in = members.append(0);
    if (std::find(in.begin(), in.end(), false) != in.end()) return false;
    Vector pull = y;
    members.solve(pull);
    FreeBias bias;
    bias.set(std::move(y), std::move(pull));
    const auto solve = [&](Vector& x) {
        members.solve(x);
        return bias.balance(x);
    };
    point.alpha.assign(count, 1.0);
    const double b = solve(point.alpha);
    point.rest.assign(count, 0.0);
    point.theta.assign(dim, 0.0);
    kernels().dense.add_rows(rows, count, dim, dim, point.alpha.data(), point.theta.data());
    point.theta[dim - 1] = b;
    return refine({rows, solve, true, true, members.least_pivot() < kNearSpan}, tol, point);
}

}  // namespace fastgrok
