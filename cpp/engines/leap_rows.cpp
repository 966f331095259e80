#include "leap_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "norms.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

constexpr std::size_t kMostKnown = LeapWork::kMostKnown;
// Rows beyond the bound add less than this power of two of the gradient; and the next gradient may
// be smaller by the other before all rows must be looked at again.
constexpr int kNegligible = 60;
constexpr double kSpareBitsOfRows = 4.0;
// More rows than this share are not worth a list.
constexpr double kMostListed = 0.5;
// All rows have their turn when lists have visited so many too many of them as a pass would, and
// the last so many times those that matter.
constexpr double kMostWasted = 1.0, kLoose = 1.5;

}  // namespace

LeapRows::LeapRows(Passes& passes, Loss loss)
    : passes_(passes),
      problem_(passes.problem()),
      loss_(loss),
      error_(static_cast<double>(problem_.layout().cols + 32) *
             std::numeric_limits<double>::epsilon()) {
    if (Elsewhere* const elsewhere = problem_.elsewhere())
        owner_ = elsewhere->new_owner();
    else
        here_ = std::make_unique<LeapWork>(passes, loss);
    if (!traits_of(loss).exponential_tail() || problem_.packed() ||
        problem_.rows() >= std::numeric_limits<std::uint32_t>::max())
        return;
    const double largest = problem_.norms(passes.threads()).largest;
    largest_norm_ = largest * kLog2E * (1.0 + kFloat);
    // Beyond floats a margin in bits could not be told.
    possible_ = largest_norm_ > 0x1p-100 && largest_norm_ < 0x1p100;
    rows_exponent_ = std::ilogb(problem_.total_weight()) + std::ilogb(largest) + 3;
}

LeapRows::~LeapRows() {
    if (!here_) problem_.elsewhere()->forget(owner_);
}

Vector LeapRows::ask(Question what, Vector about, int place) {
    if (here_) return here_->answer(what, about);
    about.insert(about.begin(), static_cast<double>(loss_));
    const bool whole = what == Question::leap_first || (what == Question::leap_second && !listed_);
    return passes_.ask({what, std::move(about), owner_, place, whole},
                       LeapWork::has_sums(what) ? Passes::Answer::sums : Passes::Answer::numbers);
}

void LeapRows::first(const Vector& u, Loss loss, Vector& out, double shift) {
    const bool lists = loss == loss_ && shift == 0.0 && possible_;
    listed_ = lists && useful_ && choose(u);
    if (listed_) {
        const Vector needed_in =
            ask(Question::leap_first_listed, About(loss).add(most_).add(u).done(), LeapWork::kBits);
        passes_.add_chunks(out);
        if (const double needed = bits_needed(out); needed <= most_) {
            needed_ = 0;
            for (const double rows : needed_in) needed_ += static_cast<std::size_t>(rows);
            wasted_ += static_cast<double>(count_ - needed_) / static_cast<double>(problem_.rows());
            most_ = std::min(traits_of(loss_).zero_above, needed + kSpareBitsOfRows);
            return;
        }
    }
    listed_ = false;
    ask(Question::leap_first, About(loss).add(shift).add(u).done(), LeapWork::kBits);
    passes_.add_chunks(out);
    if (lists) learn(u, out);
}

double LeapRows::bits_needed(const Vector& gradient) const {
    double largest = 0.0;
    for (const double x : gradient) largest = std::max(largest, std::fabs(x));
    const double most = traits_of(loss_).zero_above;
    if (!(largest > 0.0) || !std::isfinite(largest)) return most;
    return std::min<double>(most, rows_exponent_ - std::ilogb(largest) + kNegligible);
}

