// A data set ready for the kernels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <type_traits>
#include <variant>
#include <vector>

#include "core/blocks.hpp"
#include "core/elsewhere.hpp"
#include "core/pages.hpp"
#include "core/partition.hpp"
#include "core/rows.hpp"

namespace fastgrok {

// The storage of up to 16 rows that lie one after the other: column by column, times the label, the
// label last. What is missing to 16 rows is filled with zeros. `block` has 16 * (cols + 1) entries.
template <class Real>
void pack_block(const Real* x, const double* y, std::size_t rows, std::size_t cols, double* block);

// Norms of the rows (x_i, 1), rounded up: in bits of margin a unit of distance, that is times
// log2(e).
struct RowNorms {
    Vector bits;
    double largest = 0.0;  // not in bits
};

class Problem {
public:
    static constexpr std::size_t kKeepAll = ~std::size_t{0};

    // Row-major x (float64 or float32) and labels of -1 and +1, checked by the caller, which also
    // keeps them alive. Data of at most 16 columns are copied into packed blocks, wider data only
    // where caches may hold them, not every row begins at a cache line, and `align` says that there
    // will be passes enough to repay it.
    //
    // Anything but kKeepAll says that x is mapped read-only from a file: where it has more than
    // `kept` bytes, pages are left behind whoever has visited their rows, and nothing is copied.
    // That changes no bit.
    Problem(std::variant<const double*, const float*> x, const double* y, std::size_t rows,
            std::size_t cols, bool bias, bool align = true, std::size_t kept = kKeepAll);

    // Sparse rows, their columns sorted and none twice, likewise checked and kept alive by the
    // caller. Nothing is copied.
    Problem(std::variant<const double*, const float*> x, const std::uint32_t* column,
            const std::int64_t* begin, const double* y, std::size_t rows, std::size_t cols,
            bool bias);

    // The rows of another problem, with what is known of them, under other labels (or the same).
    Problem(const Problem& rows, const double* y, bool bias);

    // The same rows, packed in other coordinates by the caller, of any number of columns. One by
    // one they are given as before. Beyond kMostPackedCols margins and Passes::newton alone serve.
    Problem(const Problem& rows, std::shared_ptr<const Blocks<double>> packed);

    // Rows that lie elsewhere: of these nothing but their number is here, and only Passes and what
    // asks through them know what to do with such a problem.
    Problem(std::shared_ptr<Elsewhere> elsewhere, std::size_t rows, std::size_t cols, bool bias);

    Elsewhere* elsewhere() const { return elsewhere_.get(); }
    // This, or copies of rows that lie elsewhere.
    const Problem& here() const { return elsewhere_ ? elsewhere_->gathered() : *this; }

    // Makes these dense rows the chunks first to end - 1 of a problem of so many; they must be
    // those.
    void be_part(std::size_t rows, std::size_t first, std::size_t end);

    // Counts each row so many times: in losses, gradients and curvatures, not in margins. Positive
    // weights, which are copied; of problems made of this one's rows, those in other coordinates
    // have them.
    void weigh(const double* weights);
    // By row, padded with zeros to whole groups of lanes, or null where all are 1.
    const double* weights() const { return weights_ ? weights_->data() : nullptr; }
    double weight(std::size_t row) const { return weights_ ? (*weights_)[row] : 1.0; }
    // Of all rows, added in the order in which Passes::evaluate adds those that are right.
    double total_weight() const { return total_weight_; }

    std::size_t rows() const { return rows_; }
    const Layout& layout() const { return layout_; }
    bool bias() const { return bias_; }
    bool packed() const {
        return packed_ != nullptr || (elsewhere_ != nullptr && layout_.cols <= kMostPackedCols);
    }
    bool sparse() const { return begin_ != nullptr && !packed(); }
    // Numbers of a row that a pass reads, on average, the label or the bias among them.
    std::size_t row_entries() const {
        return sparse() ? sparse_entries(begin_, rows_) : layout_.length;
    }
    const double* labels() const { return y_; }
    // Rows that are here, and neither packed nor sparse.
    bool plain() const { return begin_ == nullptr && elsewhere_ == nullptr && !packed(); }
    // Of a number in the rows as given.
    std::size_t entry_bytes() const {
        return std::visit([](auto* x) { return sizeof(*x); }, x_);
    }
    // What a pass over plain rows reads.
    std::size_t bytes() const { return rows_ * stride_ * entry_bytes(); }
    // Whether passes over both read the same memory, labels of rows that are not packed apart.
    bool shares_storage(const Problem& other) const {
        return x_ == other.x_ && column_ == other.column_ && begin_ == other.begin_ &&
               rows_ == other.rows_ && layout_.cols == other.layout_.cols &&
               packed_ == other.packed_ && elsewhere_ == other.elsewhere_;
    }
    const Partition& partition() const { return partition_; }

    // The first row of a chunk.
    std::size_t first_row(std::size_t chunk) const;

    // The rows of one chunk, to a function object that takes PackedRows, PlainRows or SparseRows.
    template <class Use>
    void visit_chunk(std::size_t chunk, Use use) const {
        look_at_chunk(chunk, use);
        leave_chunk(chunk);
    }

    // The same for who comes back to the chunk, and says when he leaves it.
    template <class Use>
    void look_at_chunk(std::size_t chunk, Use use) const {
        const std::size_t begin = partition_.begin(chunk), end = partition_.end(chunk);
        if (packed()) {
            use(PackedRows{block(begin), end - begin, layout_.cols, weights_from(begin * kLanes)});
        } else {
            use_rows(begin, end - begin, use);
        }
    }

