#include "engines/graded_set.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/kernels.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

// Units beyond the range of float64 are not those of any rows that matter.
constexpr int kMostPower = 1000;

// The power of two that makes a positive number 1/2 to 1, or 0.
double unit_of(double size) {
    int exponent = 0;
    std::frexp(size, &exponent);
    return size > 0.0 && std::abs(exponent) < kMostPower ? std::ldexp(1.0, -exponent) : 0.0;
}

}  // namespace

GradedSet::GradedSet(std::size_t cols, std::size_t most) : cols_(cols), most_(most) {
    rows_.reserve(2 * most * cols);
}

double* GradedSet::add_row() {
    rows_.resize((added_ + 1) * cols_);
    return &rows_[added_++ * cols_];
}

std::vector<bool> GradedSet::append(std::size_t before) {
    const std::size_t count = added_ - before;
    std::vector<bool> in(count, true);
    if (factorise(added_)) return in;
    // One by one: those that are left out are overwritten.
    const Vector rows(rows_.begin() + static_cast<std::ptrdiff_t>(before * cols_), rows_.end());
    added_ = before;
    for (std::size_t i = 0; i < count; ++i) {
        std::copy_n(&rows[i * cols_], cols_, add_row());
        in[i] = factorise(added_);
        if (!in[i]) --added_;
    }
    rows_.resize(added_ * cols_);
    if (count_ != added_ || !in.back()) factorise(added_);
    return in;
}

bool GradedSet::keep(const std::vector<std::size_t>& order) {
    Vector rows(order.size() * cols_);
    for (std::size_t i = 0; i < order.size(); ++i)
        std::copy_n(&rows_[order[i] * cols_], cols_, &rows[i * cols_]);
    rows_ = std::move(rows);
    added_ = order.size();
    return factorise(added_);
}

// Makes rows the members, the first `count` of those that are there; false if they are dependent.
bool GradedSet::factorise(std::size_t count) {
    if (count > most_ || !choose_columns(count)) return false;
    count_ = count;
    find_rest(count);
    return true;
}

bool GradedSet::choose_columns(std::size_t count) {
    const std::size_t dim = cols_;
    table_.resize(count * dim);
    reflections_.assign(count * count, 0.0);
    units_.assign(dim, 0.0);
    row_units_.resize(count);
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < dim; ++j)
            units_[j] = std::max(units_[j], std::fabs(rows_[i * dim + j]));
    for (double& unit : units_) unit = unit_of(unit);
    nothing_.assign(dim, 0.0);
    for (std::size_t i = 0; i < count; ++i) {
        double* row = &table_[i * dim];
        double largest = 0.0;
        for (std::size_t j = 0; j < dim; ++j) {
            row[j] = rows_[i * dim + j] * units_[j];
            largest = std::max(largest, std::fabs(row[j]));
        }
        row_units_[i] = unit_of(largest);
        for (std::size_t j = 0; j < dim; ++j) {
            row[j] *= row_units_[i];
            nothing_[j] += row[j] * row[j];
        }
    }
    const double share = 8.0 * kEps * static_cast<double>(dim);
    for (double& x : nothing_) x *= share * share;
    order_.resize(dim);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    for (std::size_t i = 0; i < count; ++i) {
        // Squares of what is left of the columns.
        lengths_.assign(dim, 0.0);
        for (std::size_t r = i; r < count; ++r)
            for (std::size_t j = i; j < dim; ++j)
                lengths_[j] += table_[r * dim + j] * table_[r * dim + j];
        std::size_t best = dim;
        double longest = 0.0;
        for (std::size_t j = i; j < dim; ++j) {
            if (!(lengths_[j] > nothing_[order_[j]])) continue;
            const double length = std::sqrt(lengths_[j]) / units_[order_[j]];
            if (length > longest) {
                longest = length;
                best = j;
            }
        }
        if (best == dim) return false;
        std::swap(order_[i], order_[best]);
        for (std::size_t r = 0; r < count; ++r)
            std::swap(table_[r * dim + i], table_[r * dim + best]);
        double* v = &reflections_[i * count];
        for (std::size_t r = i; r < count; ++r) v[r] = table_[r * dim + i];
        v[i] += std::copysign(std::sqrt(lengths_[best]), v[i]);
        const double scale = std::sqrt(2.0 / kernels().dot(v + i, v + i, count - i));
        for (std::size_t r = i; r < count; ++r) v[r] *= scale;
        lengths_.assign(dim, 0.0);
        for (std::size_t r = i; r < count; ++r)
            for (std::size_t j = i; j < dim; ++j) lengths_[j] += v[r] * table_[r * dim + j];
        for (std::size_t r = i; r < count; ++r)
            for (std::size_t j = i; j < dim; ++j) table_[r * dim + j] -= v[r] * lengths_[j];
    }
    return true;
}

