// The largest eigenvalue of the Hessian of the summed loss, and of the like.
#pragma once

#include <functional>

#include "engines/passes.hpp"

namespace fastgrok {

// out <- a symmetric matrix times v, a vector of parameters; without a bias both end with 0.
using Product = std::function<void(const Vector& v, Vector& out)>;

// Of the Hessian, see below; every product is one with it.
double largest_eigenvalue(const Problem& problem, const Product& product, double tolerance,
                          int most_products, Vector& direction);

// Lanczos' method from a warm start. `direction` is the start vector (any length-1 guess; made when
// it is empty) and afterwards the best eigenvector found. Every product with the Hessian is one
// pass over the data; at most `most_passes` are made, fewer once the residual is below `tolerance`
// times the eigenvalue. The result never exceeds the true eigenvalue (up to rounding) and misses it
// by at most the residual, in practice by its square. NaN where a curvature overflows.
// `between_passes`, if given, is called after every pass; what it throws leaves `direction` as it
// was.
double largest_curvature(Passes& passes, const Vector& u, Loss loss, double tolerance,
                         int most_passes, Vector& direction,
                         const std::function<void()>& between_passes = {});

}  // namespace fastgrok
