#include "engines/margin_pool.hpp"

#include <algorithm>
#include <cmath>

#include "core/interrupt.hpp"
#include "engines/dense.hpp"

namespace fastgrok {

MarginPool::MarginPool(const Problem& problem, const MarginUnits& units, int threads)
    : problem_(problem),
      units_(units),
      cols_(problem.layout().cols),
      dim_(cols_ + problem.bias()),
      passes_(problem, threads) {
    const std::size_t n = problem.rows();
    const std::size_t fewest = std::max<std::size_t>(64, 4 * dim_);
    most_ = std::clamp(n / 16, fewest, std::max<std::size_t>(256, 16 * dim_));
    // Rows of a pool are copied with all their zeros.
    everything_ = 2 * n <= 3 * most_ || problem.sparse();
    if (everything_) most_ = n;
}

// The sum of the rows, as theta would be.
const Vector& MarginPool::mean() {
    const Layout& layout = problem_.layout();
    mean_.resize(layout.length);
    passes_.first(Vector(layout.length, 0.0), Loss::exponential, mean_);
    if (!units_.columns.empty()) {  // in units in which all columns are about 1
        for (std::size_t j = 0; j < cols_; ++j)
            mean_[j] = std::ldexp(mean_[j], -2 * (units_.columns[j] + units_.exponent));
        return mean_;
    }
    for (std::size_t j = 0; j < cols_; ++j) mean_[j] = std::ldexp(mean_[j], -2 * units_.exponent);
    mean_[layout.intercept] *= units_.feature * units_.feature;
    return mean_;
}

const Vector& MarginPool::margins_at(const Vector& first) {
    return passes_.margins(first.empty() ? mean() : first);
}

const Vector& MarginPool::margins(const Vector& theta) {
    Vector w(cols_);
    for (std::size_t j = 0; j < cols_; ++j) w[j] = std::ldexp(theta[j], -units_.exponent);
    const double b = problem_.bias() ? theta[cols_] * units_.feature : 0.0;
    return passes_.margins(problem_.pack_parameters(w.data(), b));
}

bool MarginPool::choose(const Vector& margins, double below, const std::vector<bool>& is_member) {
    rows_.clear();
    bool finite = true;
    for (std::size_t i = 0; i < problem_.rows(); ++i) {
        finite = finite && std::isfinite(margins[i]);
        if (margins[i] < below && !is_member[i]) rows_.push_back(static_cast<std::uint32_t>(i));
    }
    if (!finite) return false;
    const auto less = [&](std::uint32_t i, std::uint32_t j) {
        return margins[i] < margins[j] || (margins[i] == margins[j] && i < j);
    };
    if (rows_.size() > most_) {
        const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(most_);
        std::nth_element(rows_.begin(), end, rows_.end(), less);
        rows_.resize(most_);
    }
    std::sort(rows_.begin(), rows_.end(), less);
    if (everything_) return true;
    table_.resize(rows_.size() * dim_);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        stop_if_due(i);
        copy_row(rows_[i], &table_[i * dim_]);
    }
    return true;
}

void MarginPool::copy_row(std::size_t row, double* out) const {
    const double y = problem_.labels()[row];
    const double unit = std::ldexp(y, -units_.exponent);
    problem_.copy_row(row, out);
    for (std::size_t j = 0; j < cols_; ++j) out[j] *= unit;
    if (problem_.bias()) out[cols_] = y * units_.feature;
}

void MarginPool::copy(std::size_t place, double* out) const {
    if (everything_) return copy_row(rows_[place], out);
    std::copy_n(&table_[place * dim_], dim_, out);
}

void MarginPool::find_margins(const Vector& theta, Vector& out) {
    out.assign(rows_.size(), 0.0);
    if (everything_) {
        const Vector& all = margins(theta);
        for (std::size_t i = 0; i < rows_.size(); ++i) out[i] = all[rows_[i]];
        return;
    }
    add_product({table_.data(), rows_.size(), dim_, static_cast<std::ptrdiff_t>(dim_), 1},
                theta.data(), out.data());
}

}  // namespace fastgrok
