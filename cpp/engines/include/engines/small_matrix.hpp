// Algebra of small dense matrices.
#pragma once

#include <cstddef>
#include <vector>

#include "core/problem.hpp"

namespace fastgrok {

// Row-major n x n.
class Matrix {
public:
    explicit Matrix(std::size_t n) : n_(n), entries_(n * n, 0.0) {}
    double& operator()(std::size_t i, std::size_t j) { return entries_[i * n_ + j]; }
    double operator()(std::size_t i, std::size_t j) const { return entries_[i * n_ + j]; }
    std::size_t size() const { return n_; }

private:
    std::size_t n_;
    std::vector<double> entries_;
};

Vector times(const Matrix& a, const Vector& x);

// Makes the lower triangle of a symmetric positive definite matrix its Cholesky factor; false if it
// is not positive definite to working precision.
bool factorize(Matrix& a);

// x <- the solution for the right-hand side x, after factorize().
void solve_factorized(const Matrix& a, Vector& x);

bool solve_cholesky(Matrix& a, Vector& x);  // both

// Gaussian elimination with row pivots; false if a is singular.
bool solve_gauss(Matrix& a, Vector& x);

// Eigenvalues of a symmetric matrix, largest first, and orthonormal eigenvectors in the columns of
// `vectors`: Jacobi's method.
void diagonalize(Matrix a, Vector& values, Matrix& vectors);

}  // namespace fastgrok
