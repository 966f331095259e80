#include "engines/margin_start.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/interrupt.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {
namespace {

// Epochs, and how many of them a row rests whose coefficient is zero and whose margin is above 1.
constexpr int kEpochs = 50;
constexpr std::uint8_t kRest = 3;

class Ascent {
public:
    Ascent(const Problem& problem, const MarginUnits& units, const MarginPool& pool)
        : problem_(problem),
          pool_(pool),
          cols_(problem.layout().cols),
          unit_(std::ldexp(1.0, -units.exponent)),
          feature_(problem.bias() ? units.feature : 0.0),
          copy_(cols_),
          sum_(cols_, 0.0),
          squares_(pool.size(), 0.0),
          alpha_(pool.size(), 0.0),
          rests_(pool.size(), 0) {
        for (std::size_t i = 0; i < pool.size(); ++i) {
            const double* x = row(i);
            squares_[i] = unit_ * unit_ * kernels().dot(x, x, cols_) + feature_ * feature_;
        }
    }

    void run() {
        const std::size_t n = pool_.size();
        std::vector<std::uint32_t> order(n);
        std::iota(order.begin(), order.end(), std::uint32_t{0});
        std::uint64_t state = 1;  // of Knuth's generator (MMIX)
        for (int epoch = 0; epoch < kEpochs; ++epoch) {
            for (std::size_t i = n; i-- > 1;) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                std::swap(order[i], order[(state >> 33) % (i + 1)]);
            }
            for (const std::uint32_t i : order) {
                if (rests_[i] > 0) {
                    --rests_[i];
                    continue;
                }
                stop_if_due(i);
                visit(i);
            }
        }
    }

    MarginStart result() const {
        MarginStart out;
        for (std::size_t i = 0; i < alpha_.size(); ++i) {
            if (!std::isfinite(alpha_[i])) return {};
            if (alpha_[i] > 0.0) out.places.push_back(i);
        }
        std::stable_sort(out.places.begin(), out.places.end(),
                         [&](std::size_t i, std::size_t j) { return alpha_[i] > alpha_[j]; });
        for (const std::size_t i : out.places) out.alpha.push_back(alpha_[i]);
        return out;
    }

private:
    // Where its entries lie in double precision.
    const double* row(std::size_t i) {
        const double* at = nullptr;
        if (!problem_.sparse())
            problem_.visit_row(pool_.row(i), [&](auto* x, std::size_t, auto) {
                if constexpr (std::is_same_v<decltype(x), const double*>) at = x;
            });
        if (at != nullptr) return at;
        problem_.copy_row(pool_.row(i), copy_.data());
        return copy_.data();
    }

    // The coefficient with which the row has the margin 1, or 0.
    void visit(std::uint32_t i) {
        if (!(squares_[i] > 0.0)) return;
        const double* x = row(i);
        const double y = problem_.labels()[pool_.row(i)];
        const double along = unit_ * kernels().dot(x, sum_.data(), cols_) + feature_ * bias_;
        const double before = alpha_[i];
        alpha_[i] = std::max(before + (1.0 - y * along) / squares_[i], 0.0);
        const double change = y * (alpha_[i] - before);
        if (change == 0.0) {
            if (before == 0.0) rests_[i] = kRest;
            return;
        }
        const double scaled = change * unit_;
        kernels().dense.add_rows(x, 1, cols_, cols_, &scaled, sum_.data());
        bias_ += change * feature_;
    }

    const Problem& problem_;
    const MarginPool& pool_;
    const std::size_t cols_;
    const double unit_, feature_;
    Vector copy_;
    Vector sum_;  // of alpha_i z_i, and in `bias_` its last entry
    double bias_ = 0.0;
    Vector squares_, alpha_;
    std::vector<std::uint8_t> rests_;
};

}  // namespace

MarginStart approach_margin(const Problem& problem, const MarginUnits& units,
                            const MarginPool& pool) {
    Ascent ascent(problem, units, pool);
    ascent.run();
    return ascent.result();
}

}  // namespace fastgrok