void LeapRows::learn(const Vector& u, const Vector& gradient) {
    most_ = std::min(traits_of(loss_).zero_above, bits_needed(gradient) + kSpareBitsOfRows);
    wasted_ = 0.0;
    needed_ = 0;
    double largest = 0.0;
    const Vector told = ask(Question::leap_learn, About().add(most_).done());
    for (std::size_t c = 0; c < told.size(); c += 2) {
        needed_ += static_cast<std::size_t>(told[c]);
        largest = std::max(largest, told[c + 1]);
    }
    useful_ = static_cast<double>(needed_) < kMostListed * static_cast<double>(problem_.rows()) &&
              largest < 0x1p100;
    if (!useful_) return known_.clear();
    std::size_t place = known_.size();
    if (known_.size() == kMostKnown) {
        std::rotate(known_.begin(), known_.end() - 1, known_.end());
        place = known_.front().place;
    } else {
        known_.emplace(known_.begin());
    }
    known_.front() = {u, place, norm(u.data(), u.size()), largest};
    ask(Question::leap_keep, About().add(place).add(u).done(),
        LeapWork::kKnown + static_cast<int>(place));
}

// The rows that may matter at u; false if all had better have their turn.
bool LeapRows::choose(const Vector& u) {
    count_ = list(combine(u));
    const auto n = static_cast<double>(problem_.rows());
    const auto listed = static_cast<double>(count_);
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

// How many they are.
std::size_t LeapRows::list(const Combination& of) {
    if (!std::isfinite(of.radius) || !(of.radius * largest_norm_ < 0x1p100))
        return problem_.rows();  // nothing is known
    Vector places, factors;
    for (std::size_t j = 0; j < of.factors.size(); ++j) {
        places.push_back(static_cast<double>(known_[j].place));
        factors.push_back(of.factors[j]);
    }
    const Vector counts = ask(Question::leap_list,
                              About()
                                  .add(of.radius * (1.0 + 2.0 * kFloat))
                                  .add(most_ + of.rounding)
                                  .add(places)
                                  .add(factors)
                                  .done(),
                              LeapWork::kList);
    std::size_t sum = 0;
    for (const double count : counts) sum += static_cast<std::size_t>(count);
    return sum;
}

LeapRows::Sums LeapRows::weigh(const Vector& u, double norm, Loss loss, double shift) {
    const Vector told = ask(Question::leap_weigh, About(loss).add(shift).add(norm).add(u).done(),
                            LeapWork::kWeights);
    Sums out{};
    for (std::size_t c = 0; c < told.size(); c += 5) {
        out.along += told[c];
        out.mixed += told[c + 1];
        out.all += told[c + 2];
        out.across += told[c + 3];
        out.squares += told[c + 4];
    }
    return out;
}

void LeapRows::second(const Vector& v, Vector& out) {
    ask(Question::leap_second, About().add(v).done());
    passes_.add_chunks(out);
}

void LeapRows::sum_sizes(const Vector& u, Vector& out, const RoundingShare& share) {
    out.assign(u.size(), 0.0);
    ask(Question::leap_sum_sizes,
        About().add(static_cast<std::size_t>(share.of)).add(share.log_rate).add(u).done());
    passes_.add_chunks(out);
}

double LeapRows::least_bits() {
    const Vector least = ask(Question::leap_least, {});
    return least_of(least.data(), least.size());
}

// What shares in the trace are multiplied with for about so many rows, and where the counts of the
// chunks' chances begin.
double LeapRows::rate_of(double wanted, Vector& starts) {
    double rate = 0.0;
    Vector told;
    for (int round = 0; round < 8; ++round) {
        double certain = 0.0, rest = 0.0;
        told = ask(Question::leap_shares, About().add(rate).done());
        for (std::size_t c = 0; c < told.size(); c += 2) {
            certain += told[c];
            rest += told[c + 1];
        }
        if (!(rest > 0.0)) break;
        const double next = std::max(rate, (wanted - certain) / rest);
        if (next == rate) break;
        rate = next;
    }
    told = ask(Question::leap_shares, About().add(rate).done());
    double sum = LeapWork::kStartOfSample;
    for (std::size_t c = 0; c < told.size(); c += 2) {
        starts.push_back(sum);
        sum += told[c] + rate * told[c + 1];
        sum -= std::floor(sum);
    }
    return rate;
}

}  // namespace fastgrok
