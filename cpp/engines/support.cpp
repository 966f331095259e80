#include "engines/support.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engines/active_set.hpp"
#include "engines/graded_set.hpp"
#include "engines/passes.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {
namespace {

constexpr double kEps = std::numeric_limits<double>::epsilon();
// Rows enter whose margins miss at least this share of what the smallest misses.
constexpr double kShare = 0.3;
// Rows whose margins are beyond this are not looked at more closely.
constexpr double kNear = 1.5;
// What rounding may well take from margins, over the product of the norms, and changes of the
// members in a row that do not show in the dual.
constexpr double kRounding = kEps / 16.0;
constexpr int kMostStalls = 8, kRefinements = 3;

template <class Set>
class Search {
public:
    Search(const Problem& problem, const MarginUnits& units, int threads)
        : problem_(problem),
          units_(units),
          cols_(problem.layout().cols),
          dim_(cols_ + problem.bias()),
          passes_(problem, threads),
          members_(dim_, std::min({dim_, problem.rows(), units.most})),
          limited_(units.most < std::min(dim_, problem.rows())),
          is_member_(problem.rows()),
          theta_(dim_, 0.0) {
        const std::size_t n = problem.rows();
        const std::size_t fewest = std::max<std::size_t>(64, 4 * dim_);
        pooled_ = std::clamp(n / 16, fewest, std::max<std::size_t>(256, 16 * dim_));
        // Rows of a pool are copied with all their zeros.
        everything_ = 2 * n <= 3 * pooled_ || problem.sparse();
        if (everything_) pooled_ = n;
        steps_left_ = 200 + 8 * dim_;
    }

    Support find(const Vector& first) {
        const Vector& margins = passes_.margins(first.empty() ? mean() : first);
        if (!choose_pool(margins, std::numeric_limits<double>::infinity())) return {};
        const std::size_t count = 2 * pooled_ <= dim_ ? pooled_ : dim_ / 2 + 1;
        std::vector<std::size_t> wanted(std::min({count, pool_.size(), members_.room()}));
        for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = i;
        bool any = enter(wanted);
        int stalls = 0;
        while (any) {
            const double before = size_;
            if (!settle()) return {};
            // What is left is rounding where the dual does not rise, or too slowly to tell.
            stalls = size_ > before ? 0 : stalls + 1;
            if (stalls > kMostStalls) return result();
            if (enter_from_pool()) continue;
            if (nothing_.full || failed_ || !look_at_all()) return nothing_;
            if (pool_.empty()) return result();
            any = enter_from_pool();
        }
        return nothing_;
    }

private:
    // The sum of the rows, as theta would be.
    const Vector& mean() {
        const Layout& layout = problem_.layout();
        mean_.resize(layout.length);
        passes_.first(Vector(layout.length, 0.0), Loss::exponential, mean_);
        if (!units_.columns.empty()) {  // in units in which all columns are about 1
            for (std::size_t j = 0; j < cols_; ++j)
                mean_[j] = std::ldexp(mean_[j], -2 * (units_.columns[j] + units_.exponent));
            return mean_;
        }
        for (std::size_t j = 0; j < cols_; ++j)
            mean_[j] = std::ldexp(mean_[j], -2 * units_.exponent);
        mean_[layout.intercept] *= units_.feature * units_.feature;
        return mean_;
    }

    // The rows with the smallest margins below a bound, the smallest first; false if some margin is
    // not finite.
    bool choose_pool(const Vector& margins, double most) {
        pool_.clear();
        bool finite = true;
        for (std::size_t i = 0; i < problem_.rows(); ++i) {
            finite = finite && std::isfinite(margins[i]);
            if (margins[i] < most && !is_member_[i]) pool_.push_back(static_cast<std::uint32_t>(i));
        }
        if (!finite) return false;
        const auto less = [&](std::uint32_t i, std::uint32_t j) {
            return margins[i] < margins[j] || (margins[i] == margins[j] && i < j);
        };
        if (pool_.size() > pooled_) {
            const auto end = pool_.begin() + static_cast<std::ptrdiff_t>(pooled_);
            std::nth_element(pool_.begin(), end, pool_.end(), less);
            pool_.resize(pooled_);
        }
        std::sort(pool_.begin(), pool_.end(), less);
        if (everything_) return true;
        rows_.resize(pool_.size() * dim_);
        for (std::size_t i = 0; i < pool_.size(); ++i) copy_row(pool_[i], &rows_[i * dim_]);
        return true;
    }

