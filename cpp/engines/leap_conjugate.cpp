// The leaping integrator's field where the Hessian is known by its products with vectors.
#include <algorithm>
#include <cmath>
#include <utility>

#include "engines/curvature.hpp"
#include "engines/spent.hpp"
#include "leap_fields.hpp"
#include "leap_rows.hpp"
#include "norms.hpp"
#include "recycled_directions.hpp"
#include "sampled_hessian.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

class ConjugateField : public LeapField {
public:
    ConjugateField(const Problem& problem, Loss loss, const SlowMotion& motion, int threads,
                   std::function<void()> between_passes)
        : LeapField(problem, loss, motion, threads, std::move(between_passes)),
          rows_(given_, loss),
          sampled_(problem, given_.threads()),
          recycled_(layout()),
          of_w_(layout().length),
          into_(layout().length),
          product_(layout().length) {}

    void evaluate(const Vector& u, double s, Vector& g) override {
        factor_ = shifted(s, g, [&](Loss loss, double shift) { rows_.first(u, loss, g, shift); });
        for (double& x : g) x *= factor_;
        if (decay_now_ > 0.0)
            for (std::size_t j = 0; j < g.size(); ++j) g[j] -= decay(j) * u[j];
        weigh_rows(u);
        if (motion_.is_normalized()) normalize_all(s, g);
    }

    // Minus the Jacobian of normalized descent is P H, P projecting onto what is orthogonal to the
    // direction of F, along which nothing changes but by that; P H P is symmetric.
    bool solve(double c, const Vector& r, const LeapScale& scale, double accuracy,
               Vector& x) override {
        if (!motion_.is_normalized()) return conjugate(c, r, scale, accuracy, x);
        orthogonal_ = r;
        const double along = project(orthogonal_);
        add_multiple(orthogonal_, -c * along, into_);
        const bool solved = conjugate(c, orthogonal_, scale, accuracy, x);
        add_multiple(x, along, direction_);
        return solved;
    }

    void sum_sizes(const Vector& u, Vector& out, const RoundingShare& share) override {
        rows_.sum_sizes(u, out, share);
    }
    double least_bits() override { return rows_.least_bits(); }

    // Estimated: what two patterns of signs of the largest rounding errors move u by.
    double rounding_effect(const Vector& u, double s, const LeapScale& scale,
                           double enough) override {
        constexpr double kOfSums = RoundingShare::kOfSums;
        constexpr double kOthers = 2.0;  // other patterns may do more
        Vector size, error(u.size()), effect;
        evaluate(u, s, error);
        sum_sizes(u, size, share(RoundingShare::Of::error));
        for (std::size_t j = 0; j < u.size(); ++j) size[j] += kOfSums * decay(j) * std::fabs(u[j]);
        const double most = scale.norm(size);
        if (most <= enough) return most;
        double largest = 0.0;
        Spread spread;
        for (const double step : {Spread::kGolden, Spread::kSilver}) {
            spread.step = step;
            for (std::size_t j = 0; j < size.size(); ++j)
                error[j] = spread.next() < 0.5 ? -size[j] : size[j];
            if (!solve(1.0, error, scale, enough, effect)) return kUnknownEffect;
            largest = std::max(largest, scale.norm(effect));
        }
        return std::min(most, kOthers * largest + enough);
    }

    std::shared_ptr<const Coordinates> better_coordinates(const Vector& u,
                                                          const ExactNull& exact_null) override {
        if (!turns_later()) return nullptr;
        return turned_along(problem().here(), curvatures(u), exact_null);
    }

    bool turns_later() const override {
        // What a dense Hessian may cost, in columns and in products of entries.
        constexpr std::size_t kMostCols = 128, kMostProducts = 50'000'000;
        const std::size_t cols = layout().cols + 1;
        return turns() && cols <= kMostCols && problem().rows() * cols * cols <= kMostProducts;
    }

    std::unique_ptr<LeapField> turned_field(
        std::shared_ptr<const Coordinates> coordinates) override {
        return make_dense_field(problem().here(), loss_, motion_, given_.threads(), between_passes_,
                                std::move(coordinates), costs_);
    }

    // At most by the trace, which costs less than Lanczos' method.
    bool amplifies_at(const Vector& u, double) override {
        constexpr double kTolerance = 1e-3;
        constexpr int kMostPasses = 40;
        evaluate(u, 0.0, product_);
        const double most = motion_.limit - decay_now_;
        if (factor_ * trace() <= most) return false;
        const auto product = [this](const Vector& v, Vector& out) {
            orthogonal_ = v;
            if (motion_.is_normalized()) project(orthogonal_);
            rows_.second(orthogonal_, out);
            ++costs_.products;
            after_pass();
            for (double& x : out) x *= factor_;
            if (motion_.is_normalized()) project(out);
        };
        const double largest =
            largest_eigenvalue(given_.problem(), product, kTolerance, kMostPasses, top_);
        return !((1.0 + kTolerance) * largest <= most);
    }

private:
    double trace() const { return sums_.squares + (problem().bias() ? sums_.all : 0.0); }

    // into_ <- P H direction_.
    void normalize_all(double s, Vector& g) {
        const double size = norm(g.data(), g.size());
        turning_ =
            size > 0.0
                ? (factor_ * trace() + decay_now_ * static_cast<double>(layout().cols + 1)) / size
                : 0.0;
        factor_ *= normalize(s, g);
        rows_.second(direction_, into_);
        ++costs_.products;
        after_pass();
        for (std::size_t j = 0; j < into_.size(); ++j)
            into_[j] = factor_ * into_[j] + decay(j) * direction_[j];
        project(into_);
    }

