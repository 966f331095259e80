// Rows as a triangle times orthonormal rows, a block of reflections after the other.
#include <algorithm>
#include <cmath>

#include "engines/dense.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {
namespace {

constexpr std::size_t kBlockRows = 32;

// row -= factor * v
void subtract(double factor, const double* v, std::size_t n, double* row) {
    const double minus = -factor;
    kernels().dense.add_rows(v, 1, n, n, &minus, row);
}

// I - tau v v^T that takes x to (beta, 0, ...): v, with v_0 = 1, takes the place of x.
struct Reflection {
    double tau, beta;
};
Reflection reflect(double* x, std::size_t n) {
    double largest = 0.0;
    for (std::size_t j = 1; j < n; ++j) largest = std::max(largest, std::fabs(x[j]));
    const double head = x[0];
    x[0] = 1.0;
    if (!(largest > 0.0)) return {0.0, head};
    const double scale = std::max(largest, std::fabs(head));
    double squares = 0.0;
    for (std::size_t j = 1; j < n; ++j) squares += x[j] / scale * (x[j] / scale);
    const double part = head / scale;
    const double beta = std::copysign(std::sqrt(part * part + squares), -head);
    for (std::size_t j = 1; j < n; ++j) x[j] = x[j] / scale / (part - beta);
    return {(beta - part) / beta, beta * scale};
}

// A product of reflections I - v^T t v with v's rows, t an upper triangle.
class Block {
public:
    // Takes the rows of `a` from `first` on, whose heads become a part of l.
    Block(const MatrixView& a, std::size_t first, std::size_t count, const MatrixView& l)
        : first_(first), t_(count * count, 0.0), v_(a.part(first, first, count, a.cols - first)) {
        const std::size_t n = v_.cols;
        double tau[kBlockRows];
        for (std::size_t i = 0; i < count; ++i) {
            double* row = &v_(i, 0);
            for (std::size_t k = 0; k < i; ++k) {
                const double* v = &v_(k, k);
                subtract(tau[k] * kernels().dot(v, row + k, n - k), v, n - k, row + k);
            }
            for (std::size_t k = 0; k < i; ++k) {
                l(first + i, first + k) = row[k];
                row[k] = 0.0;
            }
            const Reflection found = reflect(row + i, n - i);
            l(first + i, first + i) = found.beta;
            tau[i] = found.tau;
            // t[:i, i] = -tau t[:i, :i] v[:i] v_i
            for (std::size_t k = 0; k < i; ++k)
                t_[k * count + i] = -tau[i] * kernels().dot(&v_(k, i), row + i, n - i);
            for (std::size_t k = 0; k < i; ++k) {
                double sum = 0.0;
                for (std::size_t j = k; j < i; ++j) sum += t_[k * count + j] * t_[j * count + i];
                t_[k * count + i] = sum;
            }
            t_[i * count + i] = tau[i];
        }
    }

    // rows <- rows (I - v^T t v), or with t^T: from column `first` on, where v begins.
    void apply(const MatrixView& rows, bool transposed) {
        if (rows.rows == 0) return;
        const MatrixView part = rows.part(0, first_, rows.rows, v_.cols);
        const std::size_t count = v_.rows;
        Vector w(part.rows * count, 0.0), x(part.rows * count, 0.0);
        const auto step = static_cast<std::ptrdiff_t>(count);
        const MatrixView products{w.data(), part.rows, count, step, 1};
        const MatrixView factors{x.data(), part.rows, count, step, 1};
        const MatrixView t{t_.data(), count, count, step, 1};
        add_product(1.0, part, v_.transposed(), products);
        add_product(1.0, products, transposed ? t.transposed() : t, factors);
        add_product(-1.0, factors, v_, part);
    }

    std::size_t first() const { return first_; }

private:
    std::size_t first_;
    Vector t_;
    MatrixView v_;
};

}  // namespace

void orthonormalise(const MatrixView& a, const MatrixView& l, const MatrixView& q) {
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < a.rows; i += kBlockRows) {
        const std::size_t count = std::min(kBlockRows, a.rows - i);
        blocks.emplace_back(a, i, count, l);
        const std::size_t next = i + count, rest = a.rows - next;
        const MatrixView below = a.part(next, 0, rest, a.cols);
        blocks.back().apply(below, false);
        for (std::size_t k = 0; k < rest; ++k) std::copy_n(&below(k, i), count, &l(next + k, i));
    }
    if (q.rows == 0) return;
    for (std::size_t i = 0; i < q.rows; ++i) {
        std::fill_n(&q(i, 0), q.cols, 0.0);
        q(i, i) = 1.0;
    }
    for (auto block = blocks.rbegin(); block != blocks.rend(); ++block)
        block->apply(q.part(block->first(), 0, q.rows - block->first(), q.cols), true);
}

}  // namespace fastgrok
