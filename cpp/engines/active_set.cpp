#include "engines/active_set.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/interrupt.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {
namespace {

// The share of a row's square outside the span of others below which it depends on them: products
// do not show less.
constexpr double kDependent = 1e-12;
// Fewer rows are multiplied one by one.
constexpr std::size_t kFewToMultiply = 4;
// Rows of a triangle whose sums are made together.
constexpr std::size_t kRowsAtOnce = 16;

// What a row that leaves costs by reflections, beside products, and the rows whose cost all that
// leave have besides.
constexpr std::size_t kMend = 4, kMendAtOnce = 32;

}  // namespace

ActiveSet::ActiveSet(std::size_t cols, std::size_t most)
    : cols_(cols),
      most_(most),
      rows_(most * cols),
      products_(most * most),
      factor_(most * most),
      by_slot_(most) {}

std::size_t ActiveSet::take_slot() {
    if (free_.empty()) return used_++;
    const std::size_t slot = free_.back();
    free_.pop_back();
    return slot;
}

double* ActiveSet::add_row() {
    slots_.push_back(take_slot());
    return row_of(size() - 1);
}

std::vector<bool> ActiveSet::append(std::size_t before) {
    const std::size_t count = size() - before;
    find_products(before);
    std::vector<bool> in(count, true);
    if (extend(before, 0)) return in;
    const std::vector<std::size_t> wanted(slots_.begin() + static_cast<std::ptrdiff_t>(before),
                                          slots_.end());
    slots_.resize(before);
    for (std::size_t i = 0; i < count; ++i) {
        stop_if_due();
        slots_.push_back(wanted[i]);
        in[i] = extend_by_one(size() - 1);
        if (in[i]) continue;
        slots_.pop_back();
        free_.push_back(wanted[i]);
    }
    return in;
}

// Of the members from `first` on with all slots.
void ActiveSet::find_products(std::size_t first) {
    const std::size_t count = size() - first, slot = slots_[first];
    const auto view = [](double* at, std::size_t rows, std::size_t cols, std::size_t stride) {
        return MatrixView{at, rows, cols, static_cast<std::ptrdiff_t>(stride), 1};
    };
    const MatrixView all = view(rows_.data(), used_, cols_, cols_);
    bool last = slot + count == used_;
    for (std::size_t i = 1; i < count; ++i) last = last && slots_[first + i] == slot + i;
    if (last) {
        const MatrixView own = all.part(slot, 0, count, cols_);
        const auto to = [&](std::size_t from, std::size_t cols) {
            return view(&products_[slot * most_ + from], count, cols, most_);
        };
        for (std::size_t i = slot; i < used_; ++i) std::fill_n(&products_[i * most_], used_, 0.0);
        add_product(1.0, own, all.part(0, 0, slot, cols_).transposed(), to(0, slot));
        add_product(1.0, own, own.transposed(), to(slot, count), Part::lower);
        for (std::size_t i = slot; i < used_; ++i)
            for (std::size_t j = 0; j < i; ++j) products_[j * most_ + i] = products_[i * most_ + j];
        return;
    }
    along_.assign(count * used_, 0.0);
    if (count < kFewToMultiply) {
        for (std::size_t i = 0; i < count; ++i)
            add_product(all, row_of(first + i), &along_[i * used_]);
    } else {
        Vector rows(count * cols_);
        for (std::size_t i = 0; i < count; ++i)
            std::copy_n(row_of(first + i), cols_, &rows[i * cols_]);
        add_product(1.0, view(rows.data(), count, cols_, cols_), all.transposed(),
                    view(along_.data(), count, used_, used_));
    }
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < used_; ++j) {
            products_[slots_[first + i] * most_ + j] = along_[i * used_ + j];
            products_[j * most_ + slots_[first + i]] = along_[i * used_ + j];
        }
}

