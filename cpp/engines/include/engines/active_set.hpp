// Linearly independent rows that come and go, with their products and the Cholesky factor of these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/pages.hpp"
#include "core/problem.hpp"
#include "engines/dense.hpp"

namespace fastgrok {

// Of a member's square, the share outside the span of others, for which digits of theta are lost.
inline constexpr double kNearSpan = 1e-6;

// Every row has a slot, where it and its products with the others lie as long as it is a member;
// members have an order, that of the factor. What follows the first change of the order is made
// anew: so the last members are the cheapest to lose.
class ActiveSet {
public:
    // Of the coefficients' sum: rows are so short beside it that products do not show the margin.
    static constexpr double kMostAlpha = 1e24;

    ActiveSet(std::size_t cols, std::size_t most);

    std::size_t size() const { return slots_.size(); }
    std::size_t room() const { return most_ - size(); }

    // Appends rows: where the next one, of at most room(), shall be written to, and when all are
    // there, in what is known of the `before` members. Those that depend on members, or on earlier
    // ones of the new, are left out; says which are in.
    double* add_row();
    std::vector<bool> append(std::size_t before);

    // Members in the order that they shall have, all others leave. False if what is left seems to
    // be dependent.
    bool keep(const std::vector<std::size_t>& order);

    // Whether it is quicker to leave members in their order where so many leave, from `first` on.
    bool mends(std::size_t first, std::size_t gone) const;

    // With G the products of the members:
    //   solve    x <- G^-1 x
    //   ones     G^-1 1
    //   lasts    G^-1 c with the last entries c of the members
    //   squares  x . G x of each x
    void solve(Vector& x);
    const Vector& ones();
    const Vector& lasts();
    Vector squares(const std::vector<Vector>& x);

    // The least share of a member's square outside the span of those before.
    double least_pivot() const;

    // Products of the members with a vector, and the coefficients of a sum of them.
    void products(const double* vector, Vector& out);
    void shares(const double* sum, Vector& out) {
        products(sum, out);
        solve(out);
    }

    // theta = sum of alpha_i z_i with margins of 1; and the correction of both by what is missing
    // of the margins, which is overwritten.
    void start(const Vector& alpha, double* theta);
    void correct(Vector& missing, Vector& alpha, double* theta);

    // The members' rows, and in which order of members. Nothing that changes the members, or
    // reads their rows, may be called after that.
    Table<double> take_rows(std::vector<std::size_t>& order);

private:
    // L^-1 r, of which the first `halfway` are right, and G^-1 r.
    struct Solution {
        Vector halves, found;
        std::size_t halfway = 0;
    };

    MatrixView factor(std::size_t i, std::size_t j, std::size_t rows, std::size_t cols) {
        return {&factor_[i * most_ + j], rows, cols, static_cast<std::ptrdiff_t>(most_), 1};
    }
    double product(std::size_t i, std::size_t j) const {
        return products_[slots_[i] * most_ + slots_[j]];
    }
    double* row_of(std::size_t member) { return &rows_[slots_[member] * cols_]; }
    void add_sum(const Vector& coefficients, double* out);
    std::size_t take_slot();
    void find_products(std::size_t first);
    bool extend(std::size_t first, std::size_t known);
    void mend(std::size_t first, const std::vector<std::size_t>& order);
    template <class Right>
    const Vector& solution(Solution& x, Right right);
    void forget(std::size_t first);
    bool extend_by_one(std::size_t at);

    std::size_t cols_, most_;
    std::size_t used_ = 0;  // slots that have been taken at any time, the first ones
    std::vector<std::size_t> slots_, free_;
    Table<double> rows_, products_, factor_;
    Solution ones_, lasts_;
    Vector by_slot_, along_;
};

}  // namespace fastgrok
