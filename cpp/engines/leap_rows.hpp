// The rows that matter to a leap over wide data, found without looking at the others.
//
// A margin is linear in the parameters. Of points where all margins have been computed these are
// kept, and of a new point u = sum a_j u_j + e they are sum a_j m_ij, but for the row's norm times
// ||e||: iterates that follow a smooth curve lie close to the span of a few earlier ones. Rows
// whose margin is thereby known to be above a bound are left out of the gradient and of the
// products that follow it: all of them together add less than 2^-60 of the gradient's largest
// entry, as in a step of descent. That is checked with the gradient that comes out; where it is not
// so, and where leaving out no longer pays, all rows have their turn and the point joins those that
// are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engines/passes.hpp"
#include "engines/rounding_share.hpp"
#include "leap_work.hpp"

namespace fastgrok {

// What is decided; LeapWork does the work over the rows, here or where they lie.
class LeapRows {
public:
    LeapRows(Passes& passes, Loss loss);
    ~LeapRows();
    LeapRows(const LeapRows&) = delete;
    LeapRows& operator=(const LeapRows&) = delete;

    // Passes::first but for what is left out.
    void first(const Vector& u, Loss loss, Vector& out, double shift);

    // How many rows that looked at.
    std::size_t count() const { return listed_ ? count_ : problem_.rows(); }

    // Weighs these rows with l''(m_i) of a loss, shifted, times their own weight, and sums of that
    // by t = x_i . w / ||w||, w being the weights of u, which was looked at: of t^2, of t, of 1, of
    // ||x_i||^2 - t^2 and of ||x_i||^2.
    struct Sums {
        double along, mixed, all, across, squares;
    };
    Sums weigh(const Vector& u, double norm, Loss loss, double shift);

    // Passes::second over them, with these weights.
    void second(const Vector& v, Vector& out);

    // out <- the sum over them of share(bits, terms, weight) |(x_i, 1)|, `terms` being the sum of
    // the sizes of the terms of the row's margin at u.
    void sum_sizes(const Vector& u, Vector& out, const RoundingShare& share);

    // The least bits of the margins, rows that were not looked at counting with what they exceed;
    // NaN if there is one.
    double least_bits();

    // Every row with a chance that is proportional to its trace, and at most 1, about as many as
    // are wanted, in order, so that the sample is the same for any threads: add(fill), where
    // fill(z) writes its entries, times the root of its weight over its chance, with that of the
    // bias at the end if there is one.
    template <class Add>
    void sample(double wanted, Add add);

private:
    // A point where all margins are known, in bits.
    struct Known {
        Vector u;
        std::size_t place;     // where these are kept
        double size, largest;  // of u and of the bits
    };
    // u as a combination of the points that are known: its coefficients, and by how much at most
    // the margins of a row whose norm, in bits, is 1 differ, and those of any by rounding.
    struct Combination {
        std::vector<float> factors;
        double radius, rounding;
    };

    Vector ask(Question what, Vector about, int place = -1);
    bool choose(const Vector& u);
    Combination combine(const Vector& u) const;
    std::size_t list(const Combination& of);
    double bits_needed(const Vector& gradient) const;
    void learn(const Vector& u, const Vector& gradient);
    double rate_of(double wanted, Vector& starts);

    Passes& passes_;
    const Problem& problem_;
    Loss loss_;
    std::unique_ptr<LeapWork> here_;  // null if the rows lie elsewhere
    std::uint64_t owner_ = 0;         // of the questions there
    bool possible_ = false;           // that rows are left out
    bool useful_ = false;             // some rows matter and others don't
    double error_;           // bound of the rounding of a margin, per norm of row and parameters
    int rows_exponent_ = 0;  // 2^rows_exponent_ > total weight * largest norm
    double largest_norm_ = 0.0;  // in bits
    double most_ = 0.0;          // rows with larger margins, in bits, are left out
    std::size_t needed_ = 0;     // rows that were not above it
    double wasted_ = 0.0;        // passes, on rows that did not matter, since all had their turn
    std::vector<Known> known_;   // the latest first
    bool listed_ = false;
    std::size_t count_ = 0;  // of the list
};

template <class Add>
void LeapRows::sample(double wanted, Add add) {
    const std::size_t cols = problem_.layout().cols, size = cols + (problem_.bias() ? 1 : 0);
    Vector starts;
    const double rate = rate_of(wanted, starts);
    if (!here_) {
        const std::size_t bias = problem_.bias() ? 1 : 0;
        const Vector rows =
            ask(Question::leap_sample, About().add(rate).add(bias).add(starts).done());
        for (std::size_t at = 0; at + size <= rows.size(); at += size)
            add([&](double* to) { std::copy_n(rows.data() + at, size, to); });
        return;
    }
    for (std::size_t c = 0; c < passes_.chunks(); ++c)
        here_->sample(c, rate, starts[c], [&](std::size_t row, double factor) {
            add([&](double* to) {
                problem_.copy_row(row, to);
                for (std::size_t j = 0; j < cols; ++j) to[j] *= factor;
                if (size > cols) to[cols] = factor;
            });
        });
}

}  // namespace fastgrok
