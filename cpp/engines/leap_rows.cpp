#include "leap_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engines/leap_field.hpp"
#include "engines/storage.hpp"
#include "norms.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

constexpr std::size_t kMostKnown = 8;
// Rows beyond the bound add less than this power of two of the gradient; and the next gradient may
// be smaller by the other before all rows must be looked at again.
constexpr int kNegligible = 60;
constexpr double kSpareBits = 4.0;
// More rows than this share are not worth a list.
constexpr double kMostListed = 0.5;
// All rows have their turn when lists have visited so many too many of them as a pass would, and
// the last so many times those that matter.
constexpr double kMostWasted = 1.0, kLoose = 1.5;
// Entries that are worth calling threads for.
constexpr std::size_t kLeastWork = std::size_t{1} << 18;
// Of floats: what rounding takes of a product and a sum, with some to spare.
constexpr double kFloat = 0x1p-22;

}  // namespace

LeapRows::LeapRows(Passes& passes, Loss loss)
    : passes_(passes),
      problem_(passes.problem()),
      loss_(loss),
      error_(static_cast<double>(problem_.layout().cols + 32) *
             std::numeric_limits<double>::epsilon()),
      lists_(passes.chunks()),
      begin_(passes.chunks() + 1, 0) {
    const bool possible = traits_of(loss).exponential_tail() && !problem_.packed() &&
                          problem_.rows() < std::numeric_limits<std::uint32_t>::max();
    if (!possible) return;
    const RowNorms& norms = problem_.norms(passes.threads());
    largest_norm_ = norms.largest * kLog2E * (1.0 + kFloat);
    // Beyond floats a margin in bits could not be told.
    if (!(largest_norm_ > 0x1p-100 && largest_norm_ < 0x1p100)) return;
    rows_exponent_ = std::ilogb(problem_.total_weight()) + std::ilogb(norms.largest) + 3;
    norms_.reserve(problem_.rows());
    for (std::size_t i = 0; i < problem_.rows(); ++i)
        norms_.push_back(static_cast<float>(norms.bits[i] * (1.0 + kFloat)));
    for (std::size_t c = 0; c < lists_.size(); ++c)  // for threads, which must not throw
        lists_[c].reserve(problem_.first_row(c + 1) - problem_.first_row(c));
}

template <class Chunk>
void LeapRows::for_chunks(std::size_t rows, std::size_t entries, Chunk work) const {
    const int threads = rows * entries < kLeastWork ? 1 : passes_.threads();
    Shares shares(passes_.chunks(), threads);
    run_team(threads, [&](const Member& me) {
        std::size_t c;
        while (shares.take(me.index, c)) work(c);
    });
}

void LeapRows::first(const Vector& u, Loss loss, Vector& out, double shift, Vector& bits) {
    const bool lists = loss == loss_ && shift == 0.0 && !norms_.empty();
    listed_ = lists && useful_ && choose(u, bits);
    if (listed_) {
        listed_bits_.resize(whole_lanes(rows_.size()));
        for_chunks(rows_.size(), problem_.row_entries(), [&](std::size_t c) {
            double* const sum = passes_.zero_partial(c);
            const std::size_t n = begin_[c + 1] - begin_[c];
            problem_.visit_index(rows_.data() + begin_[c], n, [&](auto rows) {
                kernels_for(rows).first(rows, u.data(), loss, traits_of(loss).zero_above, 0.0,
                                        listed_bits_.data() + begin_[c], sum);
            });
        });
        passes_.add_chunks(out);
        if (const double needed = bits_needed(out); needed <= most_) {
            needed_ = 0;
            for (std::size_t k = 0; k < rows_.size(); ++k) {
                bits[rows_[k]] = listed_bits_[k];
                needed_ += !(listed_bits_[k] > most_);
            }
            wasted_ +=
                static_cast<double>(rows_.size() - needed_) / static_cast<double>(problem_.rows());
            most_ = std::min(traits_of(loss_).zero_above, needed + kSpareBits);
            return;
        }
    }
    listed_ = false;
    passes_.first(u, loss, out, shift, &bits);
    if (lists) learn(u, bits, out);
}