// C and its factor.
void GradedSet::find_rest(std::size_t count) {
    const std::size_t rest = cols_ - count;
    lower_.assign(count * count, 0.0);
    rest_.resize(count * rest);
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = i; j < count; ++j) lower_[j * count + i] = table_[i * cols_ + j];
        std::copy_n(table_.data() + i * cols_ + count, rest, rest_.data() + i * rest);
    }
    few_ = count <= rest;
    if (rest == 0) return;
    for (std::size_t i = count; i-- > 0;) {
        double* row = &rest_[i * rest];
        for (std::size_t k = i + 1; k < count; ++k)
            for (std::size_t j = 0; j < rest; ++j)
                row[j] -= lower_[k * count + i] * rest_[k * rest + j];
        for (std::size_t j = 0; j < rest; ++j) row[j] /= lower_[i * count + i];
    }
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < rest; ++j) {
            const double unit = units_[order_[count + j]];
            double& x = rest_[i * rest + j];
            x = unit > 0.0 ? x * (units_[order_[i]] / unit) : 0.0;
        }
    const MatrixView c{rest_.data(), count, rest, static_cast<std::ptrdiff_t>(rest), 1};
    const MatrixView left = few_ ? c : c.transposed();
    inner_.assign(left.rows * left.rows, 0.0);
    for (std::size_t i = 0; i < left.rows; ++i) inner_[i * left.rows + i] = 1.0;
    add_product(1.0, left, left.transposed(), inner_factor(), Part::lower);
    fastgrok::factorise(inner_factor());
}

void GradedSet::solve_inner(double* u) {
    const std::size_t rest = cols_ - count_;
    if (rest == 0) return;
    const MatrixView l = inner_factor();
    const auto solve = [&](double* x) {
        const MatrixView right{x, l.rows, 1, 1, 1};
        solve_lower(l, right, Side::plain);
        solve_lower(l, right, Side::transposed);
    };
    if (few_) return solve(u);
    point_.assign(rest, 0.0);
    for (std::size_t i = 0; i < count_; ++i)
        for (std::size_t j = 0; j < rest; ++j) point_[j] += u[i] * rest_[i * rest + j];
    solve(point_.data());
    for (std::size_t i = 0; i < count_; ++i)
        u[i] -= kernels().dot(&rest_[i * rest], point_.data(), rest);
}

void GradedSet::shortest(const Vector& right, Vector& out) {
    const std::size_t n = count_, rest = cols_ - n;
    u_.resize(n);
    for (std::size_t i = 0; i < n; ++i) u_[i] = right[i] * row_units_[i];
    for (std::size_t i = 0; i < n; ++i) {
        const double* v = &reflections_[i * n];
        const double along = kernels().dot(v + i, &u_[i], n - i);
        for (std::size_t r = i; r < n; ++r) u_[r] -= along * v[r];
    }
    solve_lower(triangle(n), {u_.data(), n, 1, 1, 1}, Side::transposed);
    for (std::size_t i = 0; i < n; ++i) u_[i] *= units_[order_[i]];
    solve_inner(u_.data());
    out.assign(cols_, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        out[order_[i]] = u_[i];
        for (std::size_t j = 0; j < rest; ++j) out[order_[n + j]] += u_[i] * rest_[i * rest + j];
    }
}

void GradedSet::coefficients(const double* vector, Vector& out) {
    const std::size_t n = count_, rest = cols_ - n;
    out.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        out[i] = vector[order_[i]];
        for (std::size_t j = 0; j < rest; ++j)
            out[i] += rest_[i * rest + j] * vector[order_[n + j]];
    }
    solve_inner(out.data());
    for (std::size_t i = 0; i < n; ++i) out[i] *= units_[order_[i]];
    solve_lower(triangle(n), {out.data(), n, 1, 1, 1}, Side::plain);
    for (std::size_t i = n; i-- > 0;) {
        const double* v = &reflections_[i * n];
        const double along = kernels().dot(v + i, &out[i], n - i);
        for (std::size_t r = i; r < n; ++r) out[r] -= along * v[r];
    }
    for (std::size_t i = 0; i < n; ++i) out[i] *= row_units_[i];
}

void GradedSet::solve(Vector& x) {
    Vector vector;
    shortest(x, vector);
    coefficients(vector.data(), x);
}

const Vector& GradedSet::ones() {
    ones_.assign(count_, 1.0);
    solve(ones_);
    return ones_;
}

Vector GradedSet::squares(const std::vector<Vector>& x) {
    Vector out;
    for (const Vector& coefficients : x) {
        Vector sum(cols_, 0.0);
        kernels().dense.add_rows(rows_.data(), count_, cols_, cols_, coefficients.data(),
                                 sum.data());
        out.push_back(kernels().dot(sum.data(), sum.data(), cols_));
    }
    return out;
}

void GradedSet::products(const double* vector, Vector& out) {
    out.assign(count_, 0.0);
    add_product({rows_.data(), count_, cols_, static_cast<std::ptrdiff_t>(cols_), 1}, vector,
                out.data());
}

// Not as a sum of rows, in which large columns cancel.
void GradedSet::start(const Vector&, double* theta) {
    Vector vector;
    shortest(Vector(count_, 1.0), vector);
    std::copy(vector.begin(), vector.end(), theta);
}

void GradedSet::correct(Vector& missing, Vector& alpha, double* theta) {
    Vector vector;
    shortest(missing, vector);
    for (std::size_t j = 0; j < cols_; ++j) theta[j] += vector[j];
    coefficients(vector.data(), missing);
    for (std::size_t i = 0; i < count_; ++i) alpha[i] += missing[i];
}

Table<double> GradedSet::take_rows(std::vector<std::size_t>& order) {
    order.resize(count_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    return Table<double>(rows_.begin(), rows_.end());
}

}  // namespace fastgrok
