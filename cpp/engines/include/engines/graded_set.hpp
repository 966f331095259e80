// Linearly independent rows that come and go, whose columns may have very different units.
#pragma once

#include <cstddef>
#include <vector>

#include "core/pages.hpp"
#include "core/problem.hpp"
#include "engines/dense.hpp"

namespace fastgrok {

// What ActiveSet does, for few columns: products of rows would lose the small ones, so nothing is
// made of products. Columns B are chosen that determine the others: the rows are A = Q R (I, C),
// the first part standing for B, and Householder's reflections are exact column by column, whatever
// the units. B are the longest in the units given, so that C has entries of about 1 at most
// (Bjoerck 1996, "Numerical methods for least squares problems", 2.5). All is made anew at every
// change.
class GradedSet {
public:
    static constexpr double kMostAlpha = 1e250;

    GradedSet(std::size_t cols, std::size_t most);

    std::size_t size() const { return count_; }
    std::size_t room() const { return most_ - count_; }

    // See ActiveSet.
    double* add_row();
    std::vector<bool> append(std::size_t before);
    bool keep(const std::vector<std::size_t>& order);
    bool mends(std::size_t, std::size_t) const { return false; }
    void solve(Vector& x);
    const Vector& ones();
    Vector squares(const std::vector<Vector>& x);
    double least_pivot() const { return 1.0; }
    void products(const double* vector, Vector& out);
    void shares(const double* row, Vector& out) { coefficients(row, out); }
    void start(const Vector& alpha, double* theta);
    void correct(Vector& missing, Vector& alpha, double* theta);
    Table<double> take_rows(std::vector<std::size_t>& order);

private:
    MatrixView inner_factor() {
        const std::size_t n = few_ ? count_ : cols_ - count_;
        return {inner_.data(), n, n, static_cast<std::ptrdiff_t>(n), 1};
    }
    MatrixView triangle(std::size_t count) {
        return {lower_.data(), count, count, static_cast<std::ptrdiff_t>(count), 1};
    }
    bool factorise(std::size_t count);
    bool choose_columns(std::size_t count);
    void find_rest(std::size_t count);
    // u <- (I + C C^T)^-1 u
    void solve_inner(double* u);
    // The shortest vector with these products, and the coefficients of the nearest sum of rows.
    void shortest(const Vector& right, Vector& out);
    void coefficients(const double* vector, Vector& out);

    std::size_t cols_, most_;
    std::size_t count_ = 0, added_ = 0;  // members, and rows that are there
    bool few_ = false;                   // members, beside the columns that are not in B
    Vector rows_;
    std::vector<std::size_t> order_;  // of the columns: B first
    // R^T; the reflections; C; the Cholesky factor of I + C C^T, or of I + C^T C if that is
    // smaller.
    Vector lower_, reflections_, rest_, inner_;
    Vector units_, row_units_;  // powers of two that make columns, then rows, about 1
    Vector table_, nothing_, lengths_, u_, ones_, point_;
};

}  // namespace fastgrok
