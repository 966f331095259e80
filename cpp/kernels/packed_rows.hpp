// Passes over packed rows: 16 lanes over the 16 rows of a block.
//
// The blocks are read once, in order, a few at a time: first the products z . u of their rows, then
// the coefficients, which need the registers for the constants of exp, and the sums over their
// rows, which need them for accumulators. In between the blocks stay in the first-level cache.
#pragma once

#include "elementary.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok::FASTGROK_SIMD_NAMESPACE {
namespace {

constexpr std::size_t kBlocksAtOnce = 8;
// Columns whose lane sums fit into the registers together.
constexpr int kColumnsAtOnce = kAccumulators / kGroups;

// z . u for one register of rows. D is the number of columns where it is known at compile time,
// else 0.
template <int D>
inline Vec dot_packed(const double* lane, std::size_t cols, const double* u) {
    Vec t = load(lane) * set1(u[0]);
    for (std::size_t j = 1; j <= (D > 0 ? D : cols); ++j)
        t = fma(load(lane + j * kLanes), set1(u[j]), t);
    return t;
}

// z . u of every row to out.
template <int D>
inline void dot_blocks(const double* block, std::size_t count, std::size_t cols, const double* u,
                       double* out) {
    if (D > 0) cols = D;
    for (std::size_t k = 0; k < count; ++k, block += kLanes * (cols + 1), out += kLanes)
        for (int g = 0; g < kGroups; ++g)
            store(out + g * kWidth, dot_packed<D>(block + g * kWidth, cols, u));
}

// lanes[j] += sum over rows of c * z_j, lane by lane, for P neighbouring columns.
template <int P>
inline void add_columns(const double* columns, std::size_t count, std::size_t stride,
                        const double* c, double* lanes) {
    Vec sum[P][kGroups];
    for (int p = 0; p < P; ++p)
        for (int g = 0; g < kGroups; ++g) sum[p][g] = load(lanes + p * kLanes + g * kWidth);
    for (std::size_t k = 0; k < count; ++k, columns += stride, c += kLanes)
        for (int g = 0; g < kGroups; ++g) {
            const Vec cg = load(c + g * kWidth);
            for (int p = 0; p < P; ++p)
                sum[p][g] = fma(cg, load(columns + p * kLanes + g * kWidth), sum[p][g]);
        }
    for (int p = 0; p < P; ++p)
        for (int g = 0; g < kGroups; ++g) store(lanes + p * kLanes + g * kWidth, sum[p][g]);
}

// The same for `width` columns in panels of at most P.
template <int P>
inline void add_panels(const double* columns, std::size_t width, std::size_t count,
                       std::size_t stride, const double* c, double* lanes) {
    for (; width >= P; width -= P, columns += P * kLanes, lanes += P * kLanes)
        add_columns<P>(columns, count, stride, c, lanes);
    if constexpr (P > 1) add_panels<P / 2>(columns, width, count, stride, c, lanes);
}

// Whether loops over a batch are joined, so that one is busy with what the other leaves idle: on
// registers of 4 numbers a step of two columns gains 7 % by that, on longer ones it loses 5 %, and
// of 16 columns 15 %.
constexpr bool kJoinLoops = kWidth < 8;

// Coefficients come from the products t = z . u in two halves, the first of which ends while other
// products are under way: weigh.begin(row, t, kept) makes of a register of them what
// weigh.end(row, ..., kept) makes the coefficients of. `row` is the register's first; there is room
// for as many numbers in `kept`. kShortEnd says that the second half is a short chain.
template <int D, class Weigh>
inline void begin_batch(const double* blocks, std::size_t count, std::size_t cols, const double* u,
                        std::size_t row, double* c, double* kept, Weigh weigh) {
    if constexpr (D > 0 || kJoinLoops) {
        // A copy stays in registers, because nothing that is stored might be taken for it.
        double few[D + 1];
        for (int j = 0; j <= D; ++j) few[j] = u[j];
        if (D > 0) cols = D;
        for (std::size_t k = 0; k < count; ++k, blocks += kLanes * (cols + 1))
            for (int g = 0; g < kGroups; ++g) {
                const std::size_t at = k * kLanes + g * kWidth;
                const Vec t = dot_packed<D>(blocks + g * kWidth, cols, D > 0 ? few : u);
                store(c + at, weigh.begin(row + at, t, kept + at));
            }
    } else {
        dot_blocks<D>(blocks, count, cols, u, c);
        for (std::size_t at = 0; at < count * kLanes; at += kWidth)
            store(c + at, weigh.begin(row + at, load(c + at), kept + at));
    }
}
template <class Weigh>
inline void end_batch(std::size_t count, std::size_t row, double* c, const double* kept,
                      Weigh weigh) {
    for (std::size_t at = 0; at < count * kLanes; at += kWidth)
        store(c + at, weigh.end(row + at, load(c + at), kept + at));
}

// lanes[j] += sum over rows of weigh.end() * z_j, lane by lane.
template <int D, class Weigh>
inline void end_and_add(const double* blocks, std::size_t count, std::size_t row, const double* c,
                        const double* kept, Weigh weigh, double* lanes) {
    for (int g = 0; g < kGroups; ++g) {
        Vec sum[D + 1];
        for (int j = 0; j <= D; ++j) sum[j] = load(lanes + j * kLanes + g * kWidth);
        const double* lane = blocks + g * kWidth;
        for (std::size_t k = 0; k < count; ++k, lane += kLanes * (D + 1)) {
            const std::size_t at = k * kLanes + g * kWidth;
            const Vec cg = weigh.end(row + at, load(c + at), kept + at);
            for (int j = 0; j <= D; ++j) sum[j] = fma(cg, load(lane + j * kLanes), sum[j]);
        }
        for (int j = 0; j <= D; ++j) store(lanes + j * kLanes + g * kWidth, sum[j]);
    }
}

// out_j = sum over rows of c * z_j, c as begin_batch describes it.
template <int D, class Weigh>
inline void accumulate_packed(PackedRows rows, const double* u, Weigh weigh, double* out) {
    const std::size_t cols = D > 0 ? D : rows.cols;
    const std::size_t stride = kLanes * (cols + 1);
    double lanes[(kMostPackedCols + 1) * kLanes];
    double c[kBlocksAtOnce * kLanes], kept[kBlocksAtOnce * kLanes];
    for (std::size_t i = 0; i < stride; ++i) lanes[i] = 0.0;
    for (std::size_t k = 0; k < rows.count; k += kBlocksAtOnce) {
        const std::size_t count = rows.count - k < kBlocksAtOnce ? rows.count - k : kBlocksAtOnce;
        const double* blocks = rows.blocks + k * stride;
        const std::size_t row = k * kLanes;
        begin_batch<D>(blocks, count, cols, u, row, c, kept, weigh);
        if constexpr (D > 0 && kJoinLoops && Weigh::kShortEnd) {
            end_and_add<D>(blocks, count, row, c, kept, weigh, lanes);
        } else {
            end_batch(count, row, c, kept, weigh);
            add_panels<kColumnsAtOnce>(blocks, cols + 1, count, stride, c, lanes);
        }
    }
    for (std::size_t j = 0; j <= cols; ++j) out[j] = add_lanes(lanes + j * kLanes);
}

// The papers live at d = 2; up to 4 columns the compiler unrolls everything.
template <class Weigh>
inline void accumulate_packed(PackedRows rows, const double* u, Weigh weigh, double* out) {
    switch (rows.cols) {
        case 1: return accumulate_packed<1>(rows, u, weigh, out);
        case 2: return accumulate_packed<2>(rows, u, weigh, out);
        case 3: return accumulate_packed<3>(rows, u, weigh, out);
        case 4: return accumulate_packed<4>(rows, u, weigh, out);
        default: return accumulate_packed<0>(rows, u, weigh, out);
    }
}

void packed_margins(PackedRows rows, const double* u, double* out) {
    dot_blocks<0>(rows.blocks, rows.count, rows.cols, u, out);
}

// -l'(m) of a batch from t = m unit, times the rows' weights unless these are null; t to `bits`
// unless it is null.
template <class L>
struct Slopes {
    static constexpr bool kHalves = requires(Vec v) { L::begin_slope(v, v); };
    static constexpr bool kShortEnd = kHalves;

