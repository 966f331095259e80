#include "engines/passes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "engines/paired_passes.hpp"
#include "engines/storage.hpp"

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

// Chunk by chunk.
Evaluation sum(const Evaluation* of, std::size_t chunks) {
    Evaluation total = of[0];
    for (std::size_t c = 1; c < chunks; ++c) {
        total.loss_sum += of[c].loss_sum;
        total.correct += of[c].correct;
    }
    return total;
}

}  // namespace

Passes::Passes(const Problem& problem, int threads)
    : problem_(problem),
      threads_(
          std::min<int>(usable_threads(threads), static_cast<int>(problem.partition().count()))),
      // Whole cache lines apart, so that two threads never write to the same one.
      stride_((problem.layout().length + 7) / 8 * 8),
      partials_(stride_ * problem.partition().count(), 0.0) {}

template <class Chunk>
void Passes::for_chunks(Chunk work, std::size_t rows) {
    if (problem_.elsewhere() != nullptr) throw std::logic_error("these rows lie elsewhere");
    const bool alone = rows * problem_.row_entries() < kLeastWork;
    const int threads = alone ? 1 : threads_;
    deal(chunks(), threads, [&](std::size_t c, int member) {
        if constexpr (std::is_invocable_v<Chunk, std::size_t, int>)
            work(c, member);
        else
            work(c);
    });
}

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
    // To the last bit, of which == does not see the sign of zeros.
    const bool known = !u.empty() && u.size() == margins_of_.size() &&
                       std::memcmp(u.data(), margins_of_.data(), u.size() * sizeof(double)) == 0;
    if (known) return margins_;
    margins_of_.clear();
    margins_.resize(whole_lanes(problem_.rows()));
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

