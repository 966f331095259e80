#include "engines/support.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>

#include "core/interrupt.hpp"
#include "dual_step.hpp"
#include "engines/active_set.hpp"
#include "engines/free_bias.hpp"
#include "engines/graded_set.hpp"
#include "engines/margin_pool.hpp"
#include "engines/margin_start.hpp"
#include "kernels/kernels.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

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
// Rows of fewer entries cost too little to be guessed, or not to be tried.
constexpr std::size_t kLongRows = 128;

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
          balanced_(units.free && units.columns.empty()),
          limited_(units.most < std::min(dim_, problem.rows())),
          is_member_(problem.rows()),
          theta_(dim_, 0.0) {
        steps_left_ = 400 + 16 * dim_;
    }

    Support find(const Vector& first) {
        const Vector& margins = pool_.margins_at(first);
        if (!pool_.choose(margins, std::numeric_limits<double>::infinity(), is_member_)) return {};
        bool any = begin(first.empty());
        int stalls = 0;
        while (any) {
            const double before = height_;
            if (!settle()) return {};
            // What is left is rounding where the dual does not rise, or too slowly to tell.
            stalls = height_ > before ? 0 : stalls + 1;
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
        const bool worth_it = pool_.is_everything() && pool_.size() > dim_ && dim_ >= kLongRows;
        if (at_mean && worth_it && units_.columns.empty()) {
            const MarginStart start = approach_margin(problem_, units_, pool_);
            if (!start.places.empty()) return enter_with(start);
        }
        const std::size_t count = 2 * pool_.most() <= dim_ ? pool_.most() : dim_ / 2 + 1;
        std::vector<std::size_t> wanted(std::min({count, pool_.size(), members_.room()}));
        std::iota(wanted.begin(), wanted.end(), std::size_t{0});
        return enter_first(wanted);
    }

    bool enter_first(std::vector<std::size_t>& wanted) {
        return (!balanced_ || pool_.put_both_first(wanted, members_.room())) && enter(wanted);
    }

    bool enter_with(const MarginStart& start) {
        std::vector<std::size_t> wanted = start.places;
        const auto most = static_cast<std::size_t>(kFirst * static_cast<double>(members_.room()));
        if (wanted.size() > most) wanted.resize(most);
        if (!enter_first(wanted)) return false;
        // Those that depend on others are not among the members.
        Vector by_place(pool_.size(), 0.0);
        for (std::size_t i = 0; i < start.places.size(); ++i)
            by_place[start.places[i]] = start.alpha[i];
        std::size_t k = 0;
        for (std::size_t i = 0; k < alpha_.size(); ++i)
            if (of_member_[k] == pool_.row(wanted[i])) alpha_[k++] = by_place[wanted[i]];
        return !balanced_ || balance_classes(labels_of_members(), alpha_);
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

    Vector labels_of_members() const {
        Vector y(of_member_.size());
        for (std::size_t i = 0; i < y.size(); ++i) y[i] = problem_.labels()[of_member_[i]];
        return y;
    }

    // The solution for the members.
    const Vector& aim() {
        if constexpr (std::is_same_v<Set, ActiveSet>) {
            if (balanced_) {
                // As in the last column of the members' rows.
                Vector lasts = labels_of_members();
                for (double& c : lasts) c *= units_.feature;
                free_.set(std::move(lasts), members_.lasts());
                target_ = members_.ones();
                bias_ = free_.balance(target_);
                return target_;
            }
        }
        return members_.ones();
    }

    // Moves alpha to the solution for the members; those whose coefficient vanishes leave.
    bool settle() {
        for (;;) {
            stop_if_due();
            if (steps_left_-- == 0) return false;
            const Vector& target = aim();
            double total = 0.0;
            for (const double a : target) total += std::fabs(a);
            if (!(total < Set::kMostAlpha)) return false;
            if (*std::min_element(target.begin(), target.end()) > 0.0) {
                alpha_ = target;
                return find_point();
            }
            const Vector labels = balanced_ ? labels_of_members() : Vector();
            if (!leave(DualStep(members_, target, labels, alpha_).make())) return false;
        }
    }

    // theta with margins of 1 on the members.
    bool find_point() {
        members_.start(alpha_, theta_.data());
        height_ = std::sqrt(kernels().dot(theta_.data(), theta_.data(), balanced_ ? cols_ : dim_));
        if (balanced_) theta_[cols_] += bias_;
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
            const double of_bias = balanced_ ? free_.take_from(margins_) : 0.0;
            members_.correct(margins_, alpha_, theta_.data());
            if (balanced_) theta_[cols_] += of_bias;
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
        const std::size_t room = members_.room();
        const std::size_t most =
            dim_ < kLongRows ? room
                             : std::max(static_cast<std::size_t>(kMore * static_cast<double>(room)),
                                        std::min<std::size_t>(room, 1));
        const std::size_t count =
            std::min({wanted.size(), most, std::max<std::size_t>(members_.size(), 1)});
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
        const auto solve = [&](Vector& x) {
            Vector by_member(n);
            for (std::size_t k = 0; k < n; ++k) by_member[order[k]] = x[k];
            members_.solve(by_member);
            const double b = balanced_ ? free_.balance(by_member) * units_.feature : 0.0;
            for (std::size_t k = 0; k < n; ++k) x[k] = by_member[order[k]];
            return b;
        };
        const bool near = members_.least_pivot() < kNearSpan;
        if (units_.refine && !units_.free)
            out.refined =
                refine({out.vectors.data(), solve, problem_.bias(), false, near, units_.feature},
                       units_.tol, out.point);
        if (problem_.bias()) {
            found.theta[cols_] *= units_.feature;
            out.point.theta[cols_] *= units_.feature;
            for (std::size_t k = 0; k < n; ++k)
                out.vectors[k * dim_ + cols_] = problem_.labels()[out.rows[k]];
        }
        if (units_.refine && balanced_)
            out.refined =
                refine({out.vectors.data(), solve, true, true, near}, units_.tol, out.point);
        else if (units_.refine && units_.free)
            out.refined = solve_free(out.vectors.data(), n, dim_, units_.tol, out.point);
        if (!out.refined) out.point = std::move(found);
        return out;
    }

    const Problem& problem_;
    const MarginUnits units_;
    const std::size_t cols_, dim_;
    MarginPool pool_;
    Set members_;
    const bool balanced_;  // a free bias, whose feature is not that of a guess
    const bool limited_;   // to fewer members than may be independent
    std::vector<bool> is_member_;
    std::vector<std::uint32_t> of_member_;
    std::size_t steps_left_ = 0;
    bool failed_ = false;
    Support nothing_;  // what there is where nothing was found
    Vector theta_, alpha_, margins_;
    FreeBias free_;
    Vector target_;
    double bias_ = 0.0;                               // at the target, if it is free
    double height_ = 0.0, size_ = 0.0, slack_ = 0.0;  // the first rises with the dual
};

}  // namespace

Support find_support(const Problem& problem, const MarginUnits& units, const Vector& first,
                     int threads) {
    if (units.columns.empty()) return Search<ActiveSet>(problem, units, threads).find(first);
    return Search<GradedSet>(problem, units, threads).find(first);
}

}  // namespace fastgrok
