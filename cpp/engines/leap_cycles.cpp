// The leaping integrator's field of cycles where Hessians are known by their products with vectors.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "engines/small_matrix.hpp"
#include "leap_fields.hpp"
#include "norms.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

// F_p(u), the sum of F along p steps from u, whose derivative is J = (I - A_p) ... (I - A_1) - I
// with the Hessians A_i along these, times the rate. It is not symmetric: Newton's equations are
// solved by GMRES (Saad and Schultz 1986).
class CycleField : public LeapField {
public:
    CycleField(const Problem& problem, Loss loss, const SlowMotion& motion, int period, int threads,
               std::function<void()> between_passes)
        : LeapField(problem, loss, motion, threads, std::move(between_passes)),
          weights_(static_cast<std::size_t>(period)) {}

    void evaluate(const Vector& u, double s, Vector& g) override {
        k_ = std::exp(s);
        walk(u, g, [](std::size_t, const Vector&) {});
        for (double& x : g) x *= k_;
    }

    // From 0; what is left is measured by a norm that is at least that of the scale.
    bool solve(double c, const Vector& r, const LeapScale& scale, double accuracy,
               Vector& x) override {
        constexpr std::size_t kMostVectors = 150;
        constexpr int kMostRestarts = 4;
        // The derivative has eigenvalues of both signs, where errors are larger than what is left.
        constexpr double kShare = 0.01;
        accuracy *= kShare;
        if (scale.norm(r) <= accuracy) {
            x = r;
            return true;
        }
        x.assign(r.size(), 0.0);
        Vector residual = r;
        for (int n = 0; n < kMostRestarts; ++n) {
            if (!improve(c * k_, residual, scale, accuracy, kMostVectors, x)) return false;
            if (scale.norm(residual) <= accuracy) return true;
        }
        return false;
    }

    // Estimated: what two patterns of signs of the largest rounding errors, the same at every step
    // of a round and carried to its end, move u by.
    double rounding_effect(const Vector& u, double s, const LeapScale& scale,
                           double enough) override {
        constexpr double kOthers = 2.0;  // other patterns may do more
        Vector error(u.size()), all(u.size(), 0.0), effect;
        std::vector<Vector> sizes(weights_.size());
        log_rate_ = s + std::log(rate_);
        k_ = std::exp(s);
        walk(u, error, [&](std::size_t step, const Vector& at) {
            sum_sizes(at, sizes[step], share(RoundingShare::Of::error));
            add_multiple(all, 1.0, sizes[step]);
        });
        const double most = scale.norm(all);
        if (most <= enough) return most;
        double largest = 0.0;
        for (const double step : {Spread::kGolden, Spread::kSilver}) {
            error.assign(u.size(), 0.0);
            for (std::size_t i = 0; i < sizes.size(); ++i) {
                if (i > 0) {
                    product(weights_[i], error, turned_);
                    add_multiple(error, -1.0, turned_);
                }
                Spread spread{step};
                for (std::size_t j = 0; j < error.size(); ++j)
                    error[j] += spread.next() < 0.5 ? -sizes[i][j] : sizes[i][j];
            }
            if (!solve(1.0, error, scale, enough, effect)) return kUnknownEffect;
            largest = std::max(largest, scale.norm(effect));
        }
        return std::min(most, kOthers * largest + enough);
    }

    // By the round's derivative on the space that it turns its last step, and a bit of all columns,
    // into; anew where the number of the round has grown.
    bool amplifies_at(const Vector&, double k) override {
        constexpr std::size_t kVectors = 20;
        constexpr double kBetween = 1.25;
        if (k < kBetween * looked_at_) return amplified_;
        looked_at_ = k;
        Vector start = update_;
        const double size = norm(start.data(), start.size());
        Spread spread;
        for (double& x : start) x = (size > 0.0 ? x / size : 0.0) + 0.1 * (spread.next() - 0.5);
        if (!bias()) start[layout().intercept] = 0.0;
        const std::size_t most = std::min(kVectors, layout().cols + 1);
        std::vector<Vector> basis{start};
        scale_by(basis[0], 1.0 / norm(start.data(), start.size()));
        Matrix projected(most);
        std::size_t n = 0;
        while (n < most) {
            Vector next(start.size(), 0.0);
            add_jacobian(1.0, basis[n], next);
            for (int again = 0; again < 2; ++again)  // much may cancel
                for (std::size_t i = 0; i <= n; ++i) {
                    const double along = dot(basis[i], next);
                    projected(i, n) += along;
                    add_multiple(next, -along, basis[i]);
                }
            projected(n, n) += 1.0;
            const double rest = norm(next.data(), next.size());
            if (++n == most || !(rest > kInvariant)) break;
            projected(n, n - 1) = rest;
            scale_by(next, 1.0 / rest);
            basis.push_back(std::move(next));
        }
        amplified_ = powers_grow(std::move(projected), 2.0 * k);
        return amplified_;
    }

private:
    static constexpr double kInvariant = 1e-12;  // no more than rounding errors is left

