#include "engines/curvature.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "asked.hpp"
#include "curvature_work.hpp"
#include "engines/small_matrix.hpp"
#include "engines/storage.hpp"
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

// A direction with a share in every eigenvector, the same in every run.
Vector generic_direction(const Problem& problem) {
    const Layout& layout = problem.layout();
    Vector v(layout.length, 0.0);
    Spread spread;
    for (std::size_t j = 0; j < layout.cols; ++j) v[j] = spread.next() - 0.5;
    if (problem.bias()) v[layout.intercept] = spread.next() - 0.5;
    return v;
}

// Symmetric tridiagonal matrix: diagonal a, off-diagonal b.
struct Tridiagonal {
    Vector a, b;  // whose squares may be beyond float64

    // All pivots of (x I - T) are positive exactly if x lies above every eigenvalue.
    bool is_above(double x) const {
        double pivot = x - a[0];
        for (std::size_t i = 1; i < a.size(); ++i) {
            if (!(pivot > 0.0)) return false;
            pivot = x - a[i] - b[i - 1] * (b[i - 1] / pivot);
        }
        return pivot > 0.0;
    }

    // Newton's step from x towards the largest eigenvalue, which it does not pass if x lies above;
    // NaN or infinite if x does not, or if a number on the way is beyond float64.
    double newton_step(double x) const {
        double pivot = x - a[0], slope = 1.0, sum = 1.0 / pivot;
        for (std::size_t i = 1; i < a.size(); ++i) {
            if (!(pivot > 0.0)) return std::numeric_limits<double>::quiet_NaN();
            const double ratio = b[i - 1] / pivot;
            slope = 1.0 + ratio * ratio * slope;
            pivot = x - a[i] - b[i - 1] * ratio;
            sum += slope / pivot;
        }
        return pivot > 0.0 ? 1.0 / sum : std::numeric_limits<double>::quiet_NaN();
    }

    // The least float64 above every eigenvalue.
    double largest_eigenvalue() const {
        double low = *std::max_element(a.begin(), a.end()), high = low;
        for (double off : b) high += 2.0 * off;
        // The bracket is closed by halves at last, but almost all of it goes by Newton's method.
        constexpr int kMostSteps = 40;
        constexpr double kNear = 4.0 * std::numeric_limits<double>::epsilon();
        for (int k = 0; k < kMostSteps; ++k) {
            const double next = high - newton_step(high);
            if (!(next > low && next < high)) break;
            if (!is_above(next)) {
                low = next;
                break;
            }
            high = next;
        }
        if (const double below = high - kNear * high; below > low && !is_above(below)) low = below;
        while (true) {
            const double middle = low + 0.5 * (high - low);
            if (middle <= low || middle >= high) return high;
            (is_above(middle) ? high : low) = middle;
        }
    }

    // The unit eigenvector of the largest eigenvalue; all its entries are positive.
    Vector top_vector(double eigenvalue) const {
        Vector s(a.size(), 1.0);
        double pivot = eigenvalue - a[0], square = 1.0;
        for (std::size_t i = 1; i < a.size(); ++i) {
            s[i] = s[i - 1] * std::max(pivot, 0.0) / b[i - 1];
            square += s[i] * s[i];
            pivot = eigenvalue - a[i] - (pivot > 0.0 ? b[i - 1] * (b[i - 1] / pivot) : 0.0);
        }
        for (double& x : s) x /= std::sqrt(square);
        return s;
    }

    // Those of the largest eigenvalues in columns, the largest first.
    Matrix vectors(double size) const {
        Matrix scaled(a.size()), out(a.size());
        for (std::size_t i = 0; i < a.size(); ++i) {
            scaled(i, i) = a[i] / size;
            if (i > 0) scaled(i, i - 1) = scaled(i - 1, i) = b[i - 1] / size;
        }
        Vector values;
        diagonalize(std::move(scaled), values, out);
        return out;
    }
};

constexpr double kGenericShare = 0.03;

