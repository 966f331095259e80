// Passes over plain rows: 16 lanes over the columns of a row, one read of the data for margins and
// sums.
//
// A strip of rows is taken together: their products z . u first, then one vector evaluation of
// their coefficients, then, while the products of the next strip are under way, their contribution
// to the sums from the caches. The order of operations inside a row and from row to row does not
// depend on the strips.
#pragma once

#include "kernels/elementary.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// Narrow rows are taken 8 at a time, which is as many coefficients as any register holds; of wide
// rows a few fill the first-level cache, and their coefficients take no time.
constexpr std::size_t kNarrowStrip = 8, kWideStrip = kRowsAtOnce, kWideRow = 512;
// Coefficients of a strip, padded to whole registers of any width.
constexpr std::size_t kStripRoom = 8;
constexpr std::size_t kCacheLine = 64;

// The last, incomplete 16 columns from j on, by groups: sweep(group, first column, columns left).
template <int G = 0, class Sweep>
inline void sweep_rest(std::size_t j, std::size_t cols, Sweep sweep) {
    if constexpr (G < kGroups) {
        if (j >= cols) return;
        sweep(G, j, cols - j);
        sweep_rest<G + 1>(j + kWidth, cols, sweep);
    }
}

// What dot_rows does on the way besides its products.
enum class Beside { nothing, add, add_and_fetch };

// t[r] = x_r . w for R rows. w is padded with zeros to whole 16s. Beside that, out += sum over R
// earlier rows of c[r] * last_r, as add_rows does it: the memory goes on delivering x while the
// rows before it, which lie in a cache, are added. And the R rows of `next` are asked for in
// advance.
template <std::size_t R, Beside kBeside, class Real>
inline void dot_rows(const Real* const* x, std::size_t cols, const double* w, double* t,
                     const Real* const* last = nullptr, const double* c = nullptr,
                     double* out = nullptr, const Real* const* next = nullptr) {
    // Copies, because `out` might be taken for the place where the pointers lie.
    const Real *row[R], *earlier[R], *later[R];
    Vec sum[R][kGroups], cc[R];
    for (std::size_t r = 0; r < R; ++r) {
        row[r] = x[r];
        if constexpr (kBeside != Beside::nothing) earlier[r] = last[r], cc[r] = set1(c[r]);
        if constexpr (kBeside == Beside::add_and_fetch) later[r] = next[r];
        for (int g = 0; g < kGroups; ++g) sum[r][g] = set1(0.0);
    }
    const auto sweep = [&](int g, std::size_t at, auto load_row) {
        const Vec wg = load(w + at);
        for (std::size_t r = 0; r < R; ++r) sum[r][g] = fma(load_row(row[r] + at), wg, sum[r][g]);
        if constexpr (kBeside != Beside::nothing) {
            Vec o = load(out + at);
            for (std::size_t r = 0; r < R; ++r) o = fma(cc[r], load_row(earlier[r] + at), o);
            store(out + at, o);
        }
    };
    const auto whole = [](const Real* p) { return load(p); };
    std::size_t j = 0;
    for (; j + kLanes <= cols; j += kLanes) {
        if constexpr (kBeside == Beside::add_and_fetch)
            for (std::size_t r = 0; r < R; ++r)
                for (std::size_t k = 0; k < kLanes; k += kCacheLine / sizeof(Real))
                    __builtin_prefetch(later[r] + j + k);
        for (int g = 0; g < kGroups; ++g) sweep(g, j + g * kWidth, whole);
    }
    sweep_rest(j, cols, [&](int g, std::size_t at, std::size_t left) {
        if (left >= kWidth) return sweep(g, at, whole);
        const int n = static_cast<int>(left);
        sweep(g, at, [n](const Real* p) { return load_tail(p, n); });
    });
    // Where every product underflows the lanes hold -0, but those that a register fills up hold +0,
    // and how many these are depends on its width. 0.0 + makes +0 of both.
    for (std::size_t r = 0; r < R; ++r) t[r] = 0.0 + add_lanes(sum[r]);
}

// out += sum over R rows of c[r] * x_r, row after row. out is padded to whole 16s.
template <std::size_t R, class Real>
inline void add_rows(const Real* const* x, std::size_t cols, const double* c, double* out) {
    Vec cc[R];
    for (std::size_t r = 0; r < R; ++r) cc[r] = set1(c[r]);
    std::size_t j = 0;
    for (; j + kWidth <= cols; j += kWidth) {
        Vec sum = load(out + j);
        for (std::size_t r = 0; r < R; ++r) sum = fma(cc[r], load(x[r] + j), sum);
        store(out + j, sum);
    }
    if (j < cols) {
        const int left = static_cast<int>(cols - j);
        Vec sum = load(out + j);
        for (std::size_t r = 0; r < R; ++r) sum = fma(cc[r], load_tail(x[r] + j, left), sum);
        store(out + j, sum);
    }
}

// t[r] = x_r . w + b for a strip of n rows, kRowsAtOnce at a time.
template <class Real>
inline void dot_strip(const Real* const* x, std::size_t cols, const double* u, double b,
                      std::size_t n, double* t) {
    std::size_t r = 0;
    for (; r + kRowsAtOnce <= n; r += kRowsAtOnce)
        dot_rows<kRowsAtOnce, Beside::nothing>(x + r, cols, u, t + r);
    for (; r < n; ++r) dot_rows<1, Beside::nothing>(x + r, cols, u, t + r);
    for (r = 0; r < n; ++r) t[r] += b;
}

