#include "engines/dense.hpp"

#include <algorithm>
#include <cmath>

#include "core/interrupt.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {
namespace {

// A block of the terms, and of the columns, whose packed halves lie in the caches.
constexpr std::size_t kTermsAtOnce = 256, kColsAtOnce = 480;
// Triangles of this size are solved entry by entry; larger ones are halved.
constexpr std::size_t kSmallTriangle = 16;
constexpr std::size_t kPackedRows = 2;

std::size_t whole(std::size_t n, std::size_t size) {
    return (n + size - 1) / size * size;
}

// Rows first to first + n of `a`, n at most `room`, term by term, times sign; the rest zeros.
void pack(const MatrixView& a, std::size_t first, std::size_t room, double sign, double* out) {
    const std::size_t n = std::min(room, a.rows - first);
    if (a.row == 1) {
        for (std::size_t k = 0; k < a.cols; ++k, out += room) {
            const double* from = &a(first, k);
            for (std::size_t i = 0; i < n; ++i) out[i] = sign * from[i];
            std::fill(out + n, out + room, 0.0);
        }
        return;
    }
    if (n < room) std::fill_n(out, a.cols * room, 0.0);
    // A few rows at once, whose entries for a term are stored together.
    std::size_t i = 0;
    for (; i + kPackedRows <= n; i += kPackedRows)
        for (std::size_t k = 0; k < a.cols; ++k)
            for (std::size_t r = 0; r < kPackedRows; ++r)
                out[k * room + i + r] = sign * a(first + i + r, k);
    for (; i < n; ++i) {
        const double* from = &a(first + i, 0);
        for (std::size_t k = 0; k < a.cols; ++k)
            out[k * room + i] = sign * from[static_cast<std::ptrdiff_t>(k) * a.col];
    }
}

void at_least(Vector& room, std::size_t size) {
    if (room.size() < size) room.resize(size);
}

// One tile of c; one that juts out is computed beside it.
void add_tile(const double* a, const double* b, std::size_t count, const MatrixView& c) {
    const auto& dense = kernels().dense;
    if (c.rows == dense.rows && c.cols == dense.cols) return dense.tile(a, b, count, c.at, c.row);
    double room[kMostTileEntries] = {};
    for (std::size_t i = 0; i < c.rows; ++i) std::copy_n(&c(i, 0), c.cols, room + i * dense.cols);
    dense.tile(a, b, count, room, static_cast<std::ptrdiff_t>(dense.cols));
    for (std::size_t i = 0; i < c.rows; ++i) std::copy_n(room + i * dense.cols, c.cols, &c(i, 0));
}

// The same for terms and columns of c, whose rows are contiguous, that are taken at once. Tiles
// above the diagonal of the whole are left out; those columns start at `offset` of it.
void add_block(double sign, const MatrixView& a, const MatrixView& b, const MatrixView& c,
               Part part, std::size_t offset, Vector& packed_a, Vector& packed_b) {
    const auto& dense = kernels().dense;
    const MatrixView columns = b.transposed();
    const std::size_t terms = a.cols;
    at_least(packed_b, whole(c.cols, dense.cols) * terms);
    for (std::size_t j = 0; j < c.cols; j += dense.cols)
        pack(columns, j, dense.cols, 1.0, packed_b.data() + j * terms);
    at_least(packed_a, dense.rows * terms);
    for (std::size_t i = 0; i < c.rows; i += dense.rows) {
        const std::size_t n = std::min(dense.rows, c.rows - i);
        if (part == Part::lower && i + n <= offset) continue;
        pack(a, i, dense.rows, sign, packed_a.data());
        const std::size_t end = part == Part::lower ? std::min(c.cols, i + n - offset) : c.cols;
        for (std::size_t j = 0; j < end; j += dense.cols)
            add_tile(packed_a.data(), packed_b.data() + j * terms, terms,
                     c.part(i, j, n, std::min(dense.cols, c.cols - j)));
    }
}

// b <- l^-1 b by halves. `l` may have any steps: l^T, turned upside down, is a lower triangle too.
void solve(const MatrixView& l, const MatrixView& b) {
    const std::size_t n = l.rows;
    if (n > kSmallTriangle) {
        const std::size_t half = whole(n / 2, kSmallTriangle), rest = n - half;
        const MatrixView first = b.part(0, 0, half, b.cols), second = b.part(half, 0, rest, b.cols);
        solve(l.part(0, 0, half, half), first);
        add_product(-1.0, l.part(half, 0, rest, half), first, second);
        return solve(l.part(half, half, rest, rest), second);
    }
    double triangle[kSmallTriangle * kSmallTriangle], room[kSmallTriangle * kSolvedCols];
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k <= i; ++k) triangle[i * n + k] = l(i, k);
    for (std::size_t j = 0; j < b.cols; j += kSolvedCols) {
        const std::size_t m = std::min(kSolvedCols, b.cols - j);
        std::fill_n(room, n * kSolvedCols, 0.0);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t k = 0; k < m; ++k) room[i * kSolvedCols + k] = b(i, j + k);
        kernels().dense.solve(triangle, n, room);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t k = 0; k < m; ++k) b(i, j + k) = room[i * kSolvedCols + k];
    }
}

