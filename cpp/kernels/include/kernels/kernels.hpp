// The table of hot passes, one per instruction set. Pointers and sizes only: a kernel allocates
// nothing, starts no thread and knows neither steps nor Python.
#pragma once

#include "core/rows.hpp"
#include "kernels/losses.hpp"

namespace fastgrok {

// Of a tile of a dense product, and of a block of right sides.
inline constexpr std::size_t kMostTileEntries = 192, kSolvedCols = 32;

// Doubles that many_margins works in.
inline constexpr std::size_t kManyRoom = 3072 + 49152;

// How many passes over plain rows can be made together.
inline constexpr std::size_t kMostTogether = 4;
// A pass: `second` with these weights, or `first` where there are none.
struct RowPass {
    const double* u = nullptr;  // or v
    const double* weight = nullptr;
    Loss loss{};
    double most = 0.0, shift = 0.0;
    double* bits = nullptr;
    double* out = nullptr;
};

struct Kernels {
    const char* name;

    // Elementwise, n values.
    void (*exp)(const double* x, double* out, std::size_t n);
    void (*softplus)(const double* x, double* out, std::size_t n);
    void (*sigmoid)(const double* x, double* out, std::size_t n);
    void (*curvature)(const double* margin, double* out, std::size_t n, Loss loss);  // l''(m)

    // Slopes and curvatures of n margins in the unit of the loss. Of an exponential tail slopes to
    // full precision, times 2^shift where it is so everywhere.
    void (*coefficients)(const double* t, std::size_t n, Loss loss, double shift, double* slope,
                         double* curvature);

    // Sum of the losses of n margins in 16 lanes, times their weights unless these are null.
    double (*loss_sum)(const double* margin, const double* weight, std::size_t n, Loss loss);

    // a . b in 16 lanes.
    double (*dot)(const double* a, const double* b, std::size_t n);

    // out_j = sum over rows of c_i x_ij as if computed with twice the digits (see
    // Passes::accurate_margins); rows are `cols` long and apart.
    void (*accurate_sums)(const double* x, std::size_t rows, std::size_t cols, const double* c,
                          double* out);

    // The blocks of dense products and triangular systems (engines/dense.hpp). Every sum is added
    // in the order of its terms.
    //   tile      c_ij += sum over `count` k of a_ki b_kj for a tile of rows x cols, at most
    //             kMostTileEntries, of a matrix whose rows lie `stride` apart; a and b are packed
    //   add_rows  out_j += sum over rows of c_i x_ij; rows lie `stride` apart
    //   solve     b <- l^-1 b for a lower triangle l, n x n, and n x kSolvedCols right sides
    struct Dense {
        std::size_t rows, cols;
        void (*tile)(const double* a, const double* b, std::size_t count, double* c,
                     std::ptrdiff_t stride);
        void (*add_rows)(const double* x, std::size_t rows, std::size_t cols, std::size_t stride,
                         const double* c, double* out);
        void (*solve)(const double* l, std::size_t n, double* b);
    } dense;

    // Passes over rows. `u` holds (w, b) and `out` the result, both in the storage's Layout.
    //   margins  y_i (x_i . w + b)
    //   accurate the same as if computed with twice the digits: see Passes::accurate_margins
    //   first    sum of -l'(m_i) y_i (x_i, 1), minus the gradient of the summed loss, over the rows
    //            with m_i unit <= most <= zero_above, both of the loss; these values to `bits`
    //            unless it is null. Of a loss that takes a shift 2^shift times that, over the rows
    //            with m_i unit <= most + shift, where without the factor nothing but zeros might
    //            be left.
    //   newton   the same over all rows with m_i unit <= zero_above (+ shift), followed by the
    //            upper triangle, row by row, of the sum of l''(m_i) (x_i, 1) (x_i, 1)^T, shifted
    //            likewise
    //   second   sum of weight_i ((x_i, 1) . v) (x_i, 1), a Hessian-vector product; the rows' own
    //            weights, with which `first` and `newton` multiply each row's share, are not used
    //   drop     sum over j of |w_j| min(radius_i, |side_j - x_ij|) for `count` radii of each row;
    //            those of one row, and their results, lie `stride` apart, 16 to a block of rows
    // `first` and `second` find zeros in `out`, or of plain rows the sum over rows before these: it
    // goes on to the same bits as in one call for all of them.
    struct Packed {
        void (*margins)(PackedRows rows, const double* u, double* out);  // 16 * count values
        void (*accurate)(PackedRows rows, const double* u, double* out);
        void (*first)(PackedRows rows, const double* u, Loss loss, double most, double shift,
                      double* bits, double* out);
        void (*newton)(PackedRows rows, const double* u, Loss loss, double shift, double* bits,
                       double* out);
        void (*second)(PackedRows rows, const double* weight, const double* v, double* out);
        void (*drop)(PackedRows rows, const Retreat& retreat, const double* radius,
                     std::size_t count, std::size_t stride, double* out);
    } packed;

    // Of plain rows that follow each other, not of an index:
    //   many_margins  the margins of `count` parameter vectors, which lie one after the other, each
    //                 to the bits of `margins`; those of one begin `apart` behind the last one's.
    //                 `room` has kManyRoom doubles, at a cache line
    //   together      2 to kMostTogether passes for one reading of the rows, each to the bits of it
    //                 alone; their `out` must not overlap
    template <class Real>
    struct Plain {
        void (*margins)(PlainRows<Real> rows, const double* u, double* out);
        void (*many_margins)(PlainRows<Real> rows, const double* u, std::size_t count, double* out,
                             std::size_t apart, double* room);
        void (*accurate)(PlainRows<Real> rows, const double* u, double* out);
        void (*first)(PlainRows<Real> rows, const double* u, Loss loss, double most, double shift,
                      double* bits, double* out);
        void (*second)(PlainRows<Real> rows, const double* weight, const double* v, double* out);
        void (*together)(PlainRows<Real> rows, const RowPass* passes, std::size_t count);
        void (*drop)(PlainRows<Real> rows, const Retreat& retreat, const double* radius,
                     std::size_t count, std::size_t stride, double* out);
        // Whether lower_j <= x_ij <= upper_j throughout; what it says of NaNs means nothing.
        bool (*inside)(PlainRows<Real> rows, const double* lower, const double* upper);
    };
    Plain<double> plain64;
    Plain<float> plain32;

    // Of sparse rows, whose `first` and `second` go on from sums likewise.
    template <class Real>
    struct Sparse {
        void (*margins)(SparseRows<Real> rows, const double* u, double* out);
        void (*accurate)(SparseRows<Real> rows, const double* u, double* out);
        void (*first)(SparseRows<Real> rows, const double* u, Loss loss, double most, double shift,
                      double* bits, double* out);
        void (*second)(SparseRows<Real> rows, const double* weight, const double* v, double* out);
    };
    Sparse<double> sparse64;
    Sparse<float> sparse32;
};

// The table in use, chosen once: the best that processor and operating system support, or what the
// environment variable FASTGROK_SIMD names. Throws std::runtime_error on a name that cannot be
// used.
const Kernels& kernels();

// Names of the tables that this machine can run, best first.
const char* const* available_kernels();  // null-terminated

}  // namespace fastgrok