    void leave_chunk(std::size_t chunk) const {
        if (window_ != 0 && !packed()) leave(first_row(chunk), first_row(chunk + 1));
    }

    // `count` rows of a chunk that are not packed, to the same.
    template <class Use>
    void visit_index(const std::uint32_t* rows, std::size_t count, Use use) const {
        const auto visit = [&](auto* x) {
            using Real = std::remove_cvref_t<decltype(*x)>;
            if (begin_ != nullptr)
                use(SparseRows<Real>{x, column_, begin_, y_, count, layout_.cols, rows, weights()});
            else
                use(PlainRows<Real>{x, y_, count, layout_.cols, stride_, far_, rows, weights()});
        };
        std::visit(visit, x_);
        if (window_ != 0 && count > few_) leave(rows[0], rows[count - 1] + 1);
    }

    // The packed block number k.
    const double* block(std::size_t k) const {
        return packed_->data() + k * kLanes * (layout_.cols + 1);
    }

    // One row as the caller gave it, to a function object that takes a pointer of either kind to
    // its entries, their number and what tells the column of each, in increasing order.
    template <class Use>
    auto visit_row(std::size_t row, Use use) const {
        if (begin_ != nullptr) {
            const auto first = static_cast<std::size_t>(begin_[row]);
            const auto n = static_cast<std::size_t>(begin_[row + 1]) - first;
            const std::uint32_t* const columns = column_ + first;
            const auto column = [columns](std::size_t k) { return std::size_t{columns[k]}; };
            return std::visit([&](auto* x) { return use(x + first, n, column); }, x_);
        }
        leave_before(row, 1);
        const auto column = [](std::size_t k) { return k; };
        return std::visit([&](auto* x) { return use(x + row * stride_, layout_.cols, column); },
                          x_);
    }

    // Neighbouring rows as the caller gave them, to a function object that takes PlainRows or
    // SparseRows.
    template <class Use>
    void visit_rows(std::size_t first, std::size_t count, Use use) const {
        leave_before(first, count);
        use_rows(first, count, use);
    }

    // One row, copied with all its zeros, in the precision asked for.
    template <class Real>
    void copy_row(std::size_t row, Real* out) const {
        if (begin_ != nullptr) std::fill_n(out, layout_.cols, Real{0});
        visit_row(row, [&](auto* from, std::size_t n, auto column) {
            for (std::size_t k = 0; k < n; ++k) out[column(k)] = static_cast<Real>(from[k]);
        });
    }

    // Found at the first call, once for all problems of the same rows.
    const RowNorms& norms(int threads) const;

    // (w, b) in this problem's layout, and back.
    Vector pack_parameters(const double* w, double b) const;
    void unpack_weights(const Vector& u, double* w) const;

private:
    struct LazyNorms {
        std::once_flag once;
        RowNorms norms;
    };

    void pack();
    template <class Real>
    void align(const Real* x);
    RowNorms find_norms(int threads) const;

    static std::size_t sparse_entries(const std::int64_t* begin, std::size_t rows) {
        return static_cast<std::size_t>(begin[rows] - begin[0]) / rows + 2;
    }

    template <class Use>
    void use_rows(std::size_t first, std::size_t count, Use& use) const {
        const auto visit = [&](auto* x) {
            using Real = std::remove_cvref_t<decltype(*x)>;
            if (begin_ != nullptr)
                use(SparseRows<Real>{x, column_, begin_ + first, y_ + first, count, layout_.cols,
                                     nullptr, weights_from(first)});
            else
                use(plain_rows(x, first, count));
        };
        std::visit(visit, x_);
    }

    template <class Real>
    PlainRows<Real> plain_rows(const Real* x, std::size_t first, std::size_t count) const {
        return {x + first * stride_, y_ + first, count, layout_.cols, stride_, far_, nullptr,
                weights_from(first)};
    }

    const double* weights_from(std::size_t row) const {
        return weights_ ? weights_->data() + row : nullptr;
    }

    // Who visits rows one by one, or few by few, leaves a window when he enters the next.
    void leave_before(std::size_t first, std::size_t count) const {
        if (window_ == 0) return;
        const std::size_t begin = (first + count - 1) / window_ * window_;
        if (begin >= first && begin > 0) leave(begin - window_, begin);
    }
    void leave(std::size_t first, std::size_t end) const {
        std::visit([&](auto* x) { leave_pages(x + first * stride_, x + end * stride_); }, x_);
    }

    std::shared_ptr<Elsewhere> elsewhere_;
    std::variant<const double*, const float*> x_;
    const double* y_;
    std::size_t rows_;
    bool bias_;
    Layout layout_;
    const std::uint32_t* column_ = nullptr;  // of sparse rows
    const std::int64_t* begin_ = nullptr;
    std::size_t stride_;  // from row to row of x
    bool far_ = false;    // whether no cache holds x
    Partition partition_;
    std::size_t window_ = 0;  // rows, whole groups of lanes; 0: no page is ever left
    std::size_t few_ = 0;     // listed rows of a chunk whose pages may stay
    std::shared_ptr<const Vector> weights_;
    double total_weight_ = static_cast<double>(rows_);
    // By all problems of the same rows and labels.
    std::shared_ptr<const Blocks<double>> packed_;
    std::shared_ptr<const void> aligned_;  // where x_ points, if it is a copy
    std::shared_ptr<LazyNorms> norms_ = std::make_shared<LazyNorms>();
};

}  // namespace fastgrok
