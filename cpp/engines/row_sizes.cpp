#include "engines/row_sizes.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/team.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {
namespace {

constexpr std::size_t kTogether = 4;  // rows

void add_sizes(const PackedRows& rows, double*, double* squares, double* columns) {
    for (std::size_t b = 0; b < rows.count; ++b) {
        const double* x = rows.blocks + b * kLanes * (rows.cols + 1);
        double sums[kLanes] = {};
        for (std::size_t j = 0; j < rows.cols; ++j, x += kLanes) {
            double largest[kLanes];
            for (std::size_t k = 0; k < kLanes; ++k) {
                sums[k] += x[k] * x[k];
                largest[k] = std::fabs(x[k]);
            }
            for (std::size_t half = kLanes / 2; half > 0; half /= 2)
                for (std::size_t k = 0; k < half; ++k)
                    largest[k] = std::max(largest[k], largest[k + half]);
            columns[j] = std::max(columns[j], largest[0]);
        }
        std::copy_n(sums, kLanes, squares + b * kLanes);
    }
}

void add_columns(const double* const* x, std::size_t cols, double* columns) {
    for (std::size_t j = 0; j < cols; ++j) {
        const double one = std::max(std::fabs(x[0][j]), std::fabs(x[1][j]));
        const double other = std::max(std::fabs(x[2][j]), std::fabs(x[3][j]));
        columns[j] = std::max(columns[j], std::max(one, other));
    }
}

// `room` is for copies in float64 of rows that are taken together.
template <class Real>
void add_sizes(const PlainRows<Real>& rows, double* room, double* squares, double* columns) {
    for (std::size_t i = 0; i < rows.count; i += kTogether) {
        const double* x[kTogether];
        for (std::size_t k = 0; k < kTogether; ++k) {
            const Real* row = rows.x + std::min(i + k, rows.count - 1) * rows.stride;
            if constexpr (std::is_same_v<Real, double>) {
                x[k] = row;
            } else {
                x[k] = std::copy_n(row, rows.cols, room + k * rows.cols) - rows.cols;
            }
            if (i + k < rows.count) squares[i + k] = kernels().dot(x[k], x[k], rows.cols);
        }
        add_columns(x, rows.cols, columns);
    }
}

template <class Real>
void add_sizes(const SparseRows<Real>& rows, double*, double* squares, double* columns) {
    for (std::size_t i = 0; i < rows.count; ++i) {
        squares[i] = 0.0;
        for (std::int64_t k = rows.begin[i]; k < rows.begin[i + 1]; ++k) {
            const double x = static_cast<double>(rows.x[k]);
            squares[i] += x * x;
            columns[rows.column[k]] = std::max(columns[rows.column[k]], std::fabs(x));
        }
    }
}

}  // namespace

RowSizes row_sizes(const Problem& problem, int threads) {
    const std::size_t cols = problem.layout().cols, chunks = problem.partition().count();
    RowSizes out{Vector(whole_lanes(problem.rows())), Vector(cols, 0.0)};
    std::vector<Vector> columns(chunks, Vector(cols, 0.0));
    const bool alone = problem.rows() * problem.row_entries() < kLeastWork;
    const int most = alone ? 1 : std::min(usable_threads(threads), static_cast<int>(chunks));
    const auto members = static_cast<std::size_t>(most);
    const bool dense = !problem.packed() && !problem.sparse();
    std::vector<Vector> rooms(members, Vector(dense ? kTogether * cols : 0));
    deal(chunks, most, [&](std::size_t c, int member) {
        problem.visit_chunk(c, [&](const auto& rows) {
            add_sizes(rows, rooms[static_cast<std::size_t>(member)].data(),
                      &out.squares[problem.first_row(c)], columns[c].data());
        });
    });
    for (const Vector& chunk : columns)
        for (std::size_t j = 0; j < cols; ++j) out.columns[j] = std::max(out.columns[j], chunk[j]);
    out.squares.resize(problem.rows());
    return out;
}

}  // namespace fastgrok
