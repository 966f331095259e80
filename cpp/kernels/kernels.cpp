// Compiled once per instruction set, each time into a namespace of its own. Nothing here may
// instantiate a template of the standard library: the linker could hand such an instance, compiled
// for AVX, to code that must run everywhere.
#include "kernels/kernels.hpp"

#include "accurate_rows.hpp"
#include "attacked_rows.hpp"
#include "dense_blocks.hpp"
#include "many_rows.hpp"
#include "packed_newton.hpp"
#include "packed_rows.hpp"
#include "plain_rows.hpp"
#include "sparse_rows.hpp"
#include "together_rows.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// f on n values; the last register is filled up with zeros.
template <class Function>
inline void map(const double* x, double* out, std::size_t n, Function f) {
    std::size_t i = 0;
    for (; i + kWidth <= n; i += kWidth) store(out + i, f(load(x + i)));
    if (i < n) {
        double rest[kWidth];
        store(rest, f(load_tail(x + i, static_cast<int>(n - i))));
        for (std::size_t j = 0; i < n; ++i, ++j) out[i] = rest[j];
    }
}

// Sums g(whole register at i) over n values in 16 lanes; g gets the number of valid values as well
// and must return zeros for the others.
template <class Term>
inline double sum_lanes(std::size_t n, Term term) {
    Vec sum[kGroups];
    for (int g = 0; g < kGroups; ++g) sum[g] = set1(0.0);
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int g = 0; g < kGroups; ++g) sum[g] = sum[g] + term(i + g * kWidth, kWidth);
    for (int g = 0; i < n; ++g, i += kWidth) {
        const std::size_t left = n - i;
        sum[g] = sum[g] + term(i, left < kWidth ? static_cast<int>(left) : kWidth);
    }
    return add_lanes(sum);
}

// Zeroes the values beyond the first n of a register.
inline Vec keep_first(Vec a, int n) {
    double all[kWidth];
    store(all, a);
    return load_tail(all, n);
}

void exp_all(const double* x, double* out, std::size_t n) {
    map(x, out, n, [](Vec v) { return exp(v); });
}

void softplus_all(const double* x, double* out, std::size_t n) {
    map(x, out, n, [](Vec v) { return softplus(v); });
}

void sigmoid_all(const double* x, double* out, std::size_t n) {
    map(x, out, n, [](Vec v) { return sigmoid(v); });
}

// f(m), a loss or its curvature, both of which underflow at almost all margins after long runs.
template <class L, class Function>
inline Vec unless_nothing(L, Vec m, Function f) {
    constexpr double kNothing = 746.0;  // e^-746 is 0
    if constexpr (L::traits.exponential_tail())
        if (all_greater(m, set1(kNothing))) return set1(0.0);
    return f(m);
}

void curvature_all(const double* margin, double* out, std::size_t n, Loss loss) {
    with_loss(loss, [=]<class L>(L of) {
        map(margin, out, n, [=](Vec m) {
            return unless_nothing(of, m, [](Vec some) { return L::curvature(some); });
        });
    });
}

void coefficients(const double* t, std::size_t n, Loss loss, double shift, double* slope,
                  double* curvature) {
    with_loss(loss, [=]<class L>(L) {
        if constexpr (L::traits.exponential_tail()) {
            map(t, slope, n, [=](Vec v) { return L::full_slope(v, set1(shift)); });
        } else {
            const Vec most = set1(L::traits.zero_above);
            map(t, slope, n, [=](Vec v) { return L::slope(v, most, set1(shift)); });
        }
        map(slope, curvature, n, [](Vec p) { return L::curvature_of_slope(p); });
    });
}

double loss_sum(const double* margin, const double* weight, std::size_t n, Loss loss) {
    return with_loss(loss, [=]<class L>(L of) {
        const auto value = [=](std::size_t i, int count) {
            return unless_nothing(of, load_some(margin + i, count),
                                  [](Vec m) { return L::value(m); });
        };
        const auto kept = [](Vec a, int count) {
            return count < kWidth ? keep_first(a, count) : a;
        };
        if (weight == nullptr)
            return sum_lanes(
                n, [=](std::size_t i, int count) { return kept(value(i, count), count); });
        return sum_lanes(n, [=](std::size_t i, int count) {
            return kept(value(i, count) * load_some(weight + i, count), count);
        });
    });
}

double dot(const double* a, const double* b, std::size_t n) {
    return sum_lanes(n, [=](std::size_t i, int count) {
        return load_some(a + i, count) * load_some(b + i, count);
    });
}

template <class Real>
constexpr Kernels::Plain<Real> plain() {
    return {plain_margins<Real>, plain_many_margins<Real>, plain_accurate<Real>,
            plain_first<Real>,   plain_second<Real>,       plain_together<Real>,
            plain_drop<Real>,    plain_inside<Real>};
}

template <class Real>
constexpr Kernels::Sparse<Real> sparse() {
    return {sparse_margins<Real>, sparse_accurate<Real>, sparse_first<Real>, sparse_second<Real>};
}

#define FASTGROK_STRING_(name) #name
#define FASTGROK_STRING(name) FASTGROK_STRING_(name)

}  // namespace

extern const Kernels table;
const Kernels table = {
    FASTGROK_STRING(FASTGROK_SIMD_NAMESPACE),
    exp_all,
    softplus_all,
    sigmoid_all,
    curvature_all,
    coefficients,
    loss_sum,
    dot,
    accurate_sums,
    {kTileRows, kTileCols, dense_tile, dense_add_rows, dense_solve},
    {packed_margins, packed_accurate, packed_first, packed_newton, packed_second, packed_drop},
    plain<double>(),
    plain<float>(),
    sparse<double>(),
    sparse<float>(),
};

}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
