// The leaping integrator's fields where the Hessian is a small dense matrix.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "engines/small_matrix.hpp"
#include "leap_fields.hpp"
#include "norms.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

void fill(const Vector& triangle, double factor, Matrix& out) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < out.size(); ++i)
        for (std::size_t j = i; j < out.size(); ++j)
            out(i, j) = out(j, i) = factor * triangle[at++];
}

// Packed rows, whose Hessian comes with the gradient.
class PackedField : public LeapField {
protected:
    using LeapField::LeapField;

    // In the inverse of Newton's matrix, what rounding errors of the coefficients and of the sums
    // over the rows turn into, entry by entry.
    Vector bounds_by(const Matrix& inverse, const Vector& u) const {
        // What a sum in lanes and chunks loses, as a share of the sum of its terms' sizes.
        constexpr double kOfSums = RoundingShare::kOfSums;
        const RoundingShare of_rows = share(RoundingShare::Of::error);
        const Problem& problem = passes().problem();
        const std::size_t n = u.size(), moving = problem.bias() ? n : n - 1;
        Vector out(n, 0.0), sizes(n, 0.0), z(n);
        for (std::size_t i = 0; i < problem.rows(); ++i) {
            const double* row = problem.block(i / kLanes) + i % kLanes;
            double terms = 0.0;
            for (std::size_t j = 0; j < n; ++j) {
                z[j] = row[j * kLanes];
                terms += std::fabs(z[j] * u[j]);
            }
            const auto c = of_rows.coefficient(bits_[i], terms, problem.weight(i));
            for (std::size_t j = 0; j < moving; ++j) {
                double along = 0.0;
                for (std::size_t k = 0; k < moving; ++k) along += inverse(j, k) * z[k];
                out[j] += c.error * std::fabs(along);
                sizes[j] += c.value * std::fabs(z[j]);
            }
        }
        for (std::size_t j = 0; j < moving; ++j) sizes[j] += decay(j) * std::fabs(u[j]);
        for (std::size_t j = 0; j < moving; ++j)
            for (std::size_t k = 0; k < moving; ++k)
                out[j] += kOfSums * std::fabs(inverse(j, k)) * sizes[k];
        return out;
    }
};

class DenseField : public PackedField {
public:
    DenseField(const Problem& problem, Loss loss, const SlowMotion& motion, int threads,
               std::function<void()> between_passes, std::shared_ptr<const Coordinates> coordinates,
               const LeapCosts& costs)
        : PackedField(problem, loss, motion, threads, std::move(between_passes)),
          hessian_(problem.layout().cols + 1),
          matrix_(problem.layout().cols + 1) {
        if (coordinates) turn(std::move(coordinates));
        costs_ = costs;
    }

    void evaluate(const Vector& u, double s, Vector& g) override {
        const double factor = shifted(s, g, [&](Loss loss, double shift) {
            passes().newton(u, loss, shift, bits_, g, triangle_);
        });
        for (double& x : g) x *= factor;
        fill(triangle_, factor, hessian_);
        if (decay_now_ > 0.0)
            for (std::size_t j = 0; j < g.size(); ++j) {
                g[j] -= decay(j) * u[j];
                hessian_(j, j) += decay(j);
            }
        if (motion_.is_normalized()) normalize_all(s, g);
    }