// The factor's rows from `first` on, of which the first `known` columns are right.
bool ActiveSet::extend(std::size_t first, std::size_t known) {
    const std::size_t count = size() - first;
    forget(first);
    if (count == 0) return true;
    for (std::size_t i = first; i < size(); ++i)
        for (std::size_t j = known; j <= i; ++j) factor_[i * most_ + j] = product(i, j);
    if (known < first) {
        const std::size_t missing = first - known;
        const MatrixView to = factor(first, known, count, missing);
        if (known > 0)
            add_product(-1.0, factor(first, 0, count, known),
                        factor(known, 0, missing, known).transposed(), to);
        solve_lower(factor(known, known, missing, missing), to.transposed(), Side::plain);
    }
    const MatrixView last = factor(first, first, count, count);
    const MatrixView left = factor(first, 0, count, first);
    add_product(-1.0, left, left.transposed(), last, Part::lower);
    if (!factorise(last)) return false;
    for (std::size_t i = first; i < size(); ++i) {
        const double pivot = factor_[i * most_ + i];
        if (!(pivot * pivot > kDependent * product(i, i))) return false;
    }
    return true;
}

bool ActiveSet::extend_by_one(std::size_t at) {
    forget(at);
    double* row = &factor_[at * most_];
    for (std::size_t j = 0; j < at; ++j) row[j] = product(at, j);
    if (at > 0) solve_lower(factor(0, 0, at, at), {row, at, 1, 1, 1}, Side::plain);
    const double square = product(at, at);
    const double pivot = square - kernels().dot(row, row, at);
    if (!(pivot > kDependent * square)) return false;
    row[at] = std::sqrt(pivot);
    return true;
}

bool ActiveSet::keep(const std::vector<std::size_t>& order) {
    std::size_t first = 0;
    while (first < order.size() && order[first] == first) ++first;
    std::vector<bool> stays(size());
    for (const std::size_t i : order) stays[i] = true;
    for (std::size_t i = first; i < size(); ++i)
        if (!stays[i]) free_.push_back(slots_[i]);
    const std::vector<std::size_t> slots = slots_;
    if (mends(first, size() - order.size()) && std::is_sorted(order.begin(), order.end())) {
        mend(first, order);
        return true;
    }
    along_.resize((order.size() - first) * first);
    for (std::size_t i = first; i < order.size(); ++i) {
        slots_[i] = slots[order[i]];
        std::copy_n(&factor_[order[i] * most_], first, along_.data() + (i - first) * first);
    }
    slots_.resize(order.size());
    for (std::size_t i = first; i < size(); ++i)
        std::copy_n(along_.data() + (i - first) * first, first, &factor_[i * most_]);
    return extend(first, first);
}

bool ActiveSet::mends(std::size_t first, std::size_t gone) const {
    return kMend * (gone + kMendAtOnce) < first + (size() - gone - first) / 3;
}

// The columns of those who leave are what the triangle of the others lacks.
void ActiveSet::mend(std::size_t first, const std::vector<std::size_t>& order) {
    const std::vector<std::size_t> slots = slots_;
    const std::size_t n = order.size();
    std::vector<std::size_t> lost;
    for (std::size_t i = first; i < n; ++i) {
        const std::size_t before = i == first ? first : order[i - 1] + 1;
        for (std::size_t j = before; j < order[i]; ++j) lost.push_back(j);
    }
    const std::size_t rest = n - first;
    along_.assign(lost.size() * rest, 0.0);
    for (std::size_t i = first; i < n; ++i) {
        const double* from = &factor_[order[i] * most_];
        double* to = &factor_[i * most_];
        for (std::size_t k = 0; k < lost.size() && lost[k] < order[i]; ++k)
            along_[k * rest + i - first] = from[lost[k]];
        std::copy_n(from, first, to);
        for (std::size_t j = first; j <= i; ++j) to[j] = from[order[j]];
        slots_[i] = slots[order[i]];
    }
    slots_.resize(n);
    forget(first);
    add_to_factor(factor(first, first, rest, rest),
                  {along_.data(), lost.size(), rest, static_cast<std::ptrdiff_t>(rest), 1});
}

void ActiveSet::solve(Vector& x) {
    const MatrixView l = factor(0, 0, size(), size());
    const MatrixView right{x.data(), size(), 1, 1, 1};
    solve_lower(l, right, Side::plain);
    solve_lower(l, right, Side::transposed);
}