    void copy_row(std::size_t row, double* out) const {
        stop_if_due(row);
        const double y = problem_.labels()[row];
        const double unit = std::ldexp(y, -units_.exponent);
        problem_.copy_row(row, out);
        for (std::size_t j = 0; j < cols_; ++j) out[j] *= unit;
        if (problem_.bias()) out[cols_] = y * units_.feature;
    }

    // A row of the pool, by its place in it.
    void copy_place(std::size_t place, double* out) const {
        if (everything_) return copy_row(pool_[place], out);
        std::copy_n(&rows_[place * dim_], dim_, out);
    }

    // Takes in rows of the pool, by their places in it.
    bool enter(const std::vector<std::size_t>& places) {
        const std::size_t before = members_.size();
        for (const std::size_t place : places) copy_place(place, members_.add_row());
        const std::vector<bool> in = members_.append(before);
        for (std::size_t k = 0; k < places.size(); ++k) {
            if (!in[k]) continue;
            of_member_.push_back(pool_[places[k]]);
            is_member_[of_member_.back()] = true;
            alpha_.push_back(0.0);
        }
        return std::find(in.begin(), in.end(), true) != in.end();
    }

    // Those who stay lose nothing of the factor up to the first who leaves; behind it the smallest
    // coefficients come last, for they are likely to leave next.
    bool leave(const std::vector<bool>& gone) {
        std::vector<std::size_t> order;
        std::size_t first = gone.size();
        for (std::size_t i = 0; i < gone.size(); ++i) {
            if (!gone[i]) {
                order.push_back(i);
                continue;
            }
            first = std::min(first, i);
            is_member_[of_member_[i]] = false;
        }
        if (order.empty()) return false;
        std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(first), order.end(),
                         [&](std::size_t i, std::size_t j) { return alpha_[i] > alpha_[j]; });
        const std::vector<std::uint32_t> rows = of_member_;
        const Vector alpha = alpha_;
        of_member_.resize(order.size());
        alpha_.resize(order.size());
        for (std::size_t i = first; i < order.size(); ++i) {
            of_member_[i] = rows[order[i]];
            alpha_[i] = alpha[order[i]];
        }
        return members_.keep(order);
    }

    // Moves alpha to the solution for the members; those whose coefficient vanishes leave.
    bool settle() {
        for (;;) {
            stop_if_due();
            if (steps_left_-- == 0) return false;
            const Vector& target = members_.ones();
            double total = 0.0;
            for (const double a : target) total += std::fabs(a);
            if (!(total < Set::kMostAlpha)) return false;
            if (*std::min_element(target.begin(), target.end()) > 0.0) {
                alpha_ = target;
                return find_point();
            }
            if (!leave(step_to(target))) return false;
        }
    }

