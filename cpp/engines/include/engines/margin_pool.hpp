// The rows that the search for a maximum margin looks at, as vectors in its units.
#pragma once

#include <cstdint>
#include <vector>

#include "core/pages.hpp"
#include "core/problem.hpp"
#include "engines/passes.hpp"
#include "engines/support.hpp"

namespace fastgrok {

// Those with the least margins, or all of them; a place is a row's position among them. Vectors are
// z_i = y_i (x_i / 2^exponent, feature), without the last where there is no bias.
class MarginPool {
public:
    MarginPool(const Problem& problem, const MarginUnits& units, int threads);

    std::size_t dim() const { return dim_; }
    std::size_t size() const { return rows_.size(); }
    std::uint32_t row(std::size_t place) const { return rows_[place]; }
    bool is_everything() const { return everything_; }
    void clear() { rows_.clear(); }

    // The most there may be.
    std::size_t most() const { return most_; }

    // Of all rows at a vector of the problem's parameters, by default the mean row; or at theta.
    // Valid until the next call.
    const Vector& margins_at(const Vector& first);
    const Vector& margins(const Vector& theta);

    // The rows that are no members with the smallest margins below a bound, the smallest first;
    // false if some margin is not finite.
    bool choose(const Vector& margins, double below, const std::vector<bool>& is_member);

    // z_i of a row, or of a place.
    void copy_row(std::size_t row, double* out) const;
    void copy(std::size_t place, double* out) const;

    // Makes the first two of at most so many places, where there is one, those of both classes:
    // first ones of theirs. False if there is no other class.
    bool put_both_first(std::vector<std::size_t>& places, std::size_t most) const;

    // z_i . theta by place.
    void find_margins(const Vector& theta, Vector& out);

private:
    const Vector& mean();

    const Problem& problem_;
    const MarginUnits& units_;
    const std::size_t cols_, dim_;
    Passes passes_;
    std::size_t most_ = 0;
    bool everything_ = false;
    std::vector<std::uint32_t> rows_;
    Table<double> table_;
    Vector mean_, shifted_;
};

}  // namespace fastgrok
