#include "leap_work.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "engines/leap_field.hpp"
#include "engines/storage.hpp"
#include "norms.hpp"

namespace fastgrok {
namespace {}  // namespace

LeapWork::LeapWork(Passes& passes, Loss loss)
    : passes_(passes),
      problem_(passes.problem()),
      loss_(loss),
      squares_(problem_.rows()),
      sum_(length()),
      known_(kMostKnown),
      lists_(passes.chunks()),
      begin_(passes.chunks() + 1, 0) {
    for_chunks(problem_.rows(), problem_.row_entries(), [&](std::size_t c) {
        for (std::size_t i = first_place(c); i < end_place(c); ++i)
            squares_[i] = squared_row(problem_, i);
    });
    if (!traits_of(loss).exponential_tail()) return;  // no lists are made
    for (const double bits : problem_.norms(passes.threads()).bits)
        norms_.push_back(static_cast<float>(bits * (1.0 + kFloat)));
    for (std::size_t c = 0; c < lists_.size(); ++c)  // for threads, which must not throw
        lists_[c].reserve(problem_.first_row(c + 1) - problem_.first_row(c));
}

bool LeapWork::has_sums(Question what) {
    return what == Question::leap_first || what == Question::leap_first_listed ||
           what == Question::leap_second || what == Question::leap_sum_sizes;
}

template <class Chunk>
void LeapWork::for_chunks(std::size_t rows, std::size_t entries, Chunk work) const {
    const int threads = rows * entries < kLeastWork ? 1 : passes_.threads();
    deal(passes_.chunks(), threads, [&](std::size_t c, int) { work(c); });
}

Vector LeapWork::answer(Question what, const Vector& about) {
    Heard heard(about);
    const auto parameters = [&] { return heard.vector(length()); };
    switch (what) {
        case Question::leap_first: passes_.make_paired(whole(what, about)); return {};
        case Question::leap_first_listed: {
            const Loss loss = heard.loss();
            const double most = heard.number();
            return first_listed(loss, most, parameters());
        }
        case Question::leap_learn: return learn(heard.number());
        case Question::leap_keep: {
            const std::size_t place = heard.count();
            keep(place, parameters());
            return {};
        }
        case Question::leap_list: {
            const double radius = heard.number(), most = heard.number();
            const Vector places = heard.vector();
            return list(radius, most, places, heard.vector(places.size()));
        }
        case Question::leap_weigh: {
            const Loss loss = heard.loss();
            const double shift = heard.number(), norm = heard.number();
            return weigh(loss, shift, norm, parameters());
        }
        case Question::leap_second:
            if (listed_)
                passes_.second_of(rows_, begin_, weights_, parameters(), sum_);
            else
                passes_.make_paired(whole(what, about));
            return {};
        case Question::leap_sum_sizes: {
            const auto of =
                heard.count() == 0 ? RoundingShare::Of::change : RoundingShare::Of::error;
            const double log_rate = heard.number();
            sum_sizes({of, loss_, log_rate}, parameters());
            return {};
        }
        case Question::leap_least: return least();
        case Question::leap_shares: return shares(heard.number());
        case Question::leap_sample: {
            const double rate = heard.number();
            const bool bias = heard.count() != 0;
            return sampled(rate, bias, heard.vector());
        }
        default: throw std::invalid_argument("leaps do not ask this of rows");
    }
}

RowPass LeapWork::whole(Question what, const Vector& about) {
    Heard heard(about);
    if (what == Question::leap_first) {
        const Loss loss = heard.loss();
        const double shift = heard.number();
        return first(loss, shift, heard.vector(length()));
    }
    if (what != Question::leap_second || listed_)
        throw std::invalid_argument("this is not asked of all rows");
    return second(heard.vector(length()));
}

RowPass LeapWork::first(Loss loss, double shift, Vector u) {
    listed_ = false;
    at_.clear();
    if (loss == loss_ && shift == 0.0) at_ = u;
    of_pass_ = std::move(u);
    return passes_.first_pass(of_pass_, loss, shift, &bits_);
}

Vector LeapWork::first_listed(Loss loss, double most, const Vector& u) {
    listed_ = true;
    at_.clear();
    listed_bits_.resize(whole_lanes(rows_.size()));
    Vector needed(passes_.chunks(), 0.0);
    for_chunks(rows_.size(), problem_.row_entries(), [&](std::size_t c) {
        double* const sum = passes_.zero_partial(c);
        const std::size_t n = begin_[c + 1] - begin_[c];
        problem_.visit_index(rows_.data() + begin_[c], n, [&](auto rows) {
            kernels_for(rows).first(rows, u.data(), loss, traits_of(loss).zero_above, 0.0,
                                    listed_bits_.data() + begin_[c], sum);
        });
    });
    for (std::size_t c = 0; c < passes_.chunks(); ++c)
        for (std::size_t k = begin_[c]; k < begin_[c + 1]; ++k) {
            bits_[rows_[k]] = listed_bits_[k];
            needed[c] += !(listed_bits_[k] > most);
        }
    return needed;
}

Vector LeapWork::learn(double most) const {
    Vector out(2 * passes_.chunks(), 0.0);
    for_chunks(problem_.rows(), 1, [&](std::size_t c) {
        double needed = 0.0, largest = 0.0;
        for (std::size_t i = first_place(c); i < end_place(c); ++i) {
            needed += !(bits_[i] > most);
            largest = std::max(largest, std::fabs(bits_[i]));
        }
        out[2 * c] = needed;
        out[2 * c + 1] = largest;
    });
    return out;
}

// Computes them again where a machine takes over from another.
void LeapWork::keep(std::size_t place, const Vector& u) {
    if (at_ != u) passes_.make_paired(first(loss_, 0.0, u));
    std::vector<float>& known = known_.at(place);
    known.resize(problem_.rows());
    for (std::size_t i = 0; i < known.size(); ++i) known[i] = static_cast<float>(bits_[i]);
}

Vector LeapWork::list(double radius, double most, const Vector& places, const Vector& factors) {
    constexpr std::size_t kAtOnce = 512;
    const auto far = static_cast<float>(radius), above = static_cast<float>(most);
    std::vector<const float*> known;
    for (const double place : places) {
        const auto& margins = known_.at(static_cast<std::size_t>(place));
        if (margins.size() < problem_.rows()) throw std::logic_error("no margins are known there");
        known.push_back(margins.data());
    }
    bits_.resize(whole_lanes(problem_.rows()));
    at_.clear();
    listed_ = false;
    for_chunks(problem_.rows(), known.size(), [&](std::size_t c) {
        std::vector<std::uint32_t>& list = lists_[c];
        list.clear();
        float least[kAtOnce];
        const std::size_t end = end_place(c);
        for (std::size_t i = first_place(c); i < end; i += kAtOnce) {
            const std::size_t n = std::min(kAtOnce, end - i);
            for (std::size_t r = 0; r < n; ++r) least[r] = -far * norms_[i + r];
            for (std::size_t j = 0; j < known.size(); ++j) {
                const auto factor = static_cast<float>(factors[j]);
                if (factor == 0.0f) continue;
                const float* const bits = known[j] + i;
                for (std::size_t r = 0; r < n; ++r) least[r] += factor * bits[r];
            }
            for (std::size_t r = 0; r < n; ++r) {
                bits_[i + r] = least[r];
                if (!(least[r] > above)) list.push_back(static_cast<std::uint32_t>(i + r));
            }
        }
    });
    rows_.clear();
    Vector out;
    for (std::size_t c = 0; c < lists_.size(); ++c) {
        begin_[c] = rows_.size();
        rows_.insert(rows_.end(), lists_[c].begin(), lists_[c].end());
        out.push_back(static_cast<double>(lists_[c].size()));
    }
    begin_[lists_.size()] = rows_.size();
    return out;
}

Vector LeapWork::weigh(Loss loss, double shift, double norm, const Vector& u) {
    weights_.resize(whole_lanes(count()));
    const double unit = traits_of(loss_).per_unit(), b = u[problem_.layout().intercept];
    const double* const y = problem_.labels();
    constexpr std::size_t kSums = 5;
    Vector out(kSums * passes_.chunks());
    for_chunks(count(), 1, [&](std::size_t c) {
        const std::size_t begin = first_place(c), end = end_place(c);
        double* const q = weights_.data();
        for (std::size_t k = begin; k < end; ++k) q[k] = (bits_[row(k)] - shift) * unit;
        kernels().curvature(q + begin, q + begin, end - begin, loss);
        if (problem_.weights() != nullptr)
            for (std::size_t k = begin; k < end; ++k) q[k] *= problem_.weight(row(k));
        double along = 0.0, mixed = 0.0, all = 0.0, across = 0.0, squares = 0.0;
        for (std::size_t k = begin; k < end; ++k) {
            const std::size_t i = row(k);
            const double t = (bits_[i] * unit * y[i] - b) / norm;
            along += q[k] * t * t;
            mixed += q[k] * t;
            all += q[k];
            across += q[k] * std::max(squares_[i] - t * t, 0.0);
            squares += q[k] * squares_[i];
        }
        const double sums[kSums] = {along, mixed, all, across, squares};
        std::copy_n(sums, kSums, out.data() + kSums * c);
    });
    return out;
}

RowPass LeapWork::second(Vector v) {
    if (weights_.size() < count()) throw std::logic_error("rows were not weighed before");
    of_pass_ = std::move(v);
    return {.u = of_pass_.data(), .weight = weights_.data()};
}

void LeapWork::sum_sizes(const RoundingShare& share, const Vector& u) {
    const std::size_t intercept = problem_.layout().intercept;
    Vector size(u);
    for (double& x : size) x = std::fabs(x);
    for_chunks(count(), problem_.row_entries(), [&](std::size_t c) {
        double* const sum = passes_.zero_partial(c);
        for (std::size_t place = first_place(c); place < end_place(c); ++place) {
            const std::size_t i = row(place);
            problem_.visit_row(i, [&](const auto* x, std::size_t n, auto column) {
                const auto entry = [x](std::size_t k) {
                    return std::fabs(static_cast<double>(x[k]));
                };
                double lanes[kRowLanes] = {};
                std::size_t k = 0;
                for (; k + kRowLanes <= n; k += kRowLanes)
                    for (std::size_t l = 0; l < kRowLanes; ++l)
                        lanes[l] += entry(k + l) * size[column(k + l)];
                for (; k < n; ++k) lanes[0] += entry(k) * size[column(k)];
                double terms = size[intercept];
                for (const double lane : lanes) terms += lane;
                const double times = share(bits_[i], terms, problem_.weight(i));
                for (k = 0; k < n; ++k) sum[column(k)] += times * entry(k);
                sum[intercept] += times;
            });
        }
    });
}

Vector LeapWork::least() const {
    Vector out;
    for (std::size_t c = 0; c < passes_.chunks(); ++c) {
        const std::size_t begin = problem_.first_row(c);
        const std::size_t end = std::min(problem_.first_row(c + 1), problem_.rows());
        out.push_back(least_of(bits_.data() + begin, end - begin));
    }
    return out;
}

Vector LeapWork::shares(double rate) const {
    Vector out(2 * passes_.chunks());
    for_chunks(count(), 1, [&](std::size_t c) {
        double certain = 0.0, rest = 0.0;
        for (std::size_t k = first_place(c); k < end_place(c); ++k) {
            if (rate * share(k) >= 1.0)
                certain += 1.0;
            else
                rest += share(k);
        }
        out[2 * c] = certain;
        out[2 * c + 1] = rest;
    });
    return out;
}

Vector LeapWork::sampled(double rate, bool bias, const Vector& starts) const {
    const std::size_t cols = problem_.layout().cols, from = problem_.partition().first();
    Vector x(cols);
    if (starts.size() < from + passes_.chunks())
        throw std::invalid_argument("a sample of rows has fewer chunks than these");
    Vector out;
    for (std::size_t c = 0; c < passes_.chunks(); ++c)
        sample(c, rate, starts[from + c], [&](std::size_t i, double factor) {
            problem_.copy_row(i, x.data());
            for (const double entry : x) out.push_back(factor * entry);
            if (bias) out.push_back(factor);
        });
    return out;
}

}  // namespace fastgrok
