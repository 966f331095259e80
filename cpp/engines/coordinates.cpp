#include "engines/coordinates.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "norms.hpp"

namespace fastgrok {
namespace {

// A sum of products with twice the digits (Dot2 of Ogita, Rump and Oishi 2005).
struct Dot {
    double sum = 0.0, lost = 0.0;

    void add(double x) {
        const double next = sum + x, taken = next - sum;
        lost += (sum - (next - taken)) + (x - taken);
        sum = next;
    }
    void add_product(double a, double b) {
        const double product = a * b;
        lost += std::fma(a, b, -product);
        add(product);
    }
    double value() const { return sum + lost; }
    double rest() const { return (sum - value()) + lost; }  // of the value
};

// The sum of (high(k) + low(k)) v(k).
template <class High, class Low, class Values>
Dot product(std::size_t n, High high, Low low, Values v) {
    Dot dot;
    for (std::size_t k = 0; k < n; ++k) {
        dot.add_product(high(k), v(k));
        dot.lost += low(k) * v(k);
    }
    return dot;
}

// y_i (x_i, 1), as long as what moves: without the last where there is no bias.
Vector signed_row(const Problem& problem, std::size_t row) {
    const std::size_t cols = problem.layout().cols;
    const double y = problem.labels()[row];
    Vector z(problem.bias() ? cols + 1 : cols, y);
    problem.copy_row(row, z.data());
    for (std::size_t j = 0; j < cols; ++j) z[j] *= y;
    return z;
}

// What brings rows to about 1 whose squares, and what curvature is left of them, are out of range.
int exponent_of(const Problem& problem) {
    constexpr double kSmallest = 1e-100, kLargest = 1e100;
    if (problem.bias()) return 0;
    double largest = 0.0;
    for (std::size_t i = 0; i < problem.rows(); ++i)
        for (const double z : signed_row(problem, i)) largest = std::max(largest, std::fabs(z));
    if (!(largest > 0.0) || (largest > kSmallest && largest < kLargest)) return 0;
    return -std::ilogb(largest);
}

// Orthonormal columns that begin with these, which are orthonormal.
Matrix completed(const std::vector<Vector>& first, std::size_t n) {
    std::vector<Vector> all = first;
    for (std::size_t e = 0; e < n && all.size() < n; ++e) {
        Vector next(n, 0.0);
        next[e] = 1.0;
        for (int pass = 0; pass < 2; ++pass)
            for (const Vector& q : all) {
                double along = 0.0;
                for (std::size_t i = 0; i < n; ++i) along += q[i] * next[i];
                for (std::size_t i = 0; i < n; ++i) next[i] -= along * q[i];
            }
        const double size = norm(next.data(), n);
        // Of the unit vectors that are left one has at least this share.
        if (size * size < 0.5 / static_cast<double>(n)) continue;
        for (double& x : next) x /= size;
        all.push_back(std::move(next));
    }
    Matrix out(n);
    for (std::size_t j = 0; j < all.size(); ++j)
        for (std::size_t i = 0; i < n; ++i) out(i, j) = all[j][i];
    return out;
}

// columns [begin, end) of `basis` <- the eigenvectors of the matrix within their span, which are
// returned as combinations of these columns.
Matrix turn_within(const Matrix& hessian, std::size_t begin, std::size_t end, Matrix& basis) {
    const std::size_t n = basis.size(), m = end - begin;
    Matrix product(n), small(m), vectors(m);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < m; ++j)
            for (std::size_t k = 0; k < n; ++k)
                product(i, j) += hessian(i, k) * basis(k, begin + j);
    for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = i; j < m; ++j) {
            double sum = 0.0;
            for (std::size_t k = 0; k < n; ++k) sum += basis(k, begin + i) * product(k, j);
            small(i, j) = small(j, i) = sum;
        }
    Vector values;
    diagonalize(small, values, vectors);
    for (std::size_t i = 0; i < n; ++i) {
        Vector row(m, 0.0);
        for (std::size_t j = 0; j < m; ++j)
            for (std::size_t k = 0; k < m; ++k) row[j] += basis(i, begin + k) * vectors(k, j);
        for (std::size_t j = 0; j < m; ++j) basis(i, begin + j) = row[j];
    }
    return vectors;
}

