#include "engines/small_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace fastgrok {

Vector times(const Matrix& a, const Vector& x) {
    Vector out(a.size(), 0.0);
    for (std::size_t i = 0; i < a.size(); ++i)
        for (std::size_t j = 0; j < a.size(); ++j) out[i] += a(i, j) * x[j];
    return out;
}

void solve_factorized(const Matrix& a, Vector& x) {
    const std::size_t n = a.size();
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < i; ++k) x[i] -= a(i, k) * x[k];
        x[i] /= a(i, i);
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) x[i] -= a(k, i) * x[k];
        x[i] /= a(i, i);
    }
}

bool solve_cholesky(Matrix& a, Vector& x) {
    if (!factorise_by_entries(a.view())) return false;
    solve_factorized(a, x);
    return true;
}

bool solve_gauss(Matrix& a, Vector& x) {
    const std::size_t n = a.size();
    for (std::size_t j = 0; j < n; ++j) {
        std::size_t best = j;
        for (std::size_t i = j + 1; i < n; ++i)
            if (std::fabs(a(i, j)) > std::fabs(a(best, j))) best = i;
        if (!(std::fabs(a(best, j)) > 0.0) || !std::isfinite(a(best, j))) return false;
        if (best != j) {
            for (std::size_t k = j; k < n; ++k) std::swap(a(j, k), a(best, k));
            std::swap(x[j], x[best]);
        }
        for (std::size_t i = j + 1; i < n; ++i) {
            const double factor = a(i, j) / a(j, j);
            for (std::size_t k = j + 1; k < n; ++k) a(i, k) -= factor * a(j, k);
            x[i] -= factor * x[j];
        }
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) x[i] -= a(i, k) * x[k];
        x[i] /= a(i, i);
    }
    return true;
}

void diagonalize(Matrix a, Vector& values, Matrix& vectors) {
    constexpr int kMostSweeps = 40;
    // An entry below this share of its diagonal entries turns no eigenvector any more; small
    // eigenvalues keep their digits.
    constexpr double kNegligible = 1e-17;
    const std::size_t n = a.size();
    Matrix v(n);
    for (std::size_t i = 0; i < n; ++i) v(i, i) = 1.0;
    bool turned = true;
    for (int sweep = 0; turned && sweep < kMostSweeps; ++sweep) {
        turned = false;
        for (std::size_t p = 0; p + 1 < n; ++p)
            for (std::size_t q = p + 1; q < n; ++q) {
                const double off = a(p, q);
                const double size = std::sqrt(std::fabs(a(p, p))) * std::sqrt(std::fabs(a(q, q)));
                if (off == 0.0 || std::fabs(off) <= kNegligible * size) continue;
                turned = true;
                const double theta = (a(q, q) - a(p, p)) / (2.0 * off);
                const double t =
                    std::copysign(1.0, theta) / (std::fabs(theta) + std::sqrt(1.0 + theta * theta));
                const double c = 1.0 / std::sqrt(1.0 + t * t), s = t * c;
                a(p, p) -= t * off;
                a(q, q) += t * off;
                a(p, q) = a(q, p) = 0.0;
                for (std::size_t i = 0; i < n; ++i) {
                    if (i != p && i != q) {
                        const double ip = a(i, p), iq = a(i, q);
                        a(i, p) = a(p, i) = c * ip - s * iq;
                        a(i, q) = a(q, i) = s * ip + c * iq;
                    }
                    const double vp = v(i, p), vq = v(i, q);
                    v(i, p) = c * vp - s * vq;
                    v(i, q) = s * vp + c * vq;
                }
            }
    }
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t i, std::size_t j) { return a(i, i) > a(j, j); });
    values.resize(n);
    for (std::size_t j = 0; j < n; ++j) {
        values[j] = a(order[j], order[j]);
        for (std::size_t i = 0; i < n; ++i) vectors(i, j) = v(i, order[j]);
    }
}

bool powers_grow(Matrix a, double highest) {
    constexpr double kMostGrowth = 100.0, kHighest = 1e12;
    const std::size_t n = a.size();
    Matrix square(n);
    for (double power = 2.0; power <= std::min(highest, kHighest); power *= 2.0) {
        double norm = 0.0;
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j) {
                double sum = 0.0;
                for (std::size_t l = 0; l < n; ++l) sum += a(i, l) * a(l, j);
                square(i, j) = sum;
                norm += sum * sum;
            }
        if (!(norm <= kMostGrowth * kMostGrowth)) return true;
        if (norm < 1.0) return false;
        std::swap(a, square);
    }
    return false;
}

}  // namespace fastgrok
