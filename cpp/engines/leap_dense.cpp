// The leaping integrator's fields where the Hessian is a small dense matrix.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "engines/leap_field.hpp"

namespace fastgrok {
namespace {

// Row-major n x n.
class Matrix {
public:
    explicit Matrix(std::size_t n) : n_(n), entries_(n * n, 0.0) {}
    double& operator()(std::size_t i, std::size_t j) { return entries_[i * n_ + j]; }
    double operator()(std::size_t i, std::size_t j) const { return entries_[i * n_ + j]; }
    std::size_t size() const { return n_; }

private:
    std::size_t n_;
    std::vector<double> entries_;
};

void fill(const Vector& triangle, double factor, Matrix& out) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < out.size(); ++i)
        for (std::size_t j = i; j < out.size(); ++j)
            out(i, j) = out(j, i) = factor * triangle[at++];
}

// Solves a x = x for a symmetric positive definite a, whose lower triangle becomes its Cholesky
// factor; false if it is not positive definite to working precision.
bool solve_cholesky(Matrix& a, Vector& x) {
    const std::size_t n = a.size();
    for (std::size_t j = 0; j < n; ++j) {
        double pivot = a(j, j);
        for (std::size_t k = 0; k < j; ++k) pivot -= a(j, k) * a(j, k);
        if (!(pivot > 0.0) || !std::isfinite(pivot)) return false;
        const double root = std::sqrt(pivot);
        a(j, j) = root;
        for (std::size_t i = j + 1; i < n; ++i) {
            double sum = a(i, j);
            for (std::size_t k = 0; k < j; ++k) sum -= a(i, k) * a(j, k);
            a(i, j) = sum / root;
        }
    }
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < i; ++k) x[i] -= a(i, k) * x[k];
        x[i] /= a(i, i);
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) x[i] -= a(k, i) * x[k];
        x[i] /= a(i, i);
    }
    return true;
}

// Gaussian elimination with row pivots; false if a is singular.
bool solve_gauss(Matrix& a, Vector& x) {
    const std::size_t n = a.size();
    for (std::size_t j = 0; j < n; ++j) {
        std::size_t best = j;
        for (std::size_t i = j + 1; i < n; ++i)
            if (std::fabs(a(i, j)) > std::fabs(a(best, j))) best = i;
        if (!(std::fabs(a(best, j)) > 0.0) || !std::isfinite(a(best, j))) return false;
        if (best != j) {
            for (std::size_t k = j; k < n; ++k) std::swap(a(j, k), a(best, k));
            std::swap(x[j], x[best]);
        }
        for (std::size_t i = j + 1; i < n; ++i) {
            const double factor = a(i, j) / a(j, j);
            for (std::size_t k = j + 1; k < n; ++k) a(i, k) -= factor * a(j, k);
            x[i] -= factor * x[j];
        }
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) x[i] -= a(i, k) * x[k];
        x[i] /= a(i, i);
    }
    return true;
}

class DenseField : public LeapField {
public:
    DenseField(const Problem& problem, Loss loss, double rate, int threads,
               std::function<void()> between_passes)
        : LeapField(problem, loss, rate, threads, std::move(between_passes)),
          hessian_(layout().length),
          matrix_(layout().length) {}

    void evaluate(const Vector& u, double s, Vector& g) override {
        const double factor = shifted(s, g, [&](Loss loss, double shift) {
            passes_.newton(u, loss, shift, bits_, g, triangle_);
        });
        for (double& x : g) x *= factor;
        fill(triangle_, factor, hessian_);
    }

    bool solve(double c, const Vector& r, const LeapScale&, double, Vector& x) override {
        ++costs_.factorizations;
        const std::size_t n = matrix_.size();
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j <= i; ++j)
                matrix_(i, j) = (i == j ? 1.0 : 0.0) + c * hessian_(i, j);
        x = r;
        return solve_cholesky(matrix_, x);
    }

    bool amplifies_at(const Vector& u, double) override {
        evaluate(u, 0.0, g_);
        for (std::size_t i = 0; i < matrix_.size(); ++i)
            for (std::size_t j = 0; j <= i; ++j)
                matrix_(i, j) = (i == j ? 2.0 : 0.0) - hessian_(i, j);
        return !solve_cholesky(matrix_, g_);
    }

