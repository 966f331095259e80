// Steps of the dual of a maximum margin on the rows that are members.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "core/problem.hpp"
#include "engines/free_bias.hpp"
#include "vectors.hpp"

namespace fastgrok {

// From alpha towards the target, what members alone would have; coefficients that would become
// negative are cut off. Set is ActiveSet or GradedSet. With labels (else none) the coefficients
// balance.
template <class Set>
class DualStep {
public:
    DualStep(Set& members, const Vector& target, const Vector& labels, Vector& alpha)
        : members_(members), target_(target), labels_(labels), alpha_(alpha) {}

    // Makes it; says which coefficients are zero then.
    std::vector<bool> make() {
        const std::size_t n = target_.size();
        double safe = std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < n; ++i)
            if (target_[i] <= 0.0)
                safe = alpha_[i] > 0.0 ? std::min(safe, alpha_[i] / (alpha_[i] - target_[i])) : 0.0;
        const double length = rising_length(safe);
        std::vector<bool> gone(n);
        for (std::size_t i = 0; i < n; ++i)
            gone[i] = target_[i] <= 0.0 &&
                      alpha_[i] <= length * (alpha_[i] - target_[i]) * (1.0 + 4.0 * kEps);
        alpha_ = at(length);
        for (std::size_t i = 0; i < n; ++i)
            if (gone[i]) alpha_[i] = 0.0;
        return gone;
    }

private:
    // Shorter ones, of those that are tried, are not worth it.
    static constexpr double kShortest = 1e-3;
    static constexpr std::size_t kTriedAtOnce = 4;

    Vector at(double length) const {
        Vector next(target_.size());
        for (std::size_t i = 0; i < next.size(); ++i)
            next[i] = std::max(alpha_[i] + length * (target_[i] - alpha_[i]), 0.0);
        // Nothing is worse than zeros.
        if (!labels_.empty() && !balance_classes(labels_, next)) next.assign(next.size(), 0.0);
        return next;
    }

    // The longest of some with which the dual rises. What is left of it is half the square of the
    // distance from the target.
    double rising_length(double safe) {
        std::vector<Vector> left;
        const auto leave_at = [&](double length) {
            Vector& next = left.emplace_back(at(length));
            for (std::size_t i = 0; i < next.size(); ++i) next[i] = target_[i] - next[i];
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

    Set& members_;
    const Vector &target_, &labels_;
    Vector& alpha_;
};

}  // namespace fastgrok
