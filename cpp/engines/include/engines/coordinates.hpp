// Orthogonal coordinates in which sums over rows lose nothing.
//
// Where part of the rows can't be separated, the gradient's terms along them are of order 1 and
// cancel, while what moves the parameters, along directions orthogonal to these rows, becomes ever
// smaller. In coordinates that hold the two apart the rounding errors of the one don't reach the
// other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engines/small_matrix.hpp"

namespace fastgrok {

// Directions, the sums of `basis` and `rest`, orthonormal up to rounding, and all rows that are
// orthogonal to them without rounding.
struct NullSpace {
    std::vector<Vector> basis, rest;
    std::vector<std::size_t> rows;
};

// Asked for all directions that are exactly orthogonal to these rows (x_i, 1), or x_i without bias.
using ExactNull = std::function<NullSpace(const std::vector<std::size_t>& rows)>;

class Coordinates {
public:
    // Not turned, but in units in which squares of the rows stay in range; null where they do, and
    // beside a bias, whose unit is that of the margin.
    static std::shared_ptr<const Coordinates> in_range(const Problem& problem);

    // Along the columns of `basis`, orthonormal up to rounding: of the weights and the bias if
    // there is one, else of the weights alone. The last columns are the directions of `null`,
    // turned among themselves by `within`, along which nothing is left of its rows.
    Coordinates(const Problem& problem, const Matrix& basis, const NullSpace& null = {},
                const Matrix& within = Matrix(0));

    // The rows in these coordinates, in which the learning rate is 2^(-2 exponent()) times as
    // large.
    const Problem& problem() const { return *problem_; }
    int exponent() const { return exponent_; }

    // Parameters in these coordinates are laid out as those of packed rows.
    Vector to(const Vector& given) const;
    Vector from(const Vector& v) const;
    // What takes parameters from other coordinates to these. Where they are large along one
    // direction, nothing of the others would be left in those given.
    Matrix from_other(const Coordinates& other) const;
    // What numbers that bound the entries of some v bound in from(v).
    Vector bounds_from(const Vector& v) const;

private:
    void refine(std::size_t null);
    std::size_t cols() const { return given_.cols; }
    double along_column(std::size_t j, const Vector& u) const;
    Vector as_given(const Vector& u) const;

    Layout given_;         // of the problem
    std::size_t size_;     // of what is turned
    int exponent_;         // parameters as given are 2^exponent_ times those here
    Matrix basis_, rest_;  // their sum is orthogonal to twice the digits
    std::optional<Problem> problem_;
};

// Along the eigenvectors of the Hessian, the sum of weight_i z_i z_i^T, and of its null space where
// that is found to be exact.
std::shared_ptr<const Coordinates> turned_along(const Problem& problem, const Vector& weights,
                                                const ExactNull& exact_null);

}  // namespace fastgrok
