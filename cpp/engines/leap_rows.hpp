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
#include <functional>
#include <vector>

#include "engines/passes.hpp"

namespace fastgrok {

class LeapRows {
public:
    LeapRows(Passes& passes, Loss loss);

    // Passes::first but for what is left out; `bits` of rows that are get what they exceed.
    void first(const Vector& u, Loss loss, Vector& out, double shift, Vector& bits);

    // The rows that this looked at, in order.
    std::size_t count() const { return listed_ ? rows_.size() : problem_.rows(); }
    std::size_t row(std::size_t place) const { return listed_ ? rows_[place] : place; }

    // Passes::second over them, with the weight of each.
    void second(const Vector& weights, const Vector& v, Vector& out);

    // out <- the sum over them of share(row, terms) |(x_i, 1)|, `terms` being the sum of the sizes
    // of the terms of the row's margin at u.
    void sum_sizes(const Vector& u, Vector& out,
                   const std::function<double(std::size_t row, double terms)>& share);

    // ||x_i||^2 of all rows.
    Vector squares() const;

private:
    // A point where all margins are known, in bits.
    struct Known {
        Vector u;
        std::vector<float> bits;
        double size, largest;  // of u and of the bits
    };
    // u as a combination of the points that are known: its coefficients, and by how much at most
    // the margins of a row whose norm, in bits, is 1 differ, and those of any by rounding.
    struct Combination {
        std::vector<float> factors;
        double radius, rounding;
    };

    template <class Chunk>
    void for_chunks(std::size_t rows, std::size_t entries, Chunk work) const;
    bool choose(const Vector& u, Vector& bits);
    Combination combine(const Vector& u) const;
    void list(const Combination& of, Vector& bits);
    double bits_needed(const Vector& gradient) const;
    void learn(const Vector& u, const Vector& bits, const Vector& gradient);

    Passes& passes_;
    const Problem& problem_;
    Loss loss_;
    bool useful_ = false;    // some rows matter and others don't
    double error_;           // bound of the rounding of a margin, per norm of row and parameters
    int rows_exponent_ = 0;  // 2^rows_exponent_ > total weight * largest norm
    double largest_norm_ = 0.0;  // in bits
    double most_ = 0.0;          // rows with larger margins, in bits, are left out
    std::size_t needed_ = 0;     // rows that were not above it
    double wasted_ = 0.0;        // passes, on rows that did not matter, since all had their turn
    std::vector<float> norms_;
    std::vector<Known> known_;  // the latest first

    bool listed_ = false;
    std::vector<std::vector<std::uint32_t>> lists_;  // of the chunks
    std::vector<std::uint32_t> rows_;
    std::vector<std::size_t> begin_;  // of the chunks in rows_
    Vector listed_bits_;
};

}  // namespace fastgrok
