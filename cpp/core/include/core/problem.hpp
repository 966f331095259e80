// A data set ready for the kernels.
#pragma once

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

// Not aligned to cache lines: the kernels load unaligned. Rows that caches may hold gain from it;
// Problem copies them into Blocks.
using Vector = std::vector<double>;

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

    // Makes these rows the chunks first to end - 1 of a problem of so many; they must be those.
    void be_part(std::size_t rows, std::size_t first, std::size_t end);

    std::size_t rows() const { return rows_; }
    const Layout& layout() const { return layout_; }
    bool bias() const { return bias_; }
    bool packed() const {
        return packed_ != nullptr || (elsewhere_ != nullptr && layout_.cols <= kMostPackedCols);
    }
    const double* labels() const { return y_; }
    // Whether passes over both read the same memory, labels of rows that are not packed apart.
    bool shares_storage(const Problem& other) const {
        return x_ == other.x_ && rows_ == other.rows_ && layout_.cols == other.layout_.cols &&
               packed_ == other.packed_ && elsewhere_ == other.elsewhere_;
    }
    const Partition& partition() const { return partition_; }

    // The first row of a chunk.
    std::size_t first_row(std::size_t chunk) const;

    // The rows of one chunk, to a function object that takes PackedRows or PlainRows.
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
            use(PackedRows{block(begin), end - begin, layout_.cols});
        } else if (const auto* x64 = std::get_if<const double*>(&x_)) {
            use(plain_rows(*x64, begin, end - begin));
        } else {
            use(plain_rows(std::get<const float*>(x_), begin, end - begin));
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
            use(PlainRows<Real>{x, y_, count, layout_.cols, stride_, far_, rows});
        };
        std::visit(visit, x_);
        if (window_ != 0 && count > few_) leave(rows[0], rows[count - 1] + 1);
    }

    // The packed block number k.
    const double* block(std::size_t k) const {
        return packed_->data() + k * kLanes * (layout_.cols + 1);
    }

    // One row as the caller gave it, to a function object that takes either pointer.
    template <class Use>
    auto visit_row(std::size_t row, Use use) const {
        leave_before(row, 1);
        return std::visit([&](auto* x) { return use(x + row * stride_); }, x_);
    }

    // Neighbouring rows as the caller gave them, to a function object that takes PlainRows.
    template <class Use>
    void visit_rows(std::size_t first, std::size_t count, Use use) const {
        leave_before(first, count);
        std::visit([&](auto* x) { use(plain_rows(x, first, count)); }, x_);
    }

    // One row, copied, in the precision asked for.
    template <class Real>
    void copy_row(std::size_t row, Real* out) const {
        visit_row(row, [&](auto* from) {
            for (std::size_t j = 0; j < layout_.cols; ++j) out[j] = static_cast<Real>(from[j]);
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

    template <class Real>
    PlainRows<Real> plain_rows(const Real* x, std::size_t first, std::size_t count) const {
        return {x + first * stride_, y_ + first, count, layout_.cols, stride_, far_};
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
    std::size_t stride_;  // from row to row of x
    bool far_ = false;    // whether no cache holds x
    Partition partition_;
    std::size_t window_ = 0;  // rows, whole groups of lanes; 0: no page is ever left
    std::size_t few_ = 0;     // listed rows of a chunk whose pages may stay
    // By all problems of the same rows and labels.
    std::shared_ptr<const Blocks<double>> packed_;
    std::shared_ptr<const void> aligned_;  // where x_ points, if it is a copy
    std::shared_ptr<LazyNorms> norms_ = std::make_shared<LazyNorms>();
};

}  // namespace fastgrok
