// Dense linear algebra of small problems, on one thread and to the same bits on v3, v4 and NEON.
// A library's threads are those of the whole process, and wait for each other in loops.
#pragma once

#include <cstddef>

#include "core/problem.hpp"
#include "core/types.hpp"

namespace fastgrok {

// A matrix that others own. Entry (i, j) lies at at[i * row + j * col]; the steps may be negative.
struct MatrixView {
    double* at;
    std::size_t rows, cols;
    std::ptrdiff_t row, col;

    double& operator()(std::size_t i, std::size_t j) const {
        return at[static_cast<std::ptrdiff_t>(i) * row + static_cast<std::ptrdiff_t>(j) * col];
    }
    MatrixView part(std::size_t i, std::size_t j, std::size_t n, std::size_t m) const {
        return {&(*this)(i, j), n, m, row, col};
    }
    MatrixView transposed() const { return {at, cols, rows, col, row}; }
};

enum class Part { all, lower };

// c += sign * a b, a step of c being 1; or its lower triangle, by rows, and some of what is above.
void add_product(double sign, const MatrixView& a, const MatrixView& b, const MatrixView& c,
                 Part part = Part::all);

// out += a v. A step of `a` must be 1.
void add_product(const MatrixView& a, const double* v, double* out);

// The lower triangle of a positive definite matrix becomes its Cholesky factor, what is above means
// nothing; false if it is not positive definite to working precision. Rows are contiguous.
bool factorise(const MatrixView& a);
// The same entry by entry, on no kernel.
bool factorise_by_entries(const MatrixView& a);

// b <- l^-1 b, or l^-T b; a step of b must be 1, rows of l are contiguous.
enum class Side { plain, transposed };
void solve_lower(const MatrixView& l, const MatrixView& b, Side side);

// The lower triangle t, with a positive diagonal, becomes that of t t^T + v^T v; v, of as many
// columns, is overwritten. Rows of both are contiguous. (Householder's reflections, in blocks.)
void add_to_factor(const MatrixView& t, const MatrixView& v);

// Rows a = l q with orthonormal rows q, by Householder's reflections; a.rows <= a.cols. `a` is
// overwritten; l (rows x rows, its upper triangle zero) and q (like a, or without rows if it is not
// wanted) are contiguous by rows.
void orthonormalise(const MatrixView& a, const MatrixView& l, const MatrixView& q);

// The order of the rows of `a` in which each is the farthest from the span of those before it, as
// long as there are distances to tell, which `distance` gets; rows are contiguous and overwritten.
std::vector<std::size_t> order_by_distance(const MatrixView& a, Vector& distance);

}  // namespace fastgrok
