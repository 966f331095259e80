// The largest eigenvalue of the Hessian of the summed loss, and of the like.
#pragma once

#include <functional>
#include <vector>

#include "engines/passes.hpp"

namespace fastgrok {

// out <- a symmetric matrix times v, a vector of parameters; without a bias both end with 0.
using Product = std::function<void(const Vector& v, Vector& out)>;

// Lanczos' method from a warm start: directions[0], if there is one, which is a guess of length 1.
// At most `most_products` are made, fewer once the residual is below `tolerance` times the
// eigenvalue. The result never exceeds the true eigenvalue (up to rounding), and some eigenvalue
// lies within the residual of it: the largest, unless the start has next to nothing of that one.
// NaN where a curvature overflows. Afterwards `directions` are the best eigenvectors found of the
// `keep` largest eigenvalues, or of fewer. What a product throws leaves them as they were.
double largest_eigenvalue(const Problem& problem, const Product& product, double tolerance,
                          int most_products, std::vector<Vector>& directions, std::size_t keep = 1);

struct CurvatureSearch {
    double tolerance = 1e-3;
    double most_passes = 40.0;  // over all rows, or as many more over some as these would be
    int most_products = 40;
    std::size_t keep = 1;
};

// The same of the Hessian at u, of which rows whose curvature is next to nothing have no part.
// `visited` is what the products visited, in passes over all rows. `between_passes`, if given, is
// called after every pass.
double largest_curvature(Passes& passes, const Vector& u, Loss loss, const CurvatureSearch& search,
                         std::vector<Vector>& directions, double& visited,
                         const std::function<void()>& between_passes = {});

}  // namespace fastgrok
