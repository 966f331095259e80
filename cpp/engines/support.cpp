#include "engines/support.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/interrupt.hpp"
#include "engines/active_set.hpp"
#include "engines/graded_set.hpp"
#include "engines/margin_pool.hpp"
#include "engines/margin_start.hpp"
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
constexpr int kMostStalls = 8;
constexpr int kRefinements = 3;
// The share of the members that there may be who are guessed first.
constexpr double kFirst = 0.9;
// The share of the room left that is taken at once: with all of it the members determine theta, and
// many leave at once.
constexpr double kMore = 0.6;
// Rows of fewer entries cost too little to be guessed.
constexpr std::size_t kLongRows = 100;
// Steps shorter than this, of those that are tried, are not worth it.
constexpr double kShortest = 1e-3;
constexpr std::size_t kTriedAtOnce = 4;

template <class Set>
class Search {
public:
    Search(const Problem& problem, const MarginUnits& units, int threads)
        : problem_(problem),
          units_(units),
          cols_(problem.layout().cols),
          dim_(cols_ + problem.bias()),
          pool_(problem, units_, threads),
          members_(dim_, std::min({dim_, problem.rows(), units.most})),
          limited_(units.most < std::min(dim_, problem.rows())),
          is_member_(problem.rows()),
          theta_(dim_, 0.0) {
        steps_left_ = 200 + 8 * dim_;
    }

    Support find(const Vector& first) {
        const Vector& margins = pool_.margins_at(first);
        if (!pool_.choose(margins, std::numeric_limits<double>::infinity(), is_member_)) return {};
        bool any = begin(first.empty());
        int stalls = 0;
        while (any) {
            const double before = size_;
            if (!settle()) return {};
            // What is left is rounding where the dual does not rise, or too slowly to tell.
            stalls = size_ > before ? 0 : stalls + 1;
            if (stalls > kMostStalls) return result();
            if (enter_from_pool()) continue;
            if (nothing_.full || failed_ || !look_at_all()) return nothing_;
            if (pool_.size() == 0) return result();
            any = enter_from_pool();
        }
        return nothing_;
    }

private:
    // The first members: those that seem to be in the support where that is worth finding out, else
    // those of small margins.
    bool begin(bool at_mean) {
        if (at_mean && units_.columns.empty() && dim_ >= kLongRows && pool_.size() > dim_) {
            const MarginStart start = approach_margin(problem_, units_, pool_);
            if (!start.places.empty()) return enter_with(start);
        }
        const std::size_t count = 2 * pool_.most() <= dim_ ? pool_.most() : dim_ / 2 + 1;
        std::vector<std::size_t> wanted(std::min({count, pool_.size(), members_.room()}));
        std::iota(wanted.begin(), wanted.end(), std::size_t{0});
        return enter(wanted);
    }

    bool enter_with(const MarginStart& start) {
        std::vector<std::size_t> wanted = start.places;
        const auto most = static_cast<std::size_t>(kFirst * static_cast<double>(members_.room()));
        if (wanted.size() > most) wanted.resize(most);
        if (!enter(wanted)) return false;
        // Those that depend on others are not among the members.
        std::size_t k = 0;
        for (std::size_t i = 0; k < alpha_.size(); ++i)
            if (of_member_[k] == pool_.row(wanted[i])) alpha_[k++] = start.alpha[i];
        return true;
    }