    bool solve(double c, const Vector& r, const LeapScale&, double, Vector& x) override {
        ++costs_.factorizations;
        const std::size_t n = matrix_.size();
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j <= i; ++j)
                matrix_(i, j) = (i == j ? 1.0 : 0.0) + c * hessian_(i, j);
        x = r;
        if (!motion_.is_normalized()) return solve_cholesky(matrix_, x);
        // Along the direction of F nothing changes but by what is orthogonal to it.
        const double along = project(x);
        add_multiple(x, -c * along, into_);
        const bool solved = solve_cholesky(matrix_, x);
        add_multiple(x, along, direction_);
        return solved;
    }

    double rounding_effect(const Vector& u, double s, const LeapScale& scale, double) override {
        evaluate(u, s, g_);
        const std::size_t n = matrix_.size();
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j <= i; ++j)
                matrix_(i, j) = (i == j ? 1.0 : 0.0) + hessian_(i, j);
        if (!factorise_by_entries(matrix_.view())) return kUnknownEffect;
        Matrix inverse(n);
        invert(inverse, [&](Vector& x) {
            if (motion_.is_normalized()) project(x);
            solve_factorized(matrix_, x);
            return true;
        });
        return scale.norm_of_bounds(bounds_by(inverse, u));
    }

    std::shared_ptr<const Coordinates> better_coordinates(const Vector& u,
                                                          const ExactNull& exact_null) override {
        if (!turns() || (coordinates() != nullptr && coordinates()->exponent() != 0))
            return nullptr;
        return turned_along(problem(), curvatures(u), exact_null);
    }

    bool amplifies_at(const Vector& u, double) override {
        evaluate(u, 0.0, g_);
        for (std::size_t i = 0; i < matrix_.size(); ++i)
            for (std::size_t j = 0; j <= i; ++j)
                matrix_(i, j) = (i == j ? motion_.limit : 0.0) - hessian_(i, j);
        return !solve_cholesky(matrix_, g_);
    }

private:
    // The derivative of a direction is orthogonal to it: with P, which projects onto that, minus
    // the Jacobian of normalized descent is P H, H the Hessian over ||g||. hessian_ becomes P H P
    // and into_ the rest, P H direction_.
    void normalize_all(double s, Vector& g) {
        const std::size_t n = g.size();
        double trace = 0.0;
        for (std::size_t j = 0; j < n; ++j) trace += hessian_(j, j);
        const double size = norm(g.data(), n);
        turning_ = size > 0.0 ? trace / size : 0.0;
        const double factor = normalize(s, g);
        into_ = times(hessian_, direction_);
        for (double& x : into_) x *= factor;
        const double along = project(into_);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j)
                hessian_(i, j) = factor * hessian_(i, j) - direction_[i] * into_[j] -
                                 into_[i] * direction_[j] - along * direction_[i] * direction_[j];
    }

    Vector triangle_, g_, into_;
    Matrix hessian_;  // of e^s rate L and of what decays, minus the Jacobian
    Matrix matrix_;
};

// F_p(u), the sum of F along p steps from u, whose derivative is J = (I - A_p) ... (I - A_1) - I
// with the Hessians A_i along these, times the rate.
class DenseCycleField : public PackedField {
public:
    DenseCycleField(const Problem& problem, Loss loss, const SlowMotion& motion, int period,
                    int threads, std::function<void()> between_passes)
        : PackedField(problem, loss, motion, threads, std::move(between_passes)),
          hessians_(static_cast<std::size_t>(period), Matrix(layout().length)),
          jacobian_(layout().length),
          matrix_(layout().length) {}

    void evaluate(const Vector& u, double s, Vector& g) override {
        k_ = std::exp(s);
        walk(u, g, [](std::size_t, const Vector&) {});
        for (double& x : g) x *= k_;
        const std::size_t n = jacobian_.size();
        jacobian_ = Matrix(n);
        for (const Matrix& hessian : hessians_) {
            multiply(hessian, jacobian_, matrix_);
            for (std::size_t i = 0; i < n; ++i)
                for (std::size_t j = 0; j < n; ++j)
                    jacobian_(i, j) = jacobian_(i, j) - hessian(i, j) - matrix_(i, j);
        }
    }

    bool solve(double c, const Vector& r, const LeapScale&, double, Vector& x) override {
        ++costs_.factorizations;
        subtract_jacobian(c * k_);
        x = r;
        return solve_gauss(matrix_, x);
    }

    double rounding_effect(const Vector& u, double s, const LeapScale& scale, double) override {
        Vector sum, bounds(u.size(), 0.0);
        evaluate(u, s, sum);
        log_rate_ = s + std::log(rate_);
        // What the error of a step becomes by the end of its round, and what adds up of that.
        std::vector<Matrix> after(hessians_.size(), Matrix(matrix_.size()));
        const bool regular = invert(after.back(), [&](Vector& x) {
            subtract_jacobian(k_);
            return solve_gauss(matrix_, x);
        });
        if (!regular) return kUnknownEffect;
        for (std::size_t i = after.size(); --i > 0;) {
            multiply(after[i], hessians_[i], matrix_);
            for (std::size_t j = 0; j < matrix_.size(); ++j)
                for (std::size_t l = 0; l < matrix_.size(); ++l)
                    after[i - 1](j, l) = after[i](j, l) - matrix_(j, l);
        }
        walk(u, sum, [&](std::size_t step, const Vector& at) {
            add_multiple(bounds, 1.0, bounds_by(after[step], at));
        });
        return scale.norm_of_bounds(bounds);
    }