double LeapRows::bits_needed(const Vector& gradient) const {
    double largest = 0.0;
    for (const double x : gradient) largest = std::max(largest, std::fabs(x));
    const double most = traits_of(loss_).zero_above;
    if (!(largest > 0.0) || !std::isfinite(largest)) return most;
    return std::min<double>(most, rows_exponent_ - std::ilogb(largest) + kNegligible);
}

void LeapRows::learn(const Vector& u, const Vector& bits, const Vector& gradient) {
    const std::size_t n = problem_.rows();
    most_ = std::min(traits_of(loss_).zero_above, bits_needed(gradient) + kSpareBits);
    wasted_ = 0.0;
    needed_ = 0;
    double largest = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        needed_ += !(bits[i] > most_);
        largest = std::max(largest, std::fabs(bits[i]));
    }
    useful_ =
        static_cast<double>(needed_) < kMostListed * static_cast<double>(n) && largest < 0x1p100;
    if (!useful_) return known_.clear();
    if (known_.size() == kMostKnown)
        std::rotate(known_.begin(), known_.end() - 1, known_.end());
    else
        known_.emplace(known_.begin());
    Known& known = known_.front();
    known.u = u;
    known.bits.resize(n);
    for (std::size_t i = 0; i < n; ++i) known.bits[i] = static_cast<float>(bits[i]);
    known.size = norm(u.data(), u.size());
    known.largest = largest;
}

// The rows that may matter at u; false if all had better have their turn.
bool LeapRows::choose(const Vector& u, Vector& bits) {
    list(combine(u), bits);
    const auto n = static_cast<double>(problem_.rows());
    const auto listed = static_cast<double>(rows_.size());
    const auto needed = static_cast<double>(needed_);
    if (listed > kMostListed * n) return false;
    return wasted_ <= kMostWasted || listed <= kLoose * needed;
}

// Of the combinations of the latest point, of the two latest and so on the one that tells most: the
// nearest to u in each span, which are found by the Gram-Schmidt process.
LeapRows::Combination LeapRows::combine(const Vector& u) const {
    constexpr double kDependent = 1e-10;
    const std::size_t most = known_.size(), length = u.size();
    const double size = norm(u.data(), length);
    std::vector<Vector> basis;    // orthonormal
    std::vector<Vector> factors;  // of the known points, in each vector of the basis
    Vector rest = u, combined(most, 0.0), e(length);
    Combination best{{}, std::numeric_limits<double>::infinity(), 0.0};
    double best_width = std::numeric_limits<double>::infinity();
    for (std::size_t p = 0; p < most; ++p) {
        Vector v = known_[p].u, of(most, 0.0);
        of[p] = 1.0;
        for (int again = 0; again < 2; ++again)
            for (std::size_t q = 0; q < basis.size(); ++q) {
                const double along = dot(basis[q], v);
                add_multiple(v, -along, basis[q]);
                for (std::size_t j = 0; j < most; ++j) of[j] -= along * factors[q][j];
            }
        const double left = norm(v.data(), length);
        if (!(left > kDependent * known_[p].size)) continue;
        for (double& x : v) x /= left;
        for (double& x : of) x /= left;
        const double along = dot(v, rest);
        add_multiple(rest, -along, v);
        for (std::size_t j = 0; j < most; ++j) combined[j] += along * of[j];
        basis.push_back(std::move(v));
        factors.push_back(std::move(of));
        // With the factors as they are used.
        Combination now{std::vector<float>(combined.begin(), combined.end()), 0.0, 0.0};
        e = u;
        double sizes = size, terms = 0.0;
        for (std::size_t j = 0; j < most; ++j) {
            const double factor = now.factors[j];
            add_multiple(e, -factor, known_[j].u);
            sizes += std::fabs(factor) * known_[j].size;
            terms += std::fabs(factor) * known_[j].largest;
        }
        now.radius = norm(e.data(), length) * (1.0 + kFloat);
        now.rounding = 2.0 * error_ * largest_norm_ * sizes +
                       kFloat * static_cast<double>(most + 2) * (terms + most_);
        const double width = now.radius * largest_norm_ + now.rounding;
        if (width < best_width) {
            best_width = width;
            best = std::move(now);
        }
    }
    return best;
}