private:
    Vector triangle_, g_;
    Matrix hessian_;  // of e^s rate L, minus the Jacobian
    Matrix matrix_;
};

// F2(u) = F(u) + F(u + F(u)), whose derivative is (I - rate H(u + F)) (I - rate H(u)) - I.
class TwoStepField : public LeapField {
public:
    TwoStepField(const Problem& problem, Loss loss, double rate, int threads,
                 std::function<void()> between_passes)
        : LeapField(problem, loss, rate, threads, std::move(between_passes)),
          first_(layout().length),
          second_(layout().length),
          matrix_(layout().length) {}

    void evaluate(const Vector& u, double s, Vector& g) override {
        half_step(u, g, first_);
        middle_ = u;
        for (std::size_t j = 0; j < g.size(); ++j) middle_[j] += g[j];
        half_step(middle_, update_, second_);
        k_ = std::exp(s);
        for (std::size_t j = 0; j < g.size(); ++j) g[j] = k_ * (g[j] + update_[j]);
    }

    bool solve(double c, const Vector& r, const LeapScale&, double, Vector& x) override {
        ++costs_.factorizations;
        subtract_jacobian(c * k_);
        x = r;
        return solve_gauss(matrix_, x);
    }

    // As powers of the pair's derivative show: those of a stable orbit stay about as large as they
    // are, or become small. Rounding errors of the derivative itself would show in the highest.
    bool amplifies_at(const Vector&, double k) override {
        constexpr double kMostGrowth = 100.0, kHighest = 1e12;
        subtract_jacobian(-1.0);
        const std::size_t n = matrix_.size();
        Matrix square(n);
        for (double power = 2.0; power <= std::min(2.0 * k, kHighest); power *= 2.0) {
            double norm = 0.0;
            for (std::size_t i = 0; i < n; ++i)
                for (std::size_t j = 0; j < n; ++j) {
                    double sum = 0.0;
                    for (std::size_t l = 0; l < n; ++l) sum += matrix_(i, l) * matrix_(l, j);
                    square(i, j) = sum;
                    norm += sum * sum;
                }
            if (!(norm <= kMostGrowth * kMostGrowth)) return true;
            if (norm < 1.0) return false;
            std::swap(matrix_, square);
        }
        return false;
    }

private:
    // matrix_ <- I - c J, J = (I - second) (I - first) - I. The pair's derivative with c = -1.
    void subtract_jacobian(double c) {
        const std::size_t n = matrix_.size();
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j) {
                double product = 0.0;
                for (std::size_t l = 0; l < n; ++l) product += second_(i, l) * first_(l, j);
                matrix_(i, j) = (i == j ? 1.0 : 0.0) + c * (first_(i, j) + second_(i, j) - product);
            }
    }

    void half_step(const Vector& u, Vector& update, Matrix& hessian) {
        passes_.newton(u, loss_, 0.0, bits_, update, triangle_);
        ++costs_.evaluations;
        after_pass();
        for (double& x : update) x *= rate_;
        fill(triangle_, rate_, hessian);
    }

    Vector triangle_, middle_, update_;
    Matrix first_, second_, matrix_;  // the Hessians times the rate
    double k_ = 1.0;
};

}  // namespace

std::unique_ptr<LeapField> make_conjugate_field(const Problem& problem, Loss loss, double rate,
                                                int threads, std::function<void()> between_passes);

std::unique_ptr<LeapField> make_descent_field(const Problem& problem, Loss loss, double rate,
                                              int threads, std::function<void()> between_passes) {
    if (!problem.packed())
        return make_conjugate_field(problem, loss, rate, threads, std::move(between_passes));
    return std::make_unique<DenseField>(problem, loss, rate, threads, std::move(between_passes));
}

std::unique_ptr<LeapField> make_two_step_field(const Problem& problem, Loss loss, double rate,
                                               int threads, std::function<void()> between_passes) {
    if (!problem.packed())
        throw std::invalid_argument("two steps at once are leaped with at most " +
                                    std::to_string(kMostPackedCols) + " columns, not " +
                                    std::to_string(problem.layout().cols));
    return std::make_unique<TwoStepField>(problem, loss, rate, threads, std::move(between_passes));
}

}  // namespace fastgrok