MatrixView upside_down(const MatrixView& a) {
    if (a.rows == 0) return a;
    return {&a(a.rows - 1, 0), a.rows, a.cols, -a.row, a.col};
}

// Of one right side: no packing.
void solve_vector(const MatrixView& l, double* x, Side side) {
    const std::size_t n = l.rows, stride = static_cast<std::size_t>(l.row);
    if (side == Side::plain) {
        for (std::size_t i = 0; i < n; ++i) x[i] = (x[i] - kernels().dot(&l(i, 0), x, i)) / l(i, i);
        return;
    }
    for (std::size_t i = n; i-- > 0;) {
        x[i] /= l(i, i);
        const double minus = -x[i];
        kernels().dense.add_rows(&l(i, 0), 1, i, stride, &minus, x);
    }
}

}  // namespace

void add_product(double sign, const MatrixView& a, const MatrixView& b, const MatrixView& c,
                 Part part) {
    if (c.rows == 0 || c.cols == 0 || a.cols == 0) return;
    if (c.col != 1) return add_product(sign, b.transposed(), a.transposed(), c.transposed(), part);
    // Kept by the thread, a megabyte at most: the first touch of new pages costs more than packing.
    thread_local Vector packed_a, packed_b;
    for (std::size_t k = 0; k < a.cols; k += kTermsAtOnce) {
        const std::size_t terms = std::min(kTermsAtOnce, a.cols - k);
        for (std::size_t j = 0; j < c.cols; j += kColsAtOnce) {
            if (k + j > 0) stop_if_due();
            const std::size_t m = std::min(kColsAtOnce, c.cols - j);
            add_block(sign, a.part(0, k, a.rows, terms), b.part(k, j, terms, m),
                      c.part(0, j, c.rows, m), part, j, packed_a, packed_b);
        }
    }
}

void add_product(const MatrixView& a, const double* v, double* out) {
    if (a.rows == 0 || a.cols == 0) return;
    if (a.col != 1)
        return kernels().dense.add_rows(a.at, a.cols, a.rows, static_cast<std::size_t>(a.col), v,
                                        out);
    for (std::size_t i = 0; i < a.rows; ++i) out[i] += kernels().dot(&a(i, 0), v, a.cols);
}

bool factorise(const MatrixView& a) {
    const std::size_t n = a.rows;
    if (n > kSmallTriangle) {
        const std::size_t half = whole(n / 2, kSmallTriangle), rest = n - half;
        const MatrixView first = a.part(0, 0, half, half), below = a.part(half, 0, rest, half);
        if (!factorise(first)) return false;
        solve(first, below.transposed());
        const MatrixView last = a.part(half, half, rest, rest);
        add_product(-1.0, below, below.transposed(), last, Part::lower);
        return factorise(last);
    }
    return factorise_by_entries(a);
}

bool factorise_by_entries(const MatrixView& a) {
    const std::size_t n = a.rows;
    for (std::size_t j = 0; j < n; ++j) {
        double pivot = a(j, j);
        for (std::size_t k = 0; k < j; ++k) pivot -= a(j, k) * a(j, k);
        if (!(pivot > 0.0) || !std::isfinite(pivot)) return false;
        a(j, j) = std::sqrt(pivot);
        for (std::size_t i = j + 1; i < n; ++i) {
            double sum = a(i, j);
            for (std::size_t k = 0; k < j; ++k) sum -= a(i, k) * a(j, k);
            a(i, j) = sum / a(j, j);
        }
    }
    return true;
}

void solve_lower(const MatrixView& l, const MatrixView& b, Side side) {
    if (b.cols == 1 && (b.row == 1 || b.rows == 1)) return solve_vector(l, b.at, side);
    if (side == Side::plain) return solve(l, b);
    const MatrixView turned = upside_down(upside_down(l.transposed()).transposed()).transposed();
    solve(turned, upside_down(b));
}

}  // namespace fastgrok