Evaluation Passes::evaluate(const Vector& u, Loss loss, Tie tie) {
    if (problem_.elsewhere() != nullptr) return evaluate_all({u}, loss, tie).front();
    const double* m = margins(u).data();
    Evaluation of[Partition::kMostChunks];
    for_chunks(
        [&](std::size_t c) { of[c] = evaluate_chunk(c, m + problem_.first_row(c), loss, tie); });
    return sum(of, chunks());
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

// Of one chunk: those of K vectors, whose products with its rows lie `apart`, with weights given by
// margins. There is `room` for twice as many.
void Passes::project_chunk(const double* m, const double* weights, std::size_t n, Loss loss,
                           const double* along, std::size_t apart, std::size_t vectors,
                           Vector& room, double* out) const {
    double* const q = room.data();
    double* const weighted = q + apart;
    kernels().curvature(m, q, n, loss);
    for (std::size_t i = 0; weights != nullptr && i < n; ++i) q[i] *= weights[i];
    for (std::size_t a = 0; a < vectors; ++a) {
        for (std::size_t i = 0; i < n; ++i) weighted[i] = q[i] * along[a * apart + i];
        for (std::size_t b = 0; b <= a; ++b)
            out[a * vectors + b] = out[b * vectors + a] =
                kernels().dot(weighted, along + b * apart, n);
    }
}

std::vector<Evaluation> Passes::evaluate_all(const std::vector<Vector>& us, Loss loss, Tie tie,
                                             Projection* projection) {
    std::vector<Evaluation> out;
    const std::size_t vectors = projection == nullptr ? 0 : projection->on.size();
    const std::size_t pairs = vectors * vectors;
    const ByChunk by_chunk = evaluate_by_chunk(
        us, loss, tie, projection == nullptr ? std::vector<Vector>() : projection->on);
    for (std::size_t k = 0; k < us.size(); ++k) {
        out.push_back(sum(&by_chunk.of[k * chunks()], chunks()));
        if (projection == nullptr) continue;
        Vector& total = projection->hessians.emplace_back(pairs, 0.0);
        for (std::size_t c = 0; c < chunks(); ++c)
            for (std::size_t p = 0; p < pairs; ++p)
                total[p] += by_chunk.projected[(k * chunks() + c) * pairs + p];
    }
    return out;
}

Passes::ByChunk Passes::evaluate_by_chunk(const std::vector<Vector>& us, Loss loss, Tie tie,
                                          const std::vector<Vector>& on) {
    if (problem_.elsewhere() != nullptr) return evaluate_elsewhere(us, loss, tie, on);
    const std::size_t vectors = on.size(), pairs = vectors * vectors;
    ByChunk out{std::vector<Evaluation>(us.size() * chunks()),
                Vector(us.size() * chunks() * pairs)};
    if (problem_.packed() || (us.size() < 2 && vectors == 0)) {
        for (std::size_t k = 0; k < us.size(); ++k) {
            const double* m = margins(us[k]).data();
            for_chunks([&](std::size_t c) {
                out.of[k * chunks() + c] = evaluate_chunk(c, m + problem_.first_row(c), loss, tie);
            });
        }
        return out;
    }
    // Margins that all threads have at once.
    constexpr std::size_t kMostMargins = std::size_t{1} << 23, kFewest = 8;
    const std::size_t length = problem_.layout().length;
    const std::size_t rows = whole_lanes(problem_.rows() / chunks() + 1) + kLanes;
    const std::size_t room = kMostMargins / (rows * static_cast<std::size_t>(threads_));
    const std::size_t at_once = std::min(us.size(), std::max(room, kFewest));
    const std::size_t most = at_once + vectors;
    const auto threads = static_cast<std::size_t>(threads_);
    std::vector<Vector> margins(threads, Vector(most * rows));
    std::vector<Vector> rooms(threads, Vector(vectors > 0 ? 2 * rows : 0));
    Blocks<double> work(threads * kManyRoom);
    Vector together(most * length);
    for (std::size_t first = 0; first < us.size(); first += at_once) {
        const std::size_t count = std::min(at_once, us.size() - first);
        const auto column = [&](std::size_t k) -> const Vector& {
            return k < count ? us[first + k] : on[k - count];
        };
        for (std::size_t k = 0; k < count + vectors; ++k)
            std::copy(column(k).begin(), column(k).end(),
                      together.begin() + static_cast<std::ptrdiff_t>(k * length));
        for_chunks([&](std::size_t c, int thread) {
            const auto t = static_cast<std::size_t>(thread);
            double* const m = margins[t].data();
            problem_.visit_chunk(c, [&](auto of_chunk) {
                if constexpr (ForMany<decltype(of_chunk)>)
                    kernels_for(of_chunk).many_margins(of_chunk, together.data(), count + vectors,
                                                       m, rows, work.data() + t * kManyRoom);
                else
                    for (std::size_t k = 0; k < count + vectors; ++k)
                        kernels_for(of_chunk).margins(of_chunk, &together[k * length],
                                                      m + k * rows);
            });
            const std::size_t n =
                std::min(problem_.first_row(c + 1), problem_.rows()) - problem_.first_row(c);
            for (std::size_t k = 0; k < count; ++k) {
                const std::size_t place = (first + k) * chunks() + c;
                out.of[place] = evaluate_chunk(c, m + k * rows, loss, tie);
                if (vectors > 0)
                    project_chunk(m + k * rows, weights_from(problem_.first_row(c)), n, loss,
                                  m + count * rows, rows, vectors, rooms[t],
                                  out.projected.data() + place * pairs);
            }
        });
    }
    return out;
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
        problem_.visit_chunk(c, [&](auto rows) {
            if (of.weight != nullptr)
                kernels_for(rows).second(rows, of.weight, of.u, of.out);
            else
                kernels_for(rows).first(rows, of.u, of.loss, of.most, of.shift, of.bits, of.out);
        });
    });
}

void Passes::make_both(const RowPass& pass, Passes& other, const RowPass& others) {
    for_chunks([&](std::size_t c) {
        const RowPass one = in_chunk(pass, c), two = other.in_chunk(others, c);
        problem_.visit_chunk(c, [&](auto rows) {
            if constexpr (ForTwoPasses<decltype(rows)>) kernels_for(rows).both(rows, one, two);
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
