#include "engines/margin_pool.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

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
    if (!first.empty()) return passes_.margins(first);
    const Vector& margins = passes_.margins(mean());
    if (!units_.free || !units_.columns.empty()) return margins;
    // The bias with which both classes have the same margins on average.
    double sums[2] = {0.0, 0.0}, counts[2] = {0.0, 0.0};
    for (std::size_t i = 0; i < problem_.rows(); ++i) {
        const int k = problem_.labels()[i] > 0.0 ? 1 : 0;
        sums[k] += margins[i];
        counts[k] += 1.0;
    }
    const double b = 0.5 * (sums[0] / counts[0] - sums[1] / counts[1]);
    shifted_.resize(problem_.rows());
    for (std::size_t i = 0; i < problem_.rows(); ++i)
        shifted_[i] = margins[i] + problem_.labels()[i] * b;
    return shifted_;
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
        // With a free bias no class may be missing.
        const auto of = [&](double label) {
            return [this, label](std::uint32_t i) { return problem_.labels()[i] == label; };
        };
        std::uint32_t other = 0;
        bool missing = false;
        for (const double label : {-1.0, 1.0}) {
            if (!units_.free || std::any_of(rows_.begin(), end, of(label))) continue;
            std::vector<std::uint32_t> rest(end, rows_.end());
            std::erase_if(rest, std::not_fn(of(label)));
            if (rest.empty()) continue;
            other = *std::min_element(rest.begin(), rest.end(), less);
            missing = true;
        }
        rows_.resize(most_);
        if (missing) rows_.back() = other;
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

bool MarginPool::put_both_first(std::vector<std::size_t>& places, std::size_t most) const {
    const auto is_other = [&](std::size_t place) {
        return problem_.labels()[rows_[place]] != problem_.labels()[rows_[places[0]]];
    };
    auto at = std::find_if(places.begin(), places.end(), is_other);
    if (at == places.end()) {
        std::size_t place = 0;
        while (place < rows_.size() && !is_other(place)) ++place;
        if (place == rows_.size() || most < 2) return false;
        places.resize(std::min(places.size(), most - 1));
        places.push_back(place);
        at = places.end() - 1;
    }
    std::rotate(places.begin() + 1, at, at + 1);
    return true;
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
