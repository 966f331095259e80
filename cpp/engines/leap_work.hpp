// What LeapRows has done over the rows themselves, chunk by chunk: all that is known of single rows
// is here, on the machine that has them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "asked.hpp"
#include "engines/passes.hpp"
#include "engines/rounding_share.hpp"

namespace fastgrok {

// Of floats: what rounding takes of a product and a sum, with some to spare.
inline constexpr double kFloat = 0x1p-22;

class LeapWork {
public:
    // A failed machine's work is done again by asking these in the order of their numbers.
    enum Place : int { kKnown = 0, kList = 32, kBits, kWeights };
    static constexpr std::size_t kMostKnown = 8;

    LeapWork(Passes& passes, Loss loss);

    // Numbers by chunk; sums over the rows are left in the passes' partial sums. About what, and
    // what comes of it:
    //
    //     leap_first         loss, shift, u          the sums of Passes::first; the bits are kept
    //     leap_first_listed  loss, most, u           the same over the list; how many are <= most
    //     leap_learn         most                    how many are <= most, and the largest |bits|
    //     leap_keep          place, u                keeps the bits at u, without a shift
    //     leap_list          radius, most, places,   lists the rows that may have bits <= most;
    //                        their factors           how many
    //     leap_weigh         loss, shift, ||w||, u   l''(m_i) times the row's weight, and the sums
    //                                                of it times t^2, t, 1, |x_i|^2 - t^2 and
    //                                                |x_i|^2, t = x_i . w / ||w||
    //     leap_second        v                       the sums of Passes::second
    //     leap_sum_sizes     of, log_rate, u         the sums of LeapField::sum_sizes
    //     leap_least                                 the least bits, or NaN
    //     leap_shares        rate                    of rows' shares in the trace: how many times
    //                                                rate are 1 or more, and the sum of the others
    //     leap_sample        rate, bias, where the   the rows of a sample
    //                        chunks' counts begin
    //
    // The rows are those of the list after leap_first_listed, and all after leap_first.
    Vector answer(Question what, const Vector& about);
    static bool has_sums(Question what);

    // Of leap_first, and of leap_second over all rows, the pass, before which nothing else may be
    // asked of this.
    RowPass whole(Question what, const Vector& about);

    // The sample of one chunk: use(row, factor) in order, `rate` times a row's share being its
    // chance, and `sum` what the chances before have left.
    template <class Use>
    void sample(std::size_t chunk, double rate, double sum, Use use) const;
    static constexpr double kStartOfSample = 0.5;

private:
    template <class Chunk>
    void for_chunks(std::size_t rows, std::size_t entries, Chunk work) const;
    std::size_t length() const { return problem_.layout().length; }
    std::size_t count() const { return listed_ ? rows_.size() : problem_.rows(); }
    // Places of a chunk in what was looked at last, and the row at one.
    std::size_t first_place(std::size_t chunk) const {
        return listed_ ? begin_[chunk] : problem_.first_row(chunk);
    }
    std::size_t end_place(std::size_t chunk) const {
        return listed_ ? begin_[chunk + 1]
                       : std::min(problem_.first_row(chunk + 1), problem_.rows());
    }
    std::size_t row(std::size_t place) const { return listed_ ? rows_[place] : place; }
    double share(std::size_t place) const { return weights_[place] * (squares_[row(place)] + 1.0); }

    RowPass first(Loss loss, double shift, Vector u);
    Vector first_listed(Loss loss, double most, const Vector& u);
    Vector learn(double most) const;
    void keep(std::size_t place, const Vector& u);
    Vector list(double radius, double most, const Vector& places, const Vector& factors);
    Vector weigh(Loss loss, double shift, double norm, const Vector& u);
    RowPass second(Vector v);
    void sum_sizes(const RoundingShare& share, const Vector& u);
    Vector least() const;
    Vector shares(double rate) const;
    Vector sampled(double rate, bool bias, const Vector& starts) const;

    Passes& passes_;
    const Problem& problem_;
    Loss loss_;
    std::vector<float> norms_;               // of the rows, in bits
    Vector squares_;                         // ||x_i||^2
    Vector sum_;                             // over all chunks here, of which nobody asks
    Vector of_pass_;                         // u or v
    std::vector<std::vector<float>> known_;  // bits at points that are kept
    Vector at_;                              // where bits_ are without a shift; or empty
    Vector bits_, weights_;

    bool listed_ = false;
    std::vector<std::vector<std::uint32_t>> lists_;  // of the chunks
    std::vector<std::uint32_t> rows_;
    std::vector<std::size_t> begin_;  // of the chunks in rows_
    Vector listed_bits_;
};

template <class Use>
void LeapWork::sample(std::size_t chunk, double rate, double sum, Use use) const {
    for (std::size_t k = first_place(chunk); k < end_place(chunk); ++k) {
        const double chance = std::min(rate * share(k), 1.0);
        sum += chance;
        if (!(sum >= 1.0)) continue;
        sum -= 1.0;
        use(row(k), std::sqrt(weights_[k] / chance));
    }
}

}  // namespace fastgrok