    // Takes in rows of the pool, by their places in it.
    bool enter(const std::vector<std::size_t>& places) {
        const std::size_t before = members_.size();
        for (std::size_t k = 0; k < places.size(); ++k) {
            stop_if_due(k);
            pool_.copy(places[k], members_.add_row());
        }
        const std::vector<bool> in = members_.append(before);
        for (std::size_t k = 0; k < places.size(); ++k) {
            if (!in[k]) continue;
            of_member_.push_back(pool_.row(places[k]));
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
        if (!members_.mends(first, gone.size() - order.size()))
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
        const double length = rising_length(target, safe);
        std::vector<bool> gone(n);
        for (std::size_t i = 0; i < n; ++i) {
            const double fall = alpha_[i] - target[i];
            gone[i] = target[i] <= 0.0 && alpha_[i] <= length * fall * (1.0 + 4.0 * kEps);
            alpha_[i] = gone[i] ? 0.0 : std::max(alpha_[i] - length * fall, 0.0);
        }
        return gone;
    }

    // The longest of some steps with which the dual rises. What is left of it is half the square of
    // the distance from the target.
    double rising_length(const Vector& target, double safe) {
        std::vector<Vector> left;
        const auto leave_at = [&](double length) {
            Vector& next = left.emplace_back(target);
            for (std::size_t i = 0; i < next.size(); ++i)
                next[i] -= std::max(alpha_[i] + length * (target[i] - alpha_[i]), 0.0);
        };
        leave_at(0.0);
        double most = -1.0, length = 1.0;
        while (length > safe && length > kShortest) {
            double tried = length;
            for (; left.size() < kTriedAtOnce && length > safe && length > kShortest; length *= 0.5)
                leave_at(length);
            const Vector squares = members_.squares(left);
            left.clear();
            std::size_t k = 0;
            if (most < 0.0) most = squares[k++];
            for (; k < squares.size(); ++k, tried *= 0.5)
                if (squares[k] < most) return tried;
        }
        return safe;
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

    // Whether a row that is no member is inside the margin, beyond rounding.
    bool is_inside(std::size_t row, double margin) const {
        if (!(margin < 1.0 - units_.tol) || is_member_[row]) return false;
        if (margin < 1.0 - slack_) return true;
        Vector z(dim_);
        pool_.copy_row(row, z.data());
        double reach = size_ * std::sqrt(kernels().dot(z.data(), z.data(), dim_));
        if (!units_.columns.empty()) {
            reach = 0.0;
            for (std::size_t j = 0; j < dim_; ++j) reach += std::fabs(z[j] * theta_[j]);
        }
        return margin < 1.0 - units_.tol - kRounding * reach;
    }

    // Rows of the pool inside the margin enter.
    bool enter_from_pool() {
        pool_.find_margins(theta_, margins_);
        double least = 1.0;
        std::size_t worst = pool_.size();
        std::vector<std::size_t> wanted;
        for (std::size_t i = 0; i < pool_.size(); ++i) {
            stop_if_due(i);
            if (!is_inside(pool_.row(i), margins_[i])) continue;
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
        const auto most = static_cast<std::size_t>(kMore * static_cast<double>(members_.room()));
        const std::size_t count =
            std::min({wanted.size(), std::max(most, std::min<std::size_t>(members_.room(), 1)),
                      std::max<std::size_t>(members_.size(), 1)});
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
        pool_.copy(place, row.data());
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
        if (pool_.is_everything()) {
            pool_.clear();
            return true;
        }
        const Vector& margins = pool_.margins(theta_);
        bool inside = false;
        for (std::size_t i = 0; i < problem_.rows(); ++i) {
            stop_if_due(i);
            inside = inside || is_inside(i, margins[i]);
        }
        if (!pool_.choose(margins, kNear, is_member_)) return false;
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
    MarginPool pool_;
    Set members_;
    const bool limited_;  // to fewer members than may be independent
    std::vector<bool> is_member_;
    std::vector<std::uint32_t> of_member_;
    std::size_t steps_left_ = 0;
    bool failed_ = false;
    Support nothing_;  // what there is where nothing was found
    Vector theta_, alpha_, margins_;
    double size_ = 0.0, slack_ = 0.0;
};

}  // namespace

Support find_support(const Problem& problem, const MarginUnits& units, const Vector& first,
                     int threads) {
    if (units.columns.empty()) return Search<ActiveSet>(problem, units, threads).find(first);
    return Search<GradedSet>(problem, units, threads).find(first);
}

}  // namespace fastgrok
