// Strips of plain rows, wherever they lie: 8 lanes over the columns of a row, one read of the data
// for margins and sums.
//
// A strip of rows is taken together: their products z . u first, then one vector evaluation of
// their coefficients, then, from the caches, their contribution to the sums. The order of
// operations inside a row and from row to row does not depend on the strips.
#pragma once

#include <utility>

#include "elementary.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

// Of narrow rows two strips of 8, which is as many coefficients as any register holds, lie in the
// first-level cache; of wider rows fewer have room there. What comes from beyond the caches is
// asked for in advance, and so much more of it is under way if the strips are large. Of listed rows
// in the caches that costs more than it gains.
constexpr std::size_t kLongStrip = 8, kShortStrip = 4, kNarrowRow = 160;
static_assert(kLongStrip % kRowsAtOnce == 0);
// Coefficients of a strip, padded to whole registers of any width.
constexpr std::size_t kStripRoom = 8;
// All of the next strip's rows is asked for, because the processor's own fetching starts anew on
// every page: into the second-level cache, for the first is full with the two strips under way.
constexpr std::size_t kCacheLine = 64;
constexpr int kSecondLevel = 2;
// Bytes apart at which rows have the same place in a cache, and that three strips may have so that
// most second-level caches hold them.
constexpr std::size_t kSamePlace = 4096, kThreeStrips = 1 << 20;
// Registers that hold the lanes of a row.
constexpr int kRowGroups = static_cast<int>(kRowLanes) / kWidth;

template <class Real>
inline Vec load_some(const Real* p, int n) {
    return n < kWidth ? load_tail(p, n) : load(p);
}

// t[r] = the sum of row r's lanes; of more than one row, t has room for whole registers. Where
// every product underflows the lanes hold -0, but those that a register fills up hold +0, and how
// many these are depends on its width. 0.0 + makes +0 of both.
template <std::size_t R>
[[gnu::always_inline]] inline void finish_dots(const Vec (&sum)[R][kRowGroups], double* t) {
    if constexpr (R == 1) {
        t[0] = 0.0 + add_lanes(sum[0]);
    } else {
        for (std::size_t r = 0; r < R; r += kWidth) {
            Vec lanes[kWidth];
            for (std::size_t k = 0; k < kWidth; ++k)
                lanes[k] = r + k < R ? add_groups(sum[r + k]) : set1(0.0);
            store(t + r, set1(0.0) + sums_across(lanes));
        }
    }
}

// What dot_rows does on the way besides its products, and which part of other rows it asks for.
enum class Beside { nothing, add };
enum class Ahead { nothing, half, all };

// Asks for the columns from j on, as many as a row has lanes, of some rows.
template <class Real>
[[gnu::always_inline]] inline void ask_for(const Real* const* rows, std::size_t count,
                                           std::size_t j) {
    for (std::size_t r = 0; r < count; ++r)
        for (std::size_t k = 0; k < kRowLanes; k += kCacheLine / sizeof(Real))
            __builtin_prefetch(rows[r] + j + k, 0, kSecondLevel);
}

// t[r] = x_r . w for R rows; of more than one, t has room for whole registers. w is padded with
// zeros to whole 16s. Beside that, out += sum over R earlier rows of c[r] * last_r, as add_rows
// does it: the memory goes on delivering x while the rows before it, which lie in a cache, are
// added. And `next`, R rows or half of them, are asked for in advance.
template <std::size_t R, Beside kBeside, Ahead kAhead, class Real>
[[gnu::always_inline]] inline void dot_rows(const Real* const* x, std::size_t cols, const double* w,
                                            double* t, const Real* const* last = nullptr,
                                            const double* c = nullptr, double* out = nullptr,
                                            const Real* const* next = nullptr) {
    constexpr bool kAdds = kBeside == Beside::add;
    constexpr std::size_t kFetched = kAhead == Ahead::all ? R : kAhead == Ahead::half ? R / 2 : 0;
    // Copies, because `out` might be taken for the place where the pointers lie.
    const Real *row[R], *earlier[R], *later[R];
    Vec sum[R][kRowGroups], cc[R];
    for (std::size_t r = 0; r < R; ++r) {
        row[r] = x[r];
        if constexpr (kAdds) earlier[r] = last[r], cc[r] = set1(c[r]);
        if constexpr (kFetched > 0) later[r] = next[r];
        for (int g = 0; g < kRowGroups; ++g) sum[r][g] = set1(0.0);
    }
    std::size_t j = 0;
#pragma GCC unroll 2
    for (; j + kRowLanes <= cols; j += kRowLanes) {
        if constexpr (kFetched > 0) ask_for(later, kFetched, j);
        for (int g = 0; g < kRowGroups; ++g) {
            const std::size_t at = j + g * kWidth;
            const Vec wg = load(w + at);
            for (std::size_t r = 0; r < R; ++r) sum[r][g] = fma(load(row[r] + at), wg, sum[r][g]);
            if constexpr (kAdds) {
                Vec o = load(out + at);
                for (std::size_t r = 0; r < R; ++r) o = fma(cc[r], load(earlier[r] + at), o);
                store(out + at, o);
            }
        }
    }
    // The last, incomplete 8 columns.
    for (int g = 0; g < kRowGroups && j < cols; ++g, j += kWidth) {
        const int left = cols - j < kWidth ? static_cast<int>(cols - j) : kWidth;
        const Vec wg = load(w + j);
        for (std::size_t r = 0; r < R; ++r)
            sum[r][g] = fma(load_some(row[r] + j, left), wg, sum[r][g]);
        if constexpr (kAdds) {
            Vec o = load(out + j);
            for (std::size_t r = 0; r < R; ++r) o = fma(cc[r], load_some(earlier[r] + j, left), o);
            store(out + j, o);
        }
    }
    finish_dots(sum, t);
}