// Rows that have nothing but a share of `tilt` along any column of a basis from this one on.
std::vector<std::size_t> rows_across(const Problem& problem, const Matrix& basis, std::size_t first,
                                     double tilt) {
    const std::size_t n = basis.size();
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < problem.rows(); ++i) {
        double along = 0.0, size = 0.0;
        const Vector row = signed_row(problem, i);
        for (const double z : row) size = std::max(size, std::fabs(z));
        for (std::size_t j = first; j < n; ++j) {
            double sum = 0.0;
            for (std::size_t k = 0; k < n; ++k) sum += row[k] * basis(k, j);
            along = std::max(along, std::fabs(sum));
        }
        if (along <= tilt * size) out.push_back(i);
    }
    return out;
}

}  // namespace

std::shared_ptr<const Coordinates> Coordinates::in_range(const Problem& problem) {
    if (!problem.packed() || exponent_of(problem) == 0) return nullptr;
    Matrix basis(problem.layout().cols);
    for (std::size_t j = 0; j < basis.size(); ++j) basis(j, j) = 1.0;
    return std::make_shared<Coordinates>(problem, basis);
}

Coordinates::Coordinates(const Problem& problem, const Matrix& basis, const NullSpace& null,
                         const Matrix& within)
    : given_(problem.layout()),
      size_(basis.size()),
      exponent_(exponent_of(problem)),
      basis_(basis),
      rest_(basis.size()) {
    const std::size_t directions = null.basis.size(), first = size_ - directions;
    for (std::size_t j = 0; j < directions; ++j)
        for (std::size_t i = 0; i < size_; ++i) {
            const Dot dot = product(
                directions, [&](std::size_t k) { return null.basis[k][i]; },
                [&](std::size_t k) { return null.rest[k][i]; },
                [&](std::size_t k) { return within(k, j); });
            basis_(i, first + j) = dot.value();
            rest_(i, first + j) = dot.rest();
        }
    refine(directions);
    const std::size_t cols = problem.layout().cols, block = kLanes * (cols + 1);
    auto packed =
        std::make_shared<Blocks<double>>(whole_lanes(problem.rows()) / kLanes * block, 0.0);
    for (std::size_t i = 0; i < problem.rows(); ++i) {
        double* to = packed->data() + i / kLanes * block + i % kLanes;
        const Vector row = signed_row(problem, i);
        for (std::size_t j = 0; j < size_; ++j)
            to[j * kLanes] = std::scalbn(along_column(j, row), exponent_);
        if (size_ == cols) to[cols * kLanes] = problem.labels()[i];
    }
    for (const std::size_t i : null.rows)
        for (std::size_t j = first; j < size_; ++j)
            (*packed)[i / kLanes * block + j * kLanes + i % kLanes] = 0.0;
    problem_.emplace(problem, std::move(packed));
}

// A step of Newton and Schulz, which leaves the last columns in their span.
void Coordinates::refine(std::size_t null) {
    const std::size_t first = size_ - null;
    Matrix error(size_);
    for (std::size_t i = 0; i < size_; ++i)
        for (std::size_t j = i; j < size_; ++j) {
            Dot dot;
            dot.add(i == j ? -1.0 : 0.0);
            for (std::size_t k = 0; k < size_; ++k) {
                dot.add_product(basis_(k, i), basis_(k, j));
                dot.lost += basis_(k, i) * rest_(k, j) + rest_(k, i) * basis_(k, j);
            }
            error(i, j) = error(j, i) = dot.value();
        }
    for (std::size_t i = 0; i < size_; ++i) {
        Vector change(size_, 0.0);
        for (std::size_t j = 0; j < size_; ++j)
            for (std::size_t k = 0; k < size_; ++k) {
                const double share = (j < first) == (k < first) ? 0.5 : j < first ? 1.0 : 0.0;
                change[j] -= share * basis_(i, k) * error(k, j);
            }
        for (std::size_t j = 0; j < size_; ++j) rest_(i, j) += change[j];
    }
}

// Of the first entries of u, in units as given.
double Coordinates::along_column(std::size_t j, const Vector& u) const {
    const Dot dot = product(
        size_, [&](std::size_t k) { return basis_(k, j); },
        [&](std::size_t k) { return rest_(k, j); }, [&](std::size_t k) { return u[k]; });
    return dot.value();
}