    double most, shift;
    double* bits;
    const double* weights;

    Vec begin(std::size_t row, Vec t, double* kept) const {
        if (bits != nullptr) store(bits + row, t);
        if constexpr (kHalves) {
            const Fraction f = L::begin_slope(t, set1(most));
            store(kept, f.scale);
            t = f.f;
        }
        return t;
    }
    Vec end(std::size_t row, Vec t, const double* kept) const {
        if constexpr (kHalves)
            t = L::end_slope(Fraction{t, load(kept)});
        else
            t = L::slope(t, set1(most), set1(shift));
        return weights == nullptr ? t : load(weights + row) * t;
    }
};

// t_i times weight_i, n values.
inline void multiply(const double* weight, std::size_t n, double* t) {
    for (std::size_t i = 0; i < n; i += kWidth) store(t + i, load(weight + i) * load(t + i));
}

void packed_first(PackedRows rows, const double* u, Loss loss, double most, double shift,
                  double* bits, double* out) {
    with_loss(loss, [=]<class L>(L) {
        double v[kMostPackedCols + 1];
        for (std::size_t j = 0; j <= rows.cols; ++j) v[j] = u[j] * L::traits.unit;
        accumulate_packed(rows, v, Slopes<L>{most, shift, bits, rows.weights}, out);
    });
}

// Products times given weights.
struct Weights {
    static constexpr bool kShortEnd = true;

    const double* weight;

    Vec begin(std::size_t, Vec t, double*) const { return t; }
    Vec end(std::size_t row, Vec t, const double*) const { return load(weight + row) * t; }
};

void packed_second(PackedRows rows, const double* weight, const double* v, double* out) {
    accumulate_packed(rows, v, Weights{weight}, out);
}

}  // namespace
}  // namespace fastgrok::FASTGROK_SIMD_NAMESPACE
