#include <algorithm>
#include <cmath>

#include "engines/dense.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {
namespace {

// Reflections that are made together.
constexpr std::size_t kRowsOfUpdate = 32;

// The reflections of some columns. That of column j takes (t_jj, v_j) to (-s, 0) and is
// I - 2 (1, w_j)(1, w_j)^T / (1 + w_j . w_j) with w_j = v_j / (t_jj + s), whose entries are at most
// 1; column j then changes its sign. So with p_ij = (t_ij + v_i . w_j) 2 / (1 + w_j . w_j) it
// leaves p_ij - t_ij and v_i - p_ij w_j.
struct Reflections {
    std::size_t count, width;
    Vector w;         // row by row
    Vector triangle;  // n_jj = (1 + w_j . w_j) / 2 and n_jl = w_j . w_l for l < j

    MatrixView rows() { return {w.data(), count, width, static_cast<std::ptrdiff_t>(width), 1}; }
    MatrixView lower() {
        return {triangle.data(), count, count, static_cast<std::ptrdiff_t>(count), 1};
    }
};

// Makes them from the rows of their own columns, which they are applied to.
void reflect_diagonal(const MatrixView& t, const MatrixView& v, Reflections& made) {
    const auto& dot = kernels().dot;
    const std::size_t n = t.rows, width = v.rows;
    made.count = n;
    made.width = width;
    made.w.resize(n * width);
    made.triangle.assign(n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        double* row = &made.w[i * width];  // v_i until it becomes w_i
        for (std::size_t k = 0; k < width; ++k) row[k] = v(k, i);
        for (std::size_t j = 0; j < i; ++j) {
            const double* w = &made.w[j * width];
            const double p = (t(i, j) + dot(row, w, width)) / made.triangle[j * n + j];
            t(i, j) = p - t(i, j);
            for (std::size_t k = 0; k < width; ++k) row[k] -= p * w[k];
        }
        const double size = std::sqrt(t(i, i) * t(i, i) + dot(row, row, width));
        for (std::size_t k = 0; k < width; ++k) row[k] /= t(i, i) + size;
        t(i, i) = size;
        for (std::size_t j = 0; j < i; ++j)
            made.triangle[i * n + j] = dot(row, &made.w[j * width], width);
        made.triangle[i * n + i] = 0.5 * (1.0 + dot(row, row, width));
    }
}

}  // namespace

void add_to_factor(const MatrixView& t, const MatrixView& v) {
    if (v.rows == 0) return;
    Reflections made;
    Vector columns;  // of the rows below, each lying by itself
    for (std::size_t j = 0; j < t.rows; j += kRowsOfUpdate) {
        const std::size_t n = std::min(kRowsOfUpdate, t.rows - j), rest = t.rows - j - n;
        reflect_diagonal(t.part(j, j, n, n), v.part(0, j, v.rows, n), made);
        if (rest == 0) break;
        // All p_ij of a row at once: n_jj p_ij = t_ij + v_i . w_j - sum over l < j of p_il w_l .
        // w_j with the v_i from before these reflections.
        const MatrixView below = t.part(j + n, j, rest, n);
        columns.resize(n * rest);
        const MatrixView p{columns.data(), n, rest, static_cast<std::ptrdiff_t>(rest), 1};
        for (std::size_t i = 0; i < rest; ++i)
            for (std::size_t k = 0; k < n; ++k) p(k, i) = below(i, k);
        const MatrixView others = v.part(0, j + n, v.rows, rest);
        add_product(1.0, made.rows(), others, p);
        solve_lower(made.lower(), p, Side::plain);
        add_product(-1.0, made.rows().transposed(), p, others);
        for (std::size_t i = 0; i < rest; ++i)
            for (std::size_t k = 0; k < n; ++k) below(i, k) = p(k, i) - below(i, k);
    }
}

}  // namespace fastgrok