Vector Coordinates::to(const Vector& given) const {
    Vector u(cols() + 1);
    std::copy_n(given.begin(), cols(), u.begin());
    u[cols()] = given[given_.intercept];
    Vector v = u;
    for (std::size_t j = 0; j < size_; ++j) v[j] = std::scalbn(along_column(j, u), -exponent_);
    return v;
}

Vector Coordinates::from(const Vector& v) const {
    Vector u = v;
    for (std::size_t i = 0; i < size_; ++i) {
        const Dot dot = product(
            size_, [&](std::size_t k) { return basis_(i, k); },
            [&](std::size_t k) { return rest_(i, k); }, [&](std::size_t k) { return v[k]; });
        u[i] = std::scalbn(dot.value(), exponent_);
    }
    return as_given(u);
}

// In the layout of the problem.
Vector Coordinates::as_given(const Vector& u) const {
    Vector out(given_.length, 0.0);
    std::copy_n(u.begin(), cols(), out.begin());
    out[given_.intercept] = u[cols()];
    return out;
}

Matrix Coordinates::from_other(const Coordinates& other) const {
    Matrix out(cols() + 1);
    out(cols(), cols()) = 1.0;  // of b, where that is not turned
    for (std::size_t i = 0; i < size_; ++i)
        for (std::size_t j = 0; j < size_; ++j) {
            Dot dot;
            for (std::size_t k = 0; k < size_; ++k) {
                dot.add_product(basis_(k, i), other.basis_(k, j));
                dot.lost += basis_(k, i) * other.rest_(k, j) + rest_(k, i) * other.basis_(k, j);
            }
            out(i, j) = dot.value();
        }
    return out;
}

Vector Coordinates::bounds_from(const Vector& v) const {
    Vector u = v;
    for (std::size_t i = 0; i < size_; ++i) {
        u[i] = 0.0;
        for (std::size_t k = 0; k < size_; ++k) u[i] += std::fabs(basis_(i, k)) * v[k];
        u[i] = std::scalbn(u[i], exponent_);
    }
    return as_given(u);
}

std::shared_ptr<const Coordinates> turned_along(const Problem& problem, const Vector& weights,
                                                const ExactNull& exact_null) {
    constexpr double kLeastGap = 1e4, kNoRatio = 1e300;
    constexpr double kTilt = 1e5, kSmallestTilt = 1e-12, kLargestTilt = 1e-6;
    const std::size_t n = problem.layout().cols + (problem.bias() ? 1 : 0);
    Matrix hessian(n);
    for (std::size_t i = 0; i < problem.rows(); ++i) {
        const Vector z = signed_row(problem, i);
        for (std::size_t j = 0; j < n; ++j) {
            const double weighted = weights[i] * z[j];
            for (std::size_t k = j; k < n; ++k) hessian(j, k) += weighted * z[k];
        }
    }
    for (std::size_t j = 0; j < n; ++j)
        for (std::size_t k = 0; k < j; ++k) hessian(j, k) = hessian(k, j);
    Vector values;
    Matrix vectors(n);
    diagonalize(hessian, values, vectors);

    // Where rows that hardly matter any more separate, there is a gap between eigenvalues; there
    // are others where columns have different units.
    std::vector<std::size_t> orthogonal;
    NullSpace null;
    for (std::size_t j = 1; exact_null && j < n && null.basis.empty(); ++j) {
        const double ratio = values[j] > 0.0 ? values[j - 1] / values[j] : kNoRatio;
        if (!(values[j - 1] > 0.0) || !(ratio > kLeastGap)) continue;
        const std::size_t before = orthogonal.size();
        orthogonal = rows_across(problem, vectors, j,
                                 std::clamp(kTilt / ratio, kSmallestTilt, kLargestTilt));
        if (orthogonal.size() > before) null = exact_null(orthogonal);
    }
    if (null.basis.empty()) return std::make_shared<Coordinates>(problem, vectors);

    // Those come last; the others within their complement, each by eigenvectors.
    const Matrix all = completed(null.basis, n);
    Matrix basis(n);
    const std::size_t p = null.basis.size();
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) basis(i, (j + n - p) % n) = all(i, j);
    turn_within(hessian, 0, n - p, basis);
    const Matrix within = turn_within(hessian, n - p, n, basis);
    return std::make_shared<Coordinates>(problem, basis, null, within);
}

}  // namespace fastgrok