const Vector& ActiveSet::ones() {
    return solution(ones_, [](std::size_t) { return 1.0; });
}

const Vector& ActiveSet::lasts() {
    return solution(lasts_, [this](std::size_t i) { return row_of(i)[cols_ - 1]; });
}

template <class Right>
const Vector& ActiveSet::solution(Solution& x, Right right) {
    x.halves.resize(size());
    for (std::size_t i = x.halfway; i < size(); ++i) {
        const double* row = &factor_[i * most_];
        x.halves[i] = (right(i) - kernels().dot(row, x.halves.data(), i)) / row[i];
    }
    x.halfway = size();
    x.found = x.halves;
    solve_lower(factor(0, 0, size(), size()), {x.found.data(), size(), 1, 1, 1}, Side::transposed);
    return x.found;
}

void ActiveSet::forget(std::size_t first) {
    for (Solution* x : {&ones_, &lasts_}) x->halfway = std::min(x->halfway, first);
}

Vector ActiveSet::squares(const std::vector<Vector>& x) {
    // A block of the factor is read once for all.
    const std::size_t n = size();
    along_.assign(x.size() * n, 0.0);
    for (std::size_t i = 0; i < n; i += kRowsAtOnce) {
        const std::size_t count = std::min(kRowsAtOnce, n - i);
        for (std::size_t m = 0; m < x.size(); ++m) {
            double* sum = &along_[m * n];
            kernels().dense.add_rows(&factor_[i * most_], count, i, most_, &x[m][i], sum);
            for (std::size_t k = i; k < i + count; ++k)
                for (std::size_t j = i; j <= k; ++j) sum[j] += x[m][k] * factor_[k * most_ + j];
        }
    }
    Vector out(x.size());
    for (std::size_t m = 0; m < x.size(); ++m)
        out[m] = kernels().dot(&along_[m * n], &along_[m * n], n);
    return out;
}

double ActiveSet::least_pivot() const {
    double least = 1.0;
    for (std::size_t i = 0; i < size(); ++i) {
        const double pivot = factor_[i * most_ + i];
        least = std::min(least, pivot * pivot / product(i, i));
    }
    return least;
}

void ActiveSet::products(const double* vector, Vector& out) {
    std::fill_n(by_slot_.begin(), used_, 0.0);
    add_product({rows_.data(), used_, cols_, static_cast<std::ptrdiff_t>(cols_), 1}, vector,
                by_slot_.data());
    out.resize(size());
    for (std::size_t i = 0; i < size(); ++i) out[i] = by_slot_[slots_[i]];
}

void ActiveSet::add_sum(const Vector& coefficients, double* out) {
    std::fill_n(by_slot_.begin(), used_, 0.0);
    for (std::size_t i = 0; i < size(); ++i) by_slot_[slots_[i]] = coefficients[i];
    kernels().dense.add_rows(rows_.data(), used_, cols_, cols_, by_slot_.data(), out);
}

void ActiveSet::start(const Vector& alpha, double* theta) {
    std::fill_n(theta, cols_, 0.0);
    add_sum(alpha, theta);
}

void ActiveSet::correct(Vector& missing, Vector& alpha, double* theta) {
    solve(missing);
    for (std::size_t i = 0; i < alpha.size(); ++i) alpha[i] += missing[i];
    add_sum(missing, theta);
}

Table<double> ActiveSet::take_rows(std::vector<std::size_t>& order) {
    // The last of them fill the gaps.
    const std::size_t n = size();
    std::vector<std::size_t> member(used_, n);
    for (std::size_t i = 0; i < n; ++i) member[slots_[i]] = i;
    for (std::size_t k = 0, last = used_; k < n; ++k) {
        if (member[k] < n) continue;
        do --last;
        while (member[last] == n);
        std::copy_n(&rows_[last * cols_], cols_, &rows_[k * cols_]);
        std::swap(member[k], member[last]);
    }
    order.assign(member.begin(), member.begin() + static_cast<std::ptrdiff_t>(n));
    rows_.resize(n * cols_);
    return std::move(rows_);
}

}  // namespace fastgrok
