#include "engines/refined_margin.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/kernels.hpp"

namespace fastgrok {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();
constexpr int kRounds = 3, kRoundsOfPairs = 12;
// The square of a relative correction after which nothing is left to correct, and the largest that
// the last one may be for the others to have been of any use.
constexpr double kEnough = 1e-24, kLeast = 1e-6;

double norm(const double* a, std::size_t n) {
    return std::sqrt(kernels().dot(a, a, n));
}

// out_i = row_i . u, with twice the digits.
void accurate_products(const Vector& rows, std::size_t count, const Vector& u, Vector& out) {
    const std::size_t cols = u.size();
    Vector padded(plain_layout(cols).length, 0.0);
    std::copy(u.begin(), u.end(), padded.begin());
    const Vector ones(count, 1.0);
    out.resize(count);
    kernels().plain64.accurate({rows.data(), ones.data(), count, cols}, padded.data(), out.data());
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
    Pairs(ActiveSet& members, const Vector& rows, std::size_t dim, HardMarginPoint& point)
        : members_(members),
          count_(members.size()),
          dim_(dim),
          point_(point),
          by_rows_(count_ * (2 * dim + 1)),
          by_columns_(rows),
          coefficients_(2 * count_ + 1, 1.0),
          theta_rest_(dim, 0.0) {
        for (std::size_t i = 0; i < count_; ++i) {
            double* to = &by_rows_[i * (2 * dim + 1)];
            std::copy_n(&rows[i * dim], dim, to);
            std::copy_n(&rows[i * dim], dim, to + dim);
            to[2 * dim] = -1.0;
        }
        by_columns_.insert(by_columns_.end(), rows.begin(), rows.end());
        by_columns_.resize(by_columns_.size() + dim);
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
            accurate_products(by_rows_, count_, u, missing);
            members_.solve(missing);
            const double size = largest(missing) / largest(point_.alpha);
            if (!(size < 0.5 * before)) break;
            const bool small = size * size < kEnough * std::min(before, 1.0);
            for (std::size_t i = 0; i < count_; ++i)
                add(point_.alpha[i], point_.rest[i], -missing[i]);
            const double head = point_.theta[dim_ - 1], rest = theta_rest_[dim_ - 1];
            sum();
            last = (point_.theta[dim_ - 1] - head) + (theta_rest_[dim_ - 1] - rest);
            before = size;
            if (small) break;
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

    ActiveSet& members_;
    std::size_t count_, dim_;
    HardMarginPoint& point_;
    // (z, z, -1), to be multiplied by (theta, its rest, 1); and the rows twice, then -theta.
    Vector by_rows_, by_columns_, coefficients_, theta_rest_;
};

}  // namespace

bool refine(ActiveSet& members, const Vector& rows, bool bias, double feature, double tol,
            HardMarginPoint& point) {
    const std::size_t count = members.size(), dim = point.theta.size();
    const double size = norm(point.theta.data(), dim);
    Vector missing;
    for (int k = 0;; ++k) {
        accurate_products(rows, count, point.theta, missing);
        bool good = true;
        for (std::size_t i = 0; i < count; ++i) {
            missing[i] = 1.0 - missing[i];
            const double rounding = 4.0 * kEps * size * norm(&rows[i * dim], dim);
            good = good && std::fabs(missing[i]) <= rounding;
        }
        if (good) break;
        if (k == kRounds) return false;
        members.solve(missing);
        for (std::size_t i = 0; i < count; ++i) point.alpha[i] += missing[i];
        members.add_sum(missing, point.theta.data());
    }
    if (bias) {
        double longest = 0.0;
        for (std::size_t i = 0; i < count; ++i)
            longest = std::max(longest, norm(&rows[i * dim], dim - 1));
        const double b = std::max(std::fabs(point.theta[dim - 1] * feature), 1.0);
        const double reach = norm(point.theta.data(), dim - 1) * longest;
        point.off = kEps * reach * reach / b;
        if (!(point.off < tol)) {
            double last = 0.0;
            if (!Pairs(members, rows, dim, point).converge(last)) return false;
            point.off = std::fabs(last * feature) / b;
        }
    }
    return *std::min_element(point.alpha.begin(), point.alpha.end()) > 0.0;
}

}  // namespace fastgrok