// out += sum over R rows of c[r] * x_r, row after row. out is padded to whole 16s. If there is a
// `next` strip, the second half of its rows is asked for.
template <std::size_t R, bool kFetch = false, class Real>
inline void add_rows(const Real* const* x, std::size_t cols, const double* c, double* out,
                     const Real* const* next = nullptr) {
    constexpr std::size_t kFetched = kFetch ? R - R / 2 : 0;
    const Real *row[R], *later[kFetched + 1];
    Vec cc[R];
    for (std::size_t r = 0; r < R; ++r) row[r] = x[r], cc[r] = set1(c[r]);
    for (std::size_t r = 0; r < kFetched; ++r) later[r] = next[R / 2 + r];
    const auto add = [&](std::size_t j, int n) {
        Vec sum = load(out + j);
        for (std::size_t r = 0; r < R; ++r) sum = fma(cc[r], load_some(row[r] + j, n), sum);
        store(out + j, sum);
    };
    std::size_t j = 0;
    if constexpr (kFetch)
#pragma GCC unroll 2
        for (; j + kRowLanes <= cols; j += kRowLanes) {
            ask_for(later, kFetched, j);
            for (std::size_t k = 0; k < kRowLanes; k += kWidth) add(j + k, kWidth);
        }
    for (; j + kWidth <= cols; j += kWidth) add(j, kWidth);
    if (j < cols) add(j, static_cast<int>(cols - j));
}

// Where the n <= K rows from the i-th on lie; what lies behind the last of all is its repetition.
template <std::size_t K, class Real>
struct Strip {
    const Real* x[K];
    double y[kStripRoom] = {};
    double weighted[kStripRoom] = {};  // y times the rows' weights, if they have any
    double c[kStripRoom] = {};         // products, then coefficients
    std::size_t n = 0;

    void find(PlainRows<Real> rows, std::size_t i) {
        n = rows.count - i < K ? rows.count - i : K;
        for (std::size_t r = 0; r < K; ++r) {
            const std::size_t k = r < n ? i + r : rows.count - 1;
            const std::size_t row = rows.index != nullptr ? rows.index[k] : k;
            x[r] = rows.x + row * rows.stride;
            y[r] = r < n ? rows.y[row] : 0.0;
            if (rows.weights != nullptr) weighted[r] = y[r] * rows.weights[row];
            c[r] = 0.0;
        }
    }

    // t[r] = x_r . w + b for K rows, or for n if these are few, while the first half of the K rows
    // of `next` is asked for, if any.
    template <Ahead kAhead = Ahead::nothing>
    void dot(std::size_t cols, const double* w, double b, double* t,
             const Real* const* next = nullptr) const {
        constexpr std::size_t R = K < kRowsAtOnce ? K : kRowsAtOnce;
        if (2 * n < K) {
            for (std::size_t r = 0; r < n; ++r) {
                dot_rows<1, Beside::nothing, Ahead::nothing>(x + r, cols, w, t + r);
                t[r] += b;
            }
            return;
        }
        for (std::size_t r = 0; r < K; r += R)
            dot_rows<R, Beside::nothing, kAhead, Real>(
                x + r, cols, w, t + r, nullptr, nullptr, nullptr,
                kAhead == Ahead::nothing ? nullptr : next + r / 2);
        // So many at once as are loaded next: what was stored in parts is waited for.
        for (std::size_t r = 0; r < K; ++r) t[r] += b;
    }

    // out += sum of c[r] * x_r, while the other half is asked for.
    template <bool kFetch = false>
    void add_to(std::size_t cols, double* out, const Real* const* next = nullptr) const {
        if (n == K) return add_rows<K, kFetch>(x, cols, c, out, next);
        for (std::size_t r = 0; r < n; ++r) add_rows<1>(x + r, cols, c + r, out);
    }
};