    // Preconditioned conjugate gradients from 0, where F is normalized orthogonally to it.
    bool conjugate(double c, const Vector& r, const LeapScale& scale, double accuracy, Vector& x) {
        const bool across = motion_.is_normalized(), tail = traits_.exponential_tail();
        const double factor = c * factor_;
        const Preconditioner plain(*this, c);
        // The sample is of the Hessian as it is, not across a direction; and in a motion to a
        // minimum of a quadratic it leaves residuals along the slow directions.
        const bool sampled =
            tail && !across &&
            sampled_.begin({rows_, sums_.squares + sums_.all, factor, plain.of_w, plain.of_bias});
        // A sample does better where there can be one.
        const bool recycled = tail && !across && !sampled_.is_possible();
        if (recycled) recycled_.begin({factor, plain.of_w, plain.of_bias, trace()});
        const auto precondition = [&](const Vector& from, Vector& to) {
            if (sampled)
                sampled_(from, to);
            else if (recycled)
                recycled_(from, to, plain);
            else
                plain(from, to);
            if (across) project(to);
        };
        const std::size_t most = 2 * layout().cols + 100;
        x.assign(r.size(), 0.0);
        residual_ = r;
        precondition(residual_, z_);
        p_ = z_;
        double rz = dot(residual_, z_);
        // Of a large r nothing may be left of z but what rounding errors leave. Of a small one what
        // the preconditioner gives is better than nothing, which would add up from step to step.
        if (scale.norm(residual_) <= accuracy) {
            x = z_;
            return true;
        }
        if (!(rz > 0.0)) return false;
        for (std::size_t n = 0; n < most; ++n) {
            {
                const Lap lap(costs_.multiplying);
                rows_.second(p_, product_);
            }
            ++costs_.products;
            after_pass();
            if (recycled) recycled_.keep(p_, product_);
            for (std::size_t j = 0; j < r.size(); ++j)
                product_[j] = (1.0 + c * decay(j)) * p_[j] + factor * product_[j];
            if (across) project(product_);
            const double curvature = dot(p_, product_);
            if (!(curvature > 0.0) || !std::isfinite(curvature)) return false;
            const double length = rz / curvature;
            for (std::size_t j = 0; j < r.size(); ++j) {
                x[j] += length * p_[j];
                residual_[j] -= length * product_[j];
            }
            precondition(residual_, z_);
            if (scale.norm(residual_) <= accuracy) {
                if (tail && !across) sampled_.end(rows_, n + 1);
                return true;
            }
            const double next = dot(residual_, z_), turn = next / rz;
            rz = next;
            for (std::size_t j = 0; j < r.size(); ++j) p_[j] = z_[j] + turn * p_[j];
        }
        return false;
    }

    // What the Hessian does to the span of w and the bias, and on average to what is orthogonal to
    // it. All of it comes from margins and row norms.
    void weigh_rows(const Vector& u) {
        const std::size_t cols = layout().cols;
        const double norm = LeapScale(u, layout()).w;
        for (std::size_t j = 0; j < cols; ++j) of_w_[j] = u[j] / norm;
        sums_ = rows_.weigh(u, norm, last_loss_, last_shift_);
        across_ = sums_.across / static_cast<double>(std::max<std::size_t>(cols - 1, 1));
        mixed_ = problem().bias() ? sums_.mixed : 0.0;
        bias_ = problem().bias() ? sums_.all : 0.0;
    }

    // (I + c (factor_ H + decay))^-1 for the H of weigh_rows().
    struct Preconditioner {
        Preconditioner(const ConjugateField& field_, double c)
            : field(field_),
              factor(c * field_.factor_),
              of_w(1.0 + c * field_.decay(0)),
              of_bias(1.0 + c * field_.decay(field_.layout().intercept)),
              along(of_w + factor * field_.sums_.along),
              mixed(factor * field_.mixed_),
              bias(of_bias + factor * field_.bias_),
              across(of_w + factor * field_.across_),
              // At least what a product of the rows' terms with the rest leaves of it.
              determinant(std::max(along * bias - mixed * mixed,
                                   along * of_bias + bias * of_w - of_w * of_bias)) {}

        void operator()(const Vector& r, Vector& z) const {
            const std::size_t cols = field.layout().cols, intercept = field.layout().intercept;
            const double a = kernels().dot(field.of_w_.data(), r.data(), cols);
            const double b = r[intercept];
            const double first = (bias * a - mixed * b) / determinant;
            z.assign(r.size(), 0.0);
            for (std::size_t j = 0; j < cols; ++j)
                z[j] = (r[j] - a * field.of_w_[j]) / across + first * field.of_w_[j];
            z[intercept] = (along * b - mixed * a) / determinant;
        }

        const ConjugateField& field;
        double factor, of_w, of_bias, along, mixed, bias, across, determinant;
    };

    LeapRows rows_;
    SampledHessian sampled_;
    RecycledDirections recycled_;
    Vector of_w_;  // w / ||w||
    Vector into_;  // the derivative of F's direction along itself
    LeapRows::Sums sums_{};
    double factor_ = 0.0, mixed_ = 0.0, bias_ = 0.0, across_ = 0.0;
    Vector residual_, z_, p_, product_, orthogonal_;
    std::vector<Vector> top_;  // eigenvector of the Hessian
};

}  // namespace

std::unique_ptr<LeapField> make_conjugate_field(const Problem& problem, Loss loss,
                                                const SlowMotion& motion, int threads,
                                                std::function<void()> between_passes) {
    return std::make_unique<ConjugateField>(problem, loss, motion, threads,
                                            std::move(between_passes));
}

}  // namespace fastgrok