// The same for a whole strip, while another whole strip is added to out.
template <std::size_t K, class Real>
inline void dot_and_add_strip(const Real* const* x, std::size_t cols, const double* u, double b,
                              double* t, const Real* const* last, const double* c, double* out,
                              const Real* const* next) {
    static_assert(K % kRowsAtOnce == 0);
    // Wide rows are asked for early; the next narrow ones the processor fetches by itself.
    constexpr Beside kBeside = K == kNarrowStrip ? Beside::add : Beside::add_and_fetch;
    for (std::size_t r = 0; r < K; r += kRowsAtOnce)
        dot_rows<kRowsAtOnce, kBeside>(x + r, cols, u, t + r, last + r, c + r, out, next + r);
    for (std::size_t r = 0; r < K; ++r) t[r] += b;
}

// Where the n <= K rows from the i-th on lie; what lies behind the last of all is its repetition.
template <std::size_t K, class Real>
struct Strip {
    const Real* x[K];
    double y[kStripRoom] = {};
    double c[kStripRoom] = {};  // products, then coefficients
    std::size_t n = 0;

    void find(PlainRows<Real> rows, std::size_t i) {
        n = rows.count - i < K ? rows.count - i : K;
        for (std::size_t r = 0; r < K; ++r) {
            const std::size_t k = r < n ? i + r : rows.count - 1;
            const std::size_t row = rows.index != nullptr ? rows.index[k] : k;
            x[r] = rows.x + row * rows.cols;
            y[r] = r < n ? rows.y[row] : 0.0;
            c[r] = 0.0;
        }
    }
};

// out += sum over rows of c_i (x_i, 1), row after row, where weigh(first row, labels, n, t) turns n
// values of t = x . w + b into c.
template <std::size_t K, class Real, class Weigh>
inline void accumulate_strips(PlainRows<Real> rows, const double* u, Weigh weigh, double* out) {
    const std::size_t cols = rows.cols, intercept = plain_layout(cols).intercept;
    if (rows.count == 0) return;
    // The coefficients of a strip come after all its products, so it is added one strip later.
    const double b = u[intercept];
    double sum_c = out[intercept];
    Strip<K, Real> strips[3];
    Strip<K, Real>*last = strips, *strip = strips + 1, *next = strips + 2;
    last->find(rows, 0);
    dot_strip(last->x, cols, u, b, last->n, last->c);
    weigh(std::size_t{0}, last->y, last->n, last->c);
    if (last->n < rows.count) strip->find(rows, last->n);
    for (std::size_t i = last->n; i < rows.count; i += K) {
        for (std::size_t r = 0; r < K; ++r) sum_c += last->c[r];
        next->find(rows, i + K < rows.count ? i + K : i);
        if (strip->n == K) {
            dot_and_add_strip<K>(strip->x, cols, u, b, strip->c, last->x, last->c, out, next->x);
        } else {
            add_rows<K>(last->x, cols, last->c, out);
            dot_strip(strip->x, cols, u, b, strip->n, strip->c);
        }
        weigh(i, strip->y, strip->n, strip->c);
        Strip<K, Real>* const done = last;
        last = strip;
        strip = next;
        next = done;
    }
    std::size_t r = 0;
    for (; r + kRowsAtOnce <= last->n; r += kRowsAtOnce)
        add_rows<kRowsAtOnce>(last->x + r, cols, last->c + r, out);
    for (; r < last->n; ++r) add_rows<1>(last->x + r, cols, last->c + r, out);
    for (r = 0; r < last->n; ++r) sum_c += last->c[r];
    out[intercept] = sum_c;
}

template <class Real, class Weigh>
inline void accumulate_plain(PlainRows<Real> rows, const double* u, Weigh weigh, double* out) {
    if (rows.cols < kWideRow) return accumulate_strips<kNarrowStrip>(rows, u, weigh, out);
    return accumulate_strips<kWideStrip>(rows, u, weigh, out);
}

template <class Real>
void plain_margins(PlainRows<Real> rows, const double* u, double* out) {
    const std::size_t cols = rows.cols;
    const double b = u[plain_layout(cols).intercept];
    for (std::size_t i = 0; i < rows.count; i += kNarrowStrip) {
        Strip<kNarrowStrip, Real> strip;
        strip.find(rows, i);
        dot_strip(strip.x, cols, u, b, strip.n, out + i);
        for (std::size_t r = 0; r < strip.n; ++r) out[i + r] *= strip.y[r];
    }
}

template <class Real>
void plain_first(PlainRows<Real> rows, const double* u, Loss loss, double most, double* bits,
                 double* out) {
    const auto weigh = [=](std::size_t row, const double* y, std::size_t n, double* t) {
        for (std::size_t r = 0; r < n; r += kWidth) {
            const Vec label = load(y + r);
            const Vec m = load(t + r) * label * set1(kLog2E);
            store(t + r, m);
            if (bits != nullptr)
                for (std::size_t k = r; k < r + kWidth && k < n; ++k) bits[row + k] = t[k];
            const Vec f = loss == Loss::logistic ? end_sigmoid(begin_sigmoid(m, set1(most)))
                                                 : exp2_of_negative(m, set1(most));
            store(t + r, f * label);
        }
    };
    accumulate_plain(rows, u, weigh, out);
}

template <class Real>
void plain_second(PlainRows<Real> rows, const double* weight, const double* v, double* out) {
    const auto weigh = [weight](std::size_t row, const double*, std::size_t n, double* t) {
        for (std::size_t r = 0; r < n; ++r) t[r] *= weight[row + r];
    };
    accumulate_plain(rows, v, weigh, out);
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