// Whether the next function is taken into its callers is not left to the compiler, whose choice
// depends on how many these are: with 16 registers it gains 6 % of a step, with 32 it loses that.
#if defined(FASTGROK_SIMD_v4)
#define FASTGROK_STRIP [[gnu::noinline]] inline
#else
#define FASTGROK_STRIP [[gnu::always_inline]] inline
#endif

// The products of a whole strip, while the whole strip `last` is added to out and `next` asked for.
template <Ahead kAhead, std::size_t K, class Real>
FASTGROK_STRIP void dot_and_add(Strip<K, Real>& strip, std::size_t cols, const double* w, double b,
                                const Strip<K, Real>& last, double* out,
                                const Strip<K, Real>& next) {
    constexpr std::size_t R = K < kRowsAtOnce ? K : kRowsAtOnce;
    for (std::size_t r = 0; r < K; r += R)
        dot_rows<R, Beside::add, kAhead>(strip.x + r, cols, w, strip.c + r, last.x + r, last.c + r,
                                         out, next.x + r);
    for (std::size_t r = 0; r < K; ++r) strip.c[r] += b;
}

// As many columns as are read: zeros between the rows spare the incomplete register.
template <class Real>
inline std::size_t whole_columns(const PlainRows<Real>& rows) {
    const std::size_t whole = (rows.cols + kRowLanes - 1) / kRowLanes * kRowLanes;
    return rows.stride >= whole ? whole : rows.cols;
}

// out += sum over rows of c_i (x_i, 1), row after row, where weigh(first row, labels, these times
// the rows' weights, n, t) turns n values of t = x . w + b into c.
template <std::size_t K, Beside kBeside, Ahead kAhead, class Real, class Weigh>
inline void accumulate_strips(PlainRows<Real> rows, const double* u, Weigh weigh, double* out) {
    const std::size_t cols = whole_columns(rows), intercept = plain_layout(rows.cols).intercept;
    if (rows.count == 0) return;
    const double b = u[intercept];
    double sum_c = out[intercept];
    Strip<K, Real> strips[3];
    Strip<K, Real>*last = strips, *strip = strips + 1, *next = strips + 2;
    last->find(rows, 0);
    last->dot(cols, u, b, last->c);
    if (K < rows.count) strip->find(rows, K);
    for (std::size_t i = 0; i < rows.count; i += K) {
        // Long chains of operations, which end while the next products are under way.
        weigh(i, last->y, rows.weights != nullptr ? last->weighted : last->y, last->n, last->c);
        const bool more = i + K < rows.count;
        if constexpr (kBeside != Beside::nothing)
            if (more) next->find(rows, i + 2 * K < rows.count ? i + 2 * K : i + K);
        if (kBeside != Beside::nothing && more && strip->n == K) {
            dot_and_add<kAhead>(*strip, cols, u, b, *last, out, *next);
        } else {
            if (more) strip->dot(cols, u, b, strip->c);
            last->add_to(cols, out);
        }
        for (std::size_t r = 0; r < last->n; ++r) sum_c += last->c[r];
        Strip<K, Real>* const done = last;
        last = strip;
        if constexpr (kBeside != Beside::nothing) {
            strip = next;
            next = done;
        } else {
            strip = done;
            if (i + 2 * K < rows.count) strip->find(rows, i + 2 * K);
        }
    }
    out[intercept] = sum_c;
}

// The same, one strip after the other, with the next asked for on the way.
template <std::size_t K, class Real, class Weigh>
inline void accumulate_in_turns(PlainRows<Real> rows, const double* u, Weigh weigh, double* out) {
    const std::size_t cols = whole_columns(rows), intercept = plain_layout(rows.cols).intercept;
    const double b = u[intercept];
    double sum_c = out[intercept];
    Strip<K, Real> strips[2];
    Strip<K, Real>*strip = strips, *next = strips + 1;
    if (rows.count > 0) strip->find(rows, 0);
    for (std::size_t i = 0; i < rows.count; i += K) {
        next->find(rows, i + K < rows.count ? i + K : i);
        strip->template dot<Ahead::half>(cols, u, b, strip->c, next->x);
        weigh(i, strip->y, rows.weights != nullptr ? strip->weighted : strip->y, strip->n,
              strip->c);
        strip->template add_to<true>(cols, out, next->x);
        for (std::size_t r = 0; r < strip->n; ++r) sum_c += strip->c[r];
        std::swap(strip, next);
    }
    out[intercept] = sum_c;
}

// Whether the products of a strip, while the one before is added, find no room in the caches, or
// not the time: registers as long as a cache line read wide rows so fast that two strips at once
// are in each other's way.
template <class Real>
inline bool takes_turns(PlainRows<Real> rows) {
    if (rows.cols <= kNarrowRow) return false;
    const std::size_t bytes = rows.stride * sizeof(Real);
    return sizeof(Real) == sizeof(double) || bytes % kSamePlace == 0 ||
           3 * kLongStrip * bytes > kThreeStrips;
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
