#include "engines/passes.hpp"

#include <algorithm>
#include <cmath>

#include "engines/paired_passes.hpp"
#include "engines/storage.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

// kernels().packed.newton for any number of columns, by others.
void wide_newton(PackedRows rows, const double* u, Loss loss, double shift, double* bits,
                 double* out) {
    const std::size_t length = rows.cols + 1, sums = length + length * (length + 1) / 2;
    Vector v(u, u + length);
    for (double& x : v) x *= traits_of(loss).unit;
    kernels().packed.margins(rows, v.data(), bits);
    std::fill_n(out, sums, 0.0);
    double p[kLanes], q[kLanes], weighted[kLanes];
    for (std::size_t block = 0; block < rows.count; ++block) {
        kernels().coefficients(bits + block * kLanes, kLanes, loss, shift, p, q);
        for (std::size_t i = 0; rows.weights != nullptr && i < kLanes; ++i) {
            const double weight = rows.weights[block * kLanes + i];
            p[i] *= weight;
            q[i] *= weight;
        }
        const double* const columns = rows.blocks + block * kLanes * length;
        double* triangle = out + length;
        for (std::size_t j = 0; j < length; ++j) {
            const double* const column = columns + j * kLanes;
            out[j] += kernels().dot(p, column, kLanes);
            for (std::size_t i = 0; i < kLanes; ++i) weighted[i] = q[i] * column[i];
            for (std::size_t k = j; k < length; ++k)
                *triangle++ += kernels().dot(weighted, columns + k * kLanes, kLanes);
        }
    }
}

}  // namespace

Passes::Passes(const Problem& problem, int threads)
    : problem_(problem),
      threads_(
          std::min<int>(usable_threads(threads), static_cast<int>(problem.partition().count()))),
      // Whole cache lines apart, so that two threads never write to the same one.
      stride_((problem.layout().length + 7) / 8 * 8),
      partials_(stride_ * problem.partition().count(), 0.0) {}

double* Passes::zero_partial(std::size_t chunk) {
    double* out = partial(chunk);
    std::fill_n(out, problem_.layout().length, 0.0);
    return out;
}

void Passes::add_chunks(Vector& out) const {
    const std::size_t length = problem_.layout().length;
    const double* p = partials_.data();
    std::copy(p, p + length, out.begin());
    for (std::size_t c = 1; c < chunks(); ++c) {
        p += stride_;
        for (std::size_t j = 0; j < length; ++j) out[j] += p[j];
    }
    if (!problem_.bias()) out[problem_.layout().intercept] = 0.0;
}

double Passes::least_margin(const Vector& u) {
    if (problem_.elsewhere() != nullptr) return least_margin_elsewhere(u);
    const Vector& m = margins(u);
    return *std::min_element(m.begin(), m.begin() + static_cast<std::ptrdiff_t>(problem_.rows()));
}

const Vector& Passes::margins(const Vector& u) {
    const bool known = !u.empty() && u.size() == margins_of_.size() &&
                       same_bits(u.data(), margins_of_.data(), u.size());
    if (known) return margins_;
    margins_of_.clear();
    margins_.resize(whole_lanes(problem_.rows()));
    if (recall(u)) return margins_;
    for_chunks([&](std::size_t c) {
        double* out = margins_.data() + problem_.first_row(c);
        problem_.visit_chunk(c, [&](auto rows) { kernels_for(rows).margins(rows, u.data(), out); });
    });
    margins_of_ = u;
    return margins_;
}

const Vector& Passes::accurate_margins(const Vector& u) {
    margins_of_.clear();
    margins_.resize(whole_lanes(problem_.rows()));
    for_chunks([&](std::size_t c) {
        double* out = margins_.data() + problem_.first_row(c);
        problem_.visit_chunk(c,
                             [&](auto rows) { kernels_for(rows).accurate(rows, u.data(), out); });
    });
    return margins_;
}

Evaluation Passes::sum_of(const Evaluation* by_chunk) const {
    Evaluation total = by_chunk[0];
    for (std::size_t c = 1; c < chunks(); ++c) {
        total.loss_sum += by_chunk[c].loss_sum;
        total.correct += by_chunk[c].correct;
    }
    return total;
}

Evaluation Passes::evaluate(const Vector& u, Loss loss, Tie tie) {
    if (problem_.elsewhere() != nullptr) return evaluate_all({u}, loss, tie).front();
    const double* m = margins(u).data();
    Evaluation of[Partition::kMostChunks];
    for_chunks(
        [&](std::size_t c) { of[c] = evaluate_chunk(c, m + problem_.first_row(c), loss, tie); });
    return sum_of(of);
}

Evaluation Passes::evaluate_chunk(std::size_t chunk, const double* m, Loss loss, Tie tie) const {
    const std::size_t begin = problem_.first_row(chunk);
    const std::size_t n = std::min(problem_.first_row(chunk + 1), problem_.rows()) - begin;
    const double* y = problem_.labels() + begin;
    const double* const weights = weights_from(begin);
    const double loss_sum = kernels().loss_sum(m, weights, n, loss);
    if (weights != nullptr) {
        // In the order of Problem::total_weight(), which is the sum if all are right.
        double correct = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            const bool tied = m[i] == 0.0 && tie == Tie::negative && y[i] < 0.0;
            correct += m[i] > 0.0 || tied ? weights[i] : 0.0;
        }
        return {loss_sum, correct};
    }
    std::int64_t correct = 0;
    for (std::size_t i = 0; i < n; ++i) correct += m[i] > 0.0;
    if (tie == Tie::negative)
        for (std::size_t i = 0; i < n; ++i) correct += m[i] == 0.0 && y[i] < 0.0;
    return {loss_sum, static_cast<double>(correct)};
}