    // g <- F_p(u), and the weights of the Hessians on the way; visit(step, where it begins).
    template <class Visit>
    void walk(const Vector& u, Vector& g, Visit visit) {
        at_ = u;
        g.assign(u.size(), 0.0);
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            update_.resize(u.size());
            given_.first(at_, loss_, update_, 0.0, &bits_);
            ++costs_.evaluations;
            after_pass();
            for (double& x : update_) x *= rate_;
            weigh(weights_[i]);
            visit(i, at_);
            add_multiple(g, 1.0, update_);
            add_multiple(at_, 1.0, update_);
        }
    }

    // The rate times l'' of the rows where they were last evaluated.
    void weigh(Vector& weights) const {
        weights.resize(bits_.size());
        for (std::size_t i = 0; i < bits_.size(); ++i) weights[i] = bits_[i] * traits_.per_unit();
        kernels().curvature(weights.data(), weights.data(), problem().rows(), loss_);
        for (double& weight : weights) weight *= rate_;
        if (problem().weights() != nullptr)
            for (std::size_t i = 0; i < problem().rows(); ++i) weights[i] *= problem().weight(i);
    }

    // out += factor J v.
    void add_jacobian(double factor, const Vector& v, Vector& out) {
        moved_ = v;
        for (const Vector& weights : weights_) {
            product(weights, moved_, turned_);
            add_multiple(moved_, -1.0, turned_);
            add_multiple(out, -factor, turned_);
        }
    }

    void product(const Vector& weights, const Vector& v, Vector& out) {
        out.resize(v.size());
        given_.second(weights, v, out);
        ++costs_.products;
        after_pass();
    }

    static void scale_by(Vector& v, double factor) {
        for (double& x : v) x *= factor;
    }

    // GMRES in units of the scale: x gets better by what is in the span of so many vectors, and the
    // residual is computed anew.
    bool improve(double factor, Vector& residual, const LeapScale& scale, double accuracy,
                 std::size_t most, Vector& x) {
        constexpr double kShare = 0.5;  // of the accuracy: rounding takes some
        const std::size_t length = x.size(), intercept = layout().intercept;
        const auto in_units = [&](Vector& v) {
            for (std::size_t j = 0; j < length; ++j) v[j] /= j == intercept ? scale.b : scale.w;
        };
        const auto from_units = [&](Vector& v) {
            for (std::size_t j = 0; j < length; ++j) v[j] *= j == intercept ? scale.b : scale.w;
        };
        std::vector<Vector> basis{residual};
        in_units(basis[0]);
        Vector rest{norm(basis[0].data(), length)};
        if (!std::isfinite(rest[0]) || rest[0] == 0.0) return false;
        scale_by(basis[0], 1.0 / rest[0]);
        std::vector<Vector> columns;  // of the triangular factor
        std::vector<std::array<double, 2>> turns;
        Vector z(length);
        while (columns.size() < most && std::fabs(rest.back()) > kShare * accuracy) {
            const std::size_t n = columns.size();
            z = basis[n];
            from_units(z);
            Vector next = z;
            add_jacobian(-factor, z, next);
            in_units(next);
            Vector column(n + 2);
            for (std::size_t i = 0; i <= n; ++i) {
                column[i] = dot(basis[i], next);
                add_multiple(next, -column[i], basis[i]);
            }
            column[n + 1] = norm(next.data(), length);
            if (!std::isfinite(column[n + 1])) return false;
            for (std::size_t i = 0; i < n; ++i) {
                const double upper = column[i];
                column[i] = turns[i][0] * upper + turns[i][1] * column[i + 1];
                column[i + 1] = turns[i][0] * column[i + 1] - turns[i][1] * upper;
            }
            const double size = norm(&column[n], 2);
            if (!(size > 0.0)) return false;
            turns.push_back({column[n] / size, column[n + 1] / size});
            const double below = column[n + 1];
            column[n] = size;
            rest.push_back(-turns[n][1] * rest[n]);
            rest[n] *= turns[n][0];
            columns.push_back(std::move(column));
            if (below > 0.0) scale_by(next, 1.0 / below);
            basis.push_back(std::move(next));
            if (!(below > kInvariant * size)) break;
        }
        Vector share(columns.size()), done(length, 0.0);
        for (std::size_t i = columns.size(); i-- > 0;) {
            share[i] = rest[i];
            for (std::size_t l = i + 1; l < columns.size(); ++l)
                share[i] -= columns[l][i] * share[l];
            share[i] /= columns[i][i];
            add_multiple(done, share[i], basis[i]);
        }
        from_units(done);
        add_multiple(x, 1.0, done);
        // The difference of what is added is small beside it: no digits are lost that matter.
        add_multiple(residual, -1.0, done);
        add_jacobian(factor, done, residual);
        return true;
    }

    std::vector<Vector> weights_;  // rate l''(m_i), step by step
    Vector at_, update_, moved_, turned_;
    double k_ = 1.0, looked_at_ = 0.0;
    bool amplified_ = false;
};

}  // namespace

std::unique_ptr<LeapField> make_products_cycle_field(const Problem& problem, Loss loss,
                                                     const SlowMotion& motion, int period,
                                                     int threads,
                                                     std::function<void()> between_passes) {
    return std::make_unique<CycleField>(problem, loss, motion, period, threads,
                                        std::move(between_passes));
}

}  // namespace fastgrok