// A Hessian by its rows' curvatures, without those that add less to it than rounding does.
class Hessian {
public:
    Hessian(Passes& passes, const Vector& u, Loss loss) : passes_(passes), here_(passes) {
        const Problem& problem = passes.problem();
        const std::size_t n = problem.rows();
        const Vector largest = elsewhere()
                                   ? ask(Question::weigh, About(loss).add(u).done(), kWeights)
                                   : here_.weigh(u, loss);
        if (problem.packed() || n >= std::numeric_limits<std::uint32_t>::max()) return;
        const double least = kNothing * *std::max_element(largest.begin(), largest.end());
        const Vector counts = elsewhere()
                                  ? ask(Question::list_weights, About().add(least).done(), kList)
                                  : here_.list(least);
        double seen = 0.0;
        for (const double count : counts) seen += count;
        listed_ = seen < kMostListed * static_cast<double>(n);
        if (listed_) share_ = seen / static_cast<double>(n);
    }

    // What a product visits, as a share of a pass.
    double share() const { return share_; }

    void operator()(const Vector& v, Vector& out) {
        if (!elsewhere()) return here_.second(listed_, v, out);
        const std::size_t listed = listed_ ? 1 : 0;
        passes_.ask({Question::second, About().add(listed).add(v).done()}, Passes::Answer::sums);
        passes_.add_chunks(out);
    }

private:
    static constexpr double kNothing = 0x1p-50;  // of the largest curvature
    static constexpr double kMostListed = 0.5;   // more rows are not worth a list
    enum Place : int { kWeights, kList };

    bool elsewhere() const { return passes_.problem().elsewhere() != nullptr; }
    Vector ask(Question what, Vector about, Place place) {
        return passes_.ask({what, std::move(about), 0, place}, Passes::Answer::numbers);
    }

    Passes& passes_;
    CurvatureWork here_;
    bool listed_ = false;
    double share_ = 1.0;
};

}  // namespace

double largest_eigenvalue(const Problem& problem, const Product& product, double tolerance,
                          int most_products, std::vector<Vector>& directions, std::size_t keep) {
    const std::size_t dimension = problem.layout().cols + (problem.bias() ? 1 : 0);
    const std::size_t most =
        std::min<std::size_t>(dimension, static_cast<std::size_t>(most_products));

    // What was the top eigenvector may still be one of others: a generic share leads away from it.
    Vector start = generic_direction(problem);
    normalize(start);
    if (!directions.empty()) {
        for (double& x : start) x *= kGenericShare;
        add_multiple(start, 1.0, directions[0]);
    }
    if (!normalize(start)) return std::numeric_limits<double>::quiet_NaN();

    std::vector<Vector> basis{start};
    Tridiagonal t;
    Vector top;
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
    const auto combined = [&](const auto& factor) {
        Vector out(start.size(), 0.0);
        for (std::size_t i = 0; i < basis.size(); ++i) add_multiple(out, factor(i), basis[i]);
        return out;
    };
    std::vector<Vector> found{combined([&](std::size_t i) { return top[i]; })};
    if (keep > 1 && eigenvalue > 0.0) {
        const Matrix vectors = t.vectors(eigenvalue);
        for (std::size_t k = 1; k < std::min(keep, basis.size()); ++k)
            found.push_back(combined([&](std::size_t i) { return vectors(i, k); }));
    }
    directions = std::move(found);
    return std::max(eigenvalue, 0.0);
}

double largest_curvature(Passes& passes, const Vector& u, Loss loss, const CurvatureSearch& search,
                         std::vector<Vector>& directions, double& visited,
                         const std::function<void()>& between_passes) {
    Hessian hessian(passes, u, loss);
    visited = 0.0;
    const auto product = [&](const Vector& v, Vector& out) {
        hessian(v, out);
        visited += hessian.share();
        if (between_passes) between_passes();
    };
    // Of rows that are few more products cost no more.
    const double most = std::min(search.most_passes / std::max(hessian.share(), 0x1p-10),
                                 static_cast<double>(search.most_products));
    return largest_eigenvalue(passes.problem(), product, search.tolerance,
                              std::max(static_cast<int>(most), 1), directions, search.keep);
}

}  // namespace fastgrok
