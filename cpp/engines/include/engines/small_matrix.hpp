// Algebra of small dense matrices.
#pragma once

#include <cstddef>

#include "core/problem.hpp"
#include "engines/dense.hpp"

namespace fastgrok {

// Row-major n x n.
class Matrix {
public:
    explicit Matrix(std::size_t n) : n_(n), entries_(n * n, 0.0) {}
    double& operator()(std::size_t i, std::size_t j) { return entries_[i * n_ + j]; }
    double operator()(std::size_t i, std::size_t j) const { return entries_[i * n_ + j]; }
    std::size_t size() const { return n_; }
    MatrixView view() { return {entries_.data(), n_, n_, static_cast<std::ptrdiff_t>(n_), 1}; }

private:
    std::size_t n_;
    Vector entries_;
};

Vector times(const Matrix& a, const Vector& x);

// x <- the solution for the right-hand side x, after factorise_by_entries().
void solve_factorized(const Matrix& a, Vector& x);

bool solve_cholesky(Matrix& a, Vector& x);  // both

// Gaussian elimination with row pivots; false if a is singular.
bool solve_gauss(Matrix& a, Vector& x);

// Whether powers of a grow, up to this one: those of a stable map stay about as large as they are,
// or become small. Rounding errors of a itself would show in the highest.
bool powers_grow(Matrix a, double highest);

// Column by column: solve(x) turns a right-hand side into the solution, or is false and so is this.
template <class Solve>
bool invert(Matrix& inverse, Solve solve) {
    Vector column;
    for (std::size_t k = 0; k < inverse.size(); ++k) {
        column.assign(inverse.size(), 0.0);
        column[k] = 1.0;
        if (!solve(column)) return false;
        for (std::size_t j = 0; j < inverse.size(); ++j) inverse(j, k) = column[j];
    }
    return true;
}

// Eigenvalues of a symmetric matrix, largest first, and orthonormal eigenvectors in the columns of
// `vectors`: Jacobi's method.
void diagonalize(Matrix a, Vector& values, Matrix& vectors);

}  // namespace fastgrok