void LeapRows::list(const Combination& of, Vector& bits) {
    constexpr std::size_t kAtOnce = 512;
    rows_.clear();
    if (!std::isfinite(of.radius) || !(of.radius * largest_norm_ < 0x1p100)) {
        rows_.resize(problem_.rows());  // nothing is known
        return;
    }
    const auto radius = static_cast<float>(of.radius * (1.0 + 2.0 * kFloat));
    const auto most = static_cast<float>(most_ + of.rounding);
    for_chunks(problem_.rows(), known_.size(), [&](std::size_t c) {
        std::vector<std::uint32_t>& list = lists_[c];
        list.clear();
        float least[kAtOnce];
        const std::size_t end = std::min(problem_.first_row(c + 1), problem_.rows());
        for (std::size_t i = problem_.first_row(c); i < end; i += kAtOnce) {
            const std::size_t n = std::min(kAtOnce, end - i);
            for (std::size_t r = 0; r < n; ++r) least[r] = -radius * norms_[i + r];
            for (std::size_t j = 0; j < of.factors.size(); ++j) {
                const float factor = of.factors[j];
                if (factor == 0.0f) continue;
                const float* const known = known_[j].bits.data() + i;
                for (std::size_t r = 0; r < n; ++r) least[r] += factor * known[r];
            }
            for (std::size_t r = 0; r < n; ++r) {
                bits[i + r] = least[r];
                if (!(least[r] > most)) list.push_back(static_cast<std::uint32_t>(i + r));
            }
        }
    });
    for (std::size_t c = 0; c < lists_.size(); ++c) {
        begin_[c] = rows_.size();
        rows_.insert(rows_.end(), lists_[c].begin(), lists_[c].end());
    }
    begin_[lists_.size()] = rows_.size();
}

void LeapRows::second(const Vector& weights, const Vector& v, Vector& out) {
    if (!listed_) return passes_.second(weights, v, out);
    passes_.second_of(rows_, begin_, weights, v, out);
}

void LeapRows::sum_sizes(const Vector& u, Vector& out,
                         const std::function<double(std::size_t, double)>& share) {
    const std::size_t intercept = problem_.layout().intercept;
    Vector size(u);
    for (double& x : size) x = std::fabs(x);
    out.assign(u.size(), 0.0);
    for_chunks(count(), problem_.row_entries(), [&](std::size_t c) {
        double* const sum = passes_.zero_partial(c);
        const std::size_t end = std::min(problem_.first_row(c + 1), problem_.rows());
        const std::size_t first = listed_ ? begin_[c] : problem_.first_row(c);
        const std::size_t last = listed_ ? begin_[c + 1] : end;
        for (std::size_t place = first; place < last; ++place)
            problem_.visit_row(row(place), [&](const auto* x, std::size_t n, auto column) {
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
                const double times = share(row(place), terms);
                for (k = 0; k < n; ++k) sum[column(k)] += times * entry(k);
                sum[intercept] += times;
            });
    });
    passes_.add_chunks(out);
}

Vector LeapRows::squares() const {
    Vector out(problem_.rows());
    for_chunks(problem_.rows(), problem_.row_entries(), [&](std::size_t c) {
        const std::size_t end = std::min(problem_.first_row(c + 1), problem_.rows());
        for (std::size_t i = problem_.first_row(c); i < end; ++i) out[i] = squared_row(problem_, i);
    });
    return out;
}

}  // namespace fastgrok
