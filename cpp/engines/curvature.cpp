#include "engines/curvature.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "norms.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

// Makes v a unit vector; false if it is zero or not finite.
bool normalize(Vector& v) {
    const double size = norm(v.data(), v.size(), dot(v, v));
    if (!(size > 0.0) || !std::isfinite(size)) return false;
    for (double& x : v) x /= size;
    return true;
}

// A direction with a share in every eigenvector, the same in every run: a low-discrepancy sequence.
Vector generic_direction(const Problem& problem) {
    const Layout& layout = problem.layout();
    Vector v(layout.length, 0.0);
    double x = 0.0;
    const auto next = [&x] {
        x += 0.6180339887498949;
        x -= std::floor(x);
        return x - 0.5;
    };
    for (std::size_t j = 0; j < layout.cols; ++j) v[j] = next();
    if (problem.bias()) v[layout.intercept] = next();
    return v;
}

// Symmetric tridiagonal matrix: diagonal a, off-diagonal b.
struct Tridiagonal {
    std::vector<double> a, b;  // whose squares may be beyond float64

    // All pivots of (x I - T) are positive exactly if x lies above every eigenvalue.
    bool is_above(double x) const {
        double pivot = x - a[0];
        for (std::size_t i = 1; i < a.size(); ++i) {
            if (!(pivot > 0.0)) return false;
            pivot = x - a[i] - b[i - 1] * (b[i - 1] / pivot);
        }
        return pivot > 0.0;
    }

    double largest_eigenvalue() const {
        double low = *std::max_element(a.begin(), a.end()), high = low;
        for (double off : b) high += 2.0 * off;
        while (true) {
            const double middle = low + 0.5 * (high - low);
            if (middle <= low || middle >= high) return high;
            (is_above(middle) ? high : low) = middle;
        }
    }

    // The unit eigenvector of the largest eigenvalue; all its entries are positive.
    std::vector<double> top_vector(double eigenvalue) const {
        std::vector<double> s(a.size(), 1.0);
        double pivot = eigenvalue - a[0], square = 1.0;
        for (std::size_t i = 1; i < a.size(); ++i) {
            s[i] = s[i - 1] * std::max(pivot, 0.0) / b[i - 1];
            square += s[i] * s[i];
            pivot = eigenvalue - a[i] - (pivot > 0.0 ? b[i - 1] * (b[i - 1] / pivot) : 0.0);
        }
        for (double& x : s) x /= std::sqrt(square);
        return s;
    }
};

constexpr double kGenericShare = 0.03;

}  // namespace

double largest_eigenvalue(const Problem& problem, const Product& product, double tolerance,
                          int most_products, Vector& direction) {
    const std::size_t dimension = problem.layout().cols + (problem.bias() ? 1 : 0);
    const std::size_t most =
        std::min<std::size_t>(dimension, static_cast<std::size_t>(most_products));

    // What was the top eigenvector may still be one of others: a generic share leads away from it.
    Vector start = generic_direction(problem);
    normalize(start);
    if (!direction.empty()) {
        for (double& x : start) x *= kGenericShare;
        add_multiple(start, 1.0, direction);
    }
    if (!normalize(start)) return std::numeric_limits<double>::quiet_NaN();

    std::vector<Vector> basis{start};
    Tridiagonal t;
    std::vector<double> top;
    double eigenvalue = 0.0;
    Vector next(start.size());
    while (true) {
        const Vector& v = basis.back();
        product(v, next);
        const double alpha = dot(v, next);
        // Orthogonal to the whole basis, twice, so that no eigenvalue is found again.
        for (int pass = 0; pass < 2; ++pass)
            for (const Vector& q : basis) add_multiple(next, -dot(q, next), q);
        const double beta = norm(next.data(), next.size(), dot(next, next));
        if (!std::isfinite(alpha) || !std::isfinite(beta))
            return std::numeric_limits<double>::quiet_NaN();
        t.a.push_back(alpha);
        eigenvalue = t.largest_eigenvalue();
        top = t.top_vector(eigenvalue);
        const double residual = beta * top.back();
        if (basis.size() == most || residual <= tolerance * eigenvalue || !normalize(next)) break;
        t.b.push_back(beta);
        basis.push_back(next);
    }
    direction.assign(start.size(), 0.0);
    for (std::size_t i = 0; i < basis.size(); ++i) add_multiple(direction, top[i], basis[i]);
    return std::max(eigenvalue, 0.0);
}

double largest_curvature(Passes& passes, const Vector& u, Loss loss, double tolerance,
                         int most_passes, Vector& direction,
                         const std::function<void()>& between_passes) {
    Vector weights;
    passes.curvature_weights(u, loss, weights);
    const auto product = [&](const Vector& v, Vector& out) {
        passes.second(weights, v, out);
        if (between_passes) between_passes();
    };
    return largest_eigenvalue(passes.problem(), product, tolerance, most_passes, direction);
}

}  // namespace fastgrok