const double* Passes::weights_from(std::size_t row) const {
    const double* const weights = problem_.weights();
    return weights == nullptr ? nullptr : weights + row;
}

void Passes::first(const Vector& u, Loss loss, Vector& out, double shift, Vector* bits) {
    if (problem_.elsewhere() != nullptr) return first_elsewhere(u, loss, out, shift);
    make_paired(first_pass(u, loss, shift, bits));
    add_chunks(out);
}

RowPass Passes::first_pass(const Vector& u, Loss loss, double shift, Vector* bits) const {
    if (bits != nullptr) bits->resize(whole_lanes(problem_.rows()));
    return {.u = u.data(),
            .loss = loss,
            .most = traits_of(loss).zero_above,
            .shift = shift,
            .bits = bits != nullptr ? bits->data() : nullptr};
}

void Passes::make_paired(const RowPass& pass) {
    if (paired_ != nullptr) return paired_->make(*this, pass);
    make(pass);
}

RowPass Passes::in_chunk(RowPass pass, std::size_t chunk) {
    const std::size_t first = problem_.first_row(chunk);
    if (pass.weight != nullptr) pass.weight += first;
    if (pass.bits != nullptr) pass.bits += first;
    pass.out = zero_partial(chunk);
    return pass;
}

void Passes::make(const RowPass& pass) {
    for_chunks([&](std::size_t c) {
        const RowPass of = in_chunk(pass, c);
        problem_.visit_chunk(c, [&](auto rows) { make_pass(rows, of); });
    });
}

void Passes::make_both(const RowPass& pass, Passes& other, const RowPass& others) {
    for_chunks([&](std::size_t c) {
        const RowPass both[] = {in_chunk(pass, c), other.in_chunk(others, c)};
        problem_.visit_chunk(c, [&](auto rows) {
            if constexpr (ForPassesTogether<decltype(rows)>)
                kernels_for(rows).together(rows, both, 2);
        });
    });
}

double Passes::keep_direction(const Vector& u, Loss loss, Vector& out) {
    constexpr double kSmall = 0x1p-900, kLargeBits = 600.0;
    const LossTraits& traits = traits_of(loss);
    const auto is_small = [](double x) { return std::fabs(x) < kSmall; };
    if (!traits.exponential_tail() || !std::all_of(out.begin(), out.end(), is_small)) return 0.0;
    const double shift = std::floor(least_margin(u) * traits.unit);
    if (!(shift > kLargeBits) || !std::isfinite(shift)) return 0.0;  // the terms cancel
    first(u, Loss::exponential, out, shift);
    return shift;
}

void Passes::newton(const Vector& u, Loss loss, double shift, Vector& bits, Vector& out,
                    Vector& hessian) {
    const std::size_t length = problem_.layout().length;
    const std::size_t sums = length + length * (length + 1) / 2, stride = (sums + 7) / 8 * 8;
    newton_partials_.resize(stride * chunks());
    bits.resize(whole_lanes(problem_.rows()));
    for_chunks([&](std::size_t c) {
        problem_.visit_chunk(c, [&](auto rows) {
            if constexpr (std::is_same_v<decltype(rows), PackedRows>) {
                const auto newton =
                    rows.cols > kMostPackedCols ? wide_newton : kernels().packed.newton;
                newton(rows, u.data(), loss, shift, bits.data() + problem_.first_row(c),
                       newton_partials_.data() + c * stride);
            }
        });
    });
    out.assign(length, 0.0);
    hessian.assign(sums - length, 0.0);
    for (std::size_t c = 0; c < chunks(); ++c) {
        const double* p = newton_partials_.data() + c * stride;
        for (std::size_t j = 0; j < length; ++j) out[j] += p[j];
        for (std::size_t j = length; j < sums; ++j) hessian[j - length] += p[j];
    }
    if (problem_.bias()) return;
    out[length - 1] = 0.0;  // the last row and column
    for (std::size_t j = 0, at = length - 1; j < length; ++j, at += length - j) hessian[at] = 0.0;
}

void Passes::curvature_weights(const Vector& u, Loss loss, Vector& weights) {
    const Vector& m = margins(u);
    weights.resize(m.size());
    kernels().curvature(m.data(), weights.data(), m.size(), loss);
    const double* const times = problem_.weights();
    for (std::size_t i = 0; times != nullptr && i < m.size(); ++i) weights[i] *= times[i];
}

void Passes::second(const Vector& weights, const Vector& v, Vector& out) {
    make_paired({.u = v.data(), .weight = weights.data()});
    add_chunks(out);
}

void Passes::second_of(const std::vector<std::uint32_t>& rows,
                       const std::vector<std::size_t>& begin, const Vector& weights,
                       const Vector& v, Vector& out) {
    for_chunks(
        [&](std::size_t c) {
            double* const sum = zero_partial(c);
            const std::size_t first = begin[c], n = begin[c + 1] - first;
            problem_.visit_index(rows.data() + first, n, [&](auto listed) {
                kernels_for(listed).second(listed, weights.data() + first, v.data(), sum);
            });
        },
        rows.size());
    add_chunks(out);
}

}  // namespace fastgrok