    // A step towards the target; says which coefficients are zero then.
    std::vector<bool> step_to(const Vector& target) {
        const std::size_t n = target.size();
        double safe = std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < n; ++i)
            if (target[i] <= 0.0)
                safe = alpha_[i] > 0.0 ? std::min(safe, alpha_[i] / (alpha_[i] - target[i])) : 0.0;
        // What is left of the dual is half the square of the distance from the target.
        Vector next(n), left(n);
        for (std::size_t i = 0; i < n; ++i) left[i] = target[i] - alpha_[i];
        const double most = members_.square(left);
        double length = 1.0;
        for (;; length *= 0.5) {
            length = std::max(length, safe);
            for (std::size_t i = 0; i < n; ++i) {
                next[i] = std::max(alpha_[i] + length * (target[i] - alpha_[i]), 0.0);
                left[i] = target[i] - next[i];
            }
            if (length <= safe || length < 1e-3 || members_.square(left) < most) break;
        }
        if (length > safe && length < 1e-3) length = safe;
        std::vector<bool> gone(n);
        for (std::size_t i = 0; i < n; ++i) {
            const double fall = alpha_[i] - target[i];
            gone[i] = target[i] <= 0.0 && alpha_[i] <= length * fall * (1.0 + 4.0 * kEps);
            alpha_[i] = gone[i] ? 0.0 : std::max(alpha_[i] - length * fall, 0.0);
        }
        return gone;
    }

    // theta with margins of 1 on the members.
    bool find_point() {
        members_.start(alpha_, theta_.data());
        size_ = std::sqrt(kernels().dot(theta_.data(), theta_.data(), dim_));
        slack_ = units_.tol + kRounding * size_;
        for (int k = 0; k < kRefinements; ++k) {
            members_.products(theta_.data(), margins_);
            double off = 0.0;
            for (double& m : margins_) {
                m = 1.0 - m;
                off = std::max(off, std::fabs(m));
            }
            if (!(off < 0.5)) return false;
            if (off <= 0.25 * slack_) break;
            members_.correct(margins_, alpha_, theta_.data());
        }
        return true;
    }

    void find_margins_in_pool() {
        margins_.assign(pool_.size(), 0.0);
        if (everything_) {
            const Vector& all = margins();
            for (std::size_t i = 0; i < pool_.size(); ++i) margins_[i] = all[pool_[i]];
            return;
        }
        add_product({rows_.data(), pool_.size(), dim_, static_cast<std::ptrdiff_t>(dim_), 1},
                    theta_.data(), margins_.data());
    }

    // Of all rows at theta.
    const Vector& margins() {
        Vector w(cols_);
        for (std::size_t j = 0; j < cols_; ++j) w[j] = std::ldexp(theta_[j], -units_.exponent);
        const double b = problem_.bias() ? theta_[cols_] * units_.feature : 0.0;
        return passes_.margins(problem_.pack_parameters(w.data(), b));
    }

    // Whether a row that is no member is inside the margin, beyond rounding.
    bool is_inside(std::size_t row, double margin) const {
        stop_if_due(row);
        if (!(margin < 1.0 - units_.tol) || is_member_[row]) return false;
        if (margin < 1.0 - slack_) return true;
        Vector z(dim_);
        copy_row(row, z.data());
        double reach = size_ * std::sqrt(kernels().dot(z.data(), z.data(), dim_));
        if (!units_.columns.empty()) {
            reach = 0.0;
            for (std::size_t j = 0; j < dim_; ++j) reach += std::fabs(z[j] * theta_[j]);
        }
        return margin < 1.0 - units_.tol - kRounding * reach;
    }

    // Rows of the pool inside the margin enter.
    bool enter_from_pool() {
        find_margins_in_pool();
        double least = 1.0;
        std::size_t worst = pool_.size();
        std::vector<std::size_t> wanted;
        for (std::size_t i = 0; i < pool_.size(); ++i) {
            if (!is_inside(pool_[i], margins_[i])) continue;
            wanted.push_back(i);
            if (margins_[i] < least) {
                least = margins_[i];
                worst = i;
            }
        }
        if (wanted.empty()) return false;
        nothing_.full = limited_ && members_.room() == 0;
        if (nothing_.full) return false;
        const double below = 1.0 - kShare * (1.0 - least);
        std::erase_if(wanted, [&](std::size_t i) { return margins_[i] > below; });
        const std::size_t count =
            std::min({wanted.size(), members_.room(), std::max<std::size_t>(members_.size(), 1)});
        const auto end = wanted.begin() + static_cast<std::ptrdiff_t>(count);
        std::partial_sort(wanted.begin(), end, wanted.end(), [&](std::size_t i, std::size_t j) {
            return margins_[i] < margins_[j] || (margins_[i] == margins_[j] && i < j);
        });
        wanted.resize(count);
        if (count > 0 && enter(wanted)) return true;
        failed_ = !exchange(worst);
        return !failed_;
    }

    // A row that depends on the members takes the place of one of them; false if none can leave.
    bool exchange(std::size_t place) {
        Vector share, row(dim_);
        copy_place(place, row.data());
        members_.shares(row.data(), share);
        double length = std::numeric_limits<double>::infinity();
        std::size_t out = share.size();
        for (std::size_t i = 0; i < share.size(); ++i)
            if (share[i] > 0.0 && alpha_[i] < length * share[i]) {
                length = alpha_[i] / share[i];
                out = i;
            }
        if (out == share.size()) return false;
        for (std::size_t i = 0; i < share.size(); ++i)
            alpha_[i] = std::max(alpha_[i] - length * share[i], 0.0);
        std::vector<bool> gone(share.size());
        gone[out] = true;
        if (share.size() > 1 && !leave(gone)) return false;
        if (share.size() == 1) return false;
        if (!enter({place})) return false;
        alpha_.back() = length;
        return true;
    }

    // A pass over all rows; false if margins are not finite. No row is in the pool then if none is
    // inside the margin.
    bool look_at_all() {
        if (everything_) {
            pool_.clear();
            return true;
        }
        const Vector& margins = this->margins();
        bool inside = false;
        for (std::size_t i = 0; i < problem_.rows(); ++i)
            inside = inside || is_inside(i, margins[i]);
        if (!choose_pool(margins, kNear)) return false;
        if (!inside) pool_.clear();
        return true;
    }

    // The members, as their rows lie.
    Support result() {
        const std::size_t n = members_.size();
        std::vector<std::size_t> order;
        Support out;
        out.found = true;
        out.vectors = members_.take_rows(order);
        HardMarginPoint found{theta_, Vector(n), Vector(n, 0.0)};
        for (std::size_t k = 0; k < n; ++k) {
            out.rows.push_back(of_member_[order[k]]);
            found.alpha[k] = alpha_[order[k]];
        }
        out.point = found;
        if (units_.refine && !units_.free) {
            const auto solve = [&](Vector& x) {
                Vector by_member(n);
                for (std::size_t k = 0; k < n; ++k) by_member[order[k]] = x[k];
                members_.solve(by_member);
                for (std::size_t k = 0; k < n; ++k) x[k] = by_member[order[k]];
                return 0.0;
            };
            const bool near = members_.least_pivot() < kNearSpan;
            out.refined =
                refine({out.vectors.data(), solve, problem_.bias(), false, near, units_.feature},
                       units_.tol, out.point);
        }
        if (problem_.bias()) {
            found.theta[cols_] *= units_.feature;
            out.point.theta[cols_] *= units_.feature;
            for (std::size_t k = 0; k < n; ++k)
                out.vectors[k * dim_ + cols_] = problem_.labels()[out.rows[k]];
            if (units_.refine && units_.free)
                out.refined = solve_free(out.vectors.data(), n, dim_, units_.tol, out.point);
        }
        if (!out.refined) out.point = std::move(found);
        return out;
    }

    const Problem& problem_;
    const MarginUnits units_;
    const std::size_t cols_, dim_;
    Passes passes_;
    Set members_;
    const bool limited_;  // to fewer members than may be independent
    std::vector<bool> is_member_;
    std::vector<std::uint32_t> of_member_, pool_;
    std::size_t pooled_ = 0, steps_left_ = 0;
    bool everything_ = false, failed_ = false;
    Support nothing_;  // what there is where nothing was found
    Vector theta_, alpha_, mean_, margins_;
    Table<double> rows_;  // of the pool, unless that is everything
    double size_ = 0.0, slack_ = 0.0;
};

}  // namespace

Support find_support(const Problem& problem, const MarginUnits& units, const Vector& first,
                     int threads) {
    if (units.columns.empty()) return Search<ActiveSet>(problem, units, threads).find(first);
    return Search<GradedSet>(problem, units, threads).find(first);
}

}  // namespace fastgrok