    bool amplifies_at(const Vector&, double k) override {
        subtract_jacobian(-1.0);
        return powers_grow(matrix_, 2.0 * k);
    }

private:
    // matrix_ <- I - c J. The round's derivative with c = -1.
    void subtract_jacobian(double c) {
        const std::size_t n = matrix_.size();
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j)
                matrix_(i, j) = (i == j ? 1.0 : 0.0) - c * jacobian_(i, j);
    }

    // out <- a b.
    static void multiply(const Matrix& a, const Matrix& b, Matrix& out) {
        const std::size_t n = out.size();
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j) {
                double sum = 0.0;
                for (std::size_t l = 0; l < n; ++l) sum += a(i, l) * b(l, j);
                out(i, j) = sum;
            }
    }

    // g <- F_p(u), and the Hessians on the way; visit(step, where it begins).
    template <class Visit>
    void walk(const Vector& u, Vector& g, Visit visit) {
        at_ = u;
        g.assign(u.size(), 0.0);
        for (std::size_t i = 0; i < hessians_.size(); ++i) {
            passes().newton(at_, loss_, 0.0, bits_, update_, triangle_);
            ++costs_.evaluations;
            after_pass();
            for (double& x : update_) x *= rate_;
            fill(triangle_, rate_, hessians_[i]);
            visit(i, at_);
            add_multiple(g, 1.0, update_);
            add_multiple(at_, 1.0, update_);
        }
    }

    Vector triangle_, at_, update_;
    std::vector<Matrix> hessians_;  // times the rate, step by step
    Matrix jacobian_, matrix_;
    double k_ = 1.0;
};

std::unique_ptr<LeapField> in_range(std::unique_ptr<LeapField> field) {
    if (auto coordinates = Coordinates::in_range(field->problem())) field->turn(coordinates);
    return field;
}

}  // namespace

std::unique_ptr<LeapField> make_dense_field(const Problem& problem, Loss loss,
                                            const SlowMotion& motion, int threads,
                                            std::function<void()> between_passes,
                                            std::shared_ptr<const Coordinates> coordinates,
                                            const LeapCosts& costs) {
    return std::make_unique<DenseField>(problem, loss, motion, threads, std::move(between_passes),
                                        std::move(coordinates), costs);
}

std::unique_ptr<LeapField> make_descent_field(const Problem& problem, Loss loss,
                                              const SlowMotion& motion, int threads,
                                              std::function<void()> between_passes) {
    if (!problem.packed())
        return make_conjugate_field(problem, loss, motion, threads, std::move(between_passes));
    auto field = make_dense_field(problem.here(), loss, motion, threads, std::move(between_passes));
    return motion.is_normalized() ? std::move(field) : in_range(std::move(field));
}

std::unique_ptr<LeapField> make_cycle_field(const Problem& problem, Loss loss,
                                            const SlowMotion& motion, int period, int threads,
                                            std::function<void()> between_passes) {
    if (!motion.is_plain() || period < 2)
        throw std::invalid_argument(
            "rounds of two steps or more are leaped, and of plain descent only");
    if (!problem.packed())
        return make_products_cycle_field(problem.here(), loss, motion, period, threads,
                                         std::move(between_passes));
    return in_range(std::make_unique<DenseCycleField>(problem.here(), loss, motion, period, threads,
                                                      std::move(between_passes)));
}

std::string why_rows_are_too_far(const Problem& problem, int period) {
    constexpr std::size_t kMostEntries = std::size_t{1} << 27;
    const bool copied = problem.elsewhere() != nullptr && (period > 1 || problem.packed());
    if (!copied || problem.rows() * problem.layout().length <= kMostEntries) return {};
    return "a leap of cycles, or of up to 16 columns, would need all rows here";
}

}  // namespace fastgrok
