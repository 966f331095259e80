#include "sampled_hessian.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <new>

namespace fastgrok {
namespace {

// Rows of a sample: this share of those that matter, but at least and at most so many for each
// column. How many are taken together.
constexpr std::size_t kOneIn = 8, kFewestByColumn = 4, kMostByColumn = 64, kAtOnce = 256;
// Strips of the matrix, which threads deal out among themselves.
constexpr std::size_t kStrips = 16;
// Entries of the largest matrix: 64 MiB.
constexpr std::size_t kMostEntries = std::size_t{1} << 23;
// Products that any solve may take, and what a sample must make of those of the last without one.
constexpr double kFewProducts = 2.0, kWorth = 0.7;
// Entries of rows that a pass reads while a dense product multiplies this many times as many.
constexpr double kFaster = 4.0;
// The matrix is factorised again when its factor has changed by more.
constexpr double kChange = 1.25;

}  // namespace

SampledHessian::SampledHessian(const Problem& problem, int threads)
    : problem_(problem),
      threads_(threads),
      size_(problem.layout().cols + (problem.bias() ? 1 : 0)),
      given_up_(problem.packed() || size_ * size_ > kMostEntries) {}

bool SampledHessian::begin(const Of& of) {
    fresh_ = false;
    if (given_up_) return false;
    const auto size = static_cast<double>(size_);
    const double cost =
        size * (0.5 * static_cast<double>(rows_wanted(of.rows)) + size / 6.0) / kFaster;
    const double trace = of.trace;
    if (!(trace > 0.0) || !std::isfinite(trace)) return false;
    if (excess_ > patience_ * cost) {
        excess_ = 0.0;
        sample(of);
        fresh_ = true;
        trace_ = trace;
        factor_ = 0.0;
    }
    if (hessian_.empty()) return false;
    // All curvatures may have become smaller since.
    const double scale = trace / trace_, now = of.factor * scale;
    if (!(now <= kChange * factor_ && kChange * now >= factor_)) {
        if (!factorise_with(of, scale)) {
            hessian_.clear();
            return false;
        }
        factor_ = now;
    }
    return true;
}

std::size_t SampledHessian::rows_wanted(const LeapRows& rows) const {
    const std::size_t n = rows.count();
    return std::min(n, std::clamp(n / kOneIn, kFewestByColumn * size_, kMostByColumn * size_));
}

void SampledHessian::end(const LeapRows& rows, std::size_t products) {
    const auto taken = static_cast<double>(products);
    if (fresh_ && taken > kWorth * last_) {  // it may be otherwise later
        patience_ *= 2.0;
        hessian_.clear();
    }
    if (hessian_.empty()) last_ = taken;
    excess_ += std::max(taken - kFewProducts, 0.0) * static_cast<double>(rows.count());
}

void SampledHessian::sample(const Of& of) {
    hessian_.assign(size_ * size_, 0.0);
    Vector rows(kAtOnce * size_);
    std::size_t count = 0;
    const auto edge = [&](std::size_t strip) {  // of strips that are about as large
        const double part = static_cast<double>(strip) / static_cast<double>(kStrips);
        return static_cast<std::size_t>(
            std::floor(std::sqrt(part) * static_cast<double>(size_) + 0.5));
    };
    const auto add = [&] {
        const auto step = static_cast<std::ptrdiff_t>(size_);
        const MatrixView by_rows{rows.data(), count, size_, step, 1}, all = view(hessian_);
        // Entries of the lower triangle do not depend on how it is dealt out.
        std::atomic<bool> failed = false;
        try {
            deal(kStrips, threads_, [&](std::size_t s, int) {
                const std::size_t from = edge(s), to = edge(s + 1);
                const MatrixView columns = by_rows.part(0, from, count, to - from);
                try {
                    add_product(1.0, columns.transposed(), by_rows.part(0, 0, count, to),
                                all.part(from, 0, to - from, to));
                } catch (...) {
                    failed = true;
                }
            });
        } catch (const Interrupted&) {  // half of it is none
            hessian_.clear();
            throw;
        }
        if (failed) {
            hessian_.clear();
            throw std::bad_alloc();
        }
        count = 0;
    };
    of.rows.sample(static_cast<double>(rows_wanted(of.rows)), [&](const auto& fill) {
        fill(rows.data() + count * size_);
        if (++count == kAtOnce) add();
    });
    if (count > 0) add();
}

bool SampledHessian::factorise_with(const Of& of, double scale) {
    triangle_.resize(hessian_.size());
    for (std::size_t i = 0; i < size_; ++i) {
        for (std::size_t j = 0; j <= i; ++j)
            triangle_[i * size_ + j] = of.factor * scale * hessian_[i * size_ + j];
        triangle_[i * size_ + i] += i < problem_.layout().cols ? of.of_w : of.of_bias;
    }
    return factorise(view(triangle_));
}

void SampledHessian::operator()(const Vector& r, Vector& z) {
    const std::size_t cols = problem_.layout().cols, intercept = problem_.layout().intercept;
    right_.assign(r.begin(), r.begin() + static_cast<std::ptrdiff_t>(cols));
    if (size_ > cols) right_.push_back(r[intercept]);
    const MatrixView right{right_.data(), size_, 1, 1, 1};
    solve_lower(view(triangle_), right, Side::plain);
    solve_lower(view(triangle_), right, Side::transposed);
    z.assign(r.size(), 0.0);
    std::copy_n(right_.begin(), cols, z.begin());
    if (size_ > cols) z[intercept] = right_[cols];
}

}  // namespace fastgrok
