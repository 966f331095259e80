#include "core/problem.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/interrupt.hpp"
#include "core/layout.hpp"
#include "core/team.hpp"

namespace fastgrok {
namespace {

constexpr std::size_t kCached = std::size_t{1} << 22;  // copied to be aligned
constexpr std::size_t kFar = std::size_t{1} << 24;     // beyond the caches
// Entries of a chunk of sparse rows for each column, of which its sums have one each: those take
// little of the time and of the memory then.
constexpr std::size_t kSparseWork = 8;

// From row to row of a copy: whole cache lines, but not a multiple of 1 kB, because rows that are
// taken together would contend for the same places of a cache.
template <class Real>
std::size_t stride_of_copy(std::size_t cols) {
    constexpr std::size_t kLine = kCacheLine / sizeof(Real), kContending = 16;
    const std::size_t lines = (cols + kLine - 1) / kLine;
    return (lines % kContending == 0 ? lines + 1 : lines) * kLine;
}

// What is left at a time, if so much is kept: far more than a call to the system costs.
constexpr std::size_t kWindow = std::size_t{1} << 24;
// Systems map the neighbours of a page that is read together with it.
constexpr std::size_t kAround = std::size_t{1} << 16;

bool is_packed(std::size_t cols) {
    return cols <= kMostPackedCols;
}

// The norm of (x, 1). 16 sums that a compiler can keep in registers.
template <class Real>
double row_norm(const Real* x, std::size_t cols) {
    double lanes[kLanes] = {1.0};
    std::size_t j = 0;
    for (; j + kLanes <= cols; j += kLanes)
        for (std::size_t k = 0; k < kLanes; ++k) {
            const double value = static_cast<double>(x[j + k]);
            lanes[k] += value * value;
        }
    for (; j < cols; ++j) lanes[0] += static_cast<double>(x[j]) * static_cast<double>(x[j]);
    double sum = 0.0;
    for (double lane : lanes) sum += lane;
    return std::sqrt(sum);
}

}  // namespace

template <class Real>
void pack_block(const Real* x, const double* y, std::size_t rows, std::size_t cols, double* block) {
    std::fill(block, block + kLanes * (cols + 1), 0.0);
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < cols; ++j)
            block[j * kLanes + i] = y[i] * static_cast<double>(x[i * cols + j]);
        block[cols * kLanes + i] = y[i];
    }
}

template void pack_block(const double*, const double*, std::size_t, std::size_t, double*);
template void pack_block(const float*, const double*, std::size_t, std::size_t, double*);

Problem::Problem(std::variant<const double*, const float*> x, const double* y, std::size_t rows,
                 std::size_t cols, bool bias, bool align, std::size_t kept)
    : x_(x),
      y_(y),
      rows_(rows),
      bias_(bias),
      layout_(layout_of(cols)),
      stride_(cols),
      partition_(is_packed(cols) ? whole_lanes(rows) / kLanes : rows, rows, cols + 1) {
    const std::size_t row = cols * std::visit([](auto* first) { return sizeof(*first); }, x_);
    far_ = kFar / row < rows;
    if (kept / row < rows) {
        window_ = whole_lanes(std::min(kept, kWindow) / row + 1);
        few_ = kept / partition_.count() / (row + kAround);
    }
    pack();
    if (align && window_ == 0 && !packed())
        std::visit([this](auto* given) { this->align(given); }, x_);
}

Problem::Problem(std::variant<const double*, const float*> x, const std::uint32_t* column,
                 const std::int64_t* begin, const double* y, std::size_t rows, std::size_t cols,
                 bool bias)
    : x_(x),
      y_(y),
      rows_(rows),
      bias_(bias),
      layout_(layout_of(cols)),
      column_(column),
      begin_(begin),
      stride_(cols),
      partition_(rows, rows, sparse_entries(begin, rows), kSparseWork * layout_.length) {}

Problem::Problem(std::shared_ptr<Elsewhere> elsewhere, std::size_t rows, std::size_t cols,
                 bool bias)
    : elsewhere_(std::move(elsewhere)),
      y_(nullptr),
      rows_(rows),
      bias_(bias),
      layout_(layout_of(cols)),
      stride_(cols),
      partition_(is_packed(cols) ? whole_lanes(rows) / kLanes : rows, rows, cols + 1) {}

void Problem::be_part(std::size_t rows, std::size_t first, std::size_t end) {
    const std::size_t cols = layout_.cols;
    partition_ =
        Partition(packed() ? whole_lanes(rows) / kLanes : rows, rows, cols + 1).part(first, end);
    const std::size_t row = cols * std::visit([](auto* x) { return sizeof(*x); }, x_);
    far_ = kFar / row < rows;  // by which kernels go about it
}

template <class Real>
void Problem::align(const Real* x) {
    const std::size_t cols = layout_.cols, stride = stride_of_copy<Real>(cols);
    const bool aligned = reinterpret_cast<std::uintptr_t>(x) % kCacheLine == 0;
    if (rows_ * cols * sizeof(Real) > kCached || (aligned && stride == cols)) return;
    const auto copy = std::make_shared<Table<Real>>(rows_ * stride);
    for (std::size_t i = 0; i < rows_; ++i) {
        Real* const end = std::copy_n(x + i * cols, cols, copy->data() + i * stride);
        std::fill_n(end, stride - cols, Real(0));
    }
    x_ = static_cast<const Real*>(copy->data());
    stride_ = stride;
    aligned_ = copy;
}

Problem::Problem(const Problem& rows, const double* y, bool bias) : Problem(rows) {
    y_ = y;
    bias_ = bias;
    weights_ = nullptr;
    total_weight_ = static_cast<double>(rows_);
    if (y != rows.y_) pack();
}

Problem::Problem(const Problem& rows, std::shared_ptr<const Blocks<double>> packed)
    : Problem(rows) {
    const std::size_t cols = layout_.cols;
    layout_ = packed_layout(cols);
    partition_ = Partition(whole_lanes(rows_) / kLanes, rows_, cols + 1);
    packed_ = std::move(packed);
}

void Problem::pack() {
    const std::size_t cols = layout_.cols, size = kLanes * (cols + 1);
    if (begin_ != nullptr || !is_packed(cols)) return;
    auto packed = std::make_shared<Blocks<double>>(whole_lanes(rows_) / kLanes * size);
    for (std::size_t i = 0; i < rows_; i += kLanes) {
        stop_if_due(i / kLanes);
        leave_before(i, 1);
        const auto pack = [&](auto* x) {
            pack_block(x + i * stride_, y_ + i, std::min(rows_ - i, kLanes), cols,
                       packed->data() + i / kLanes * size);
        };
        std::visit(pack, x_);
    }
    packed_ = std::move(packed);
}

void Problem::weigh(const double* weights) {
    auto padded = std::make_shared<Vector>(whole_lanes(rows_), 0.0);
    std::copy(weights, weights + rows_, padded->begin());
    total_weight_ = 0.0;
    for (std::size_t c = 0; c < partition_.count(); ++c) {
        double sum = 0.0;
        for (std::size_t i = first_row(c); i < std::min(first_row(c + 1), rows_); ++i)
            sum += weights[i];
        total_weight_ += sum;
    }
    weights_ = std::move(padded);
}

std::size_t Problem::first_row(std::size_t chunk) const {
    return partition_.begin(chunk) * (packed() ? kLanes : 1);
}

const RowNorms& Problem::norms(int threads) const {
    std::call_once(norms_->once, [&] { norms_->norms = find_norms(threads); });
    return norms_->norms;
}

RowNorms Problem::find_norms(int threads) const {
    RowNorms norms;
    if (elsewhere_) {  // of which the largest alone is told
        for (const double largest : elsewhere_->ask({Question::largest_norm, {}}))
            norms.largest = std::max(norms.largest, largest);
        return norms;
    }
    norms.bits.resize(rows_);
    deal(partition_.count(), threads, [&](std::size_t c, int) {
        const std::size_t end = std::min(first_row(c + 1), rows_);
        for (std::size_t i = first_row(c); i < end; ++i)
            norms.bits[i] =
                visit_row(i, [](auto* x, std::size_t n, auto) { return row_norm(x, n); });
        leave_chunk(c);
    });
    const double up =
        1.0 + static_cast<double>(layout_.cols + 32) * std::numeric_limits<double>::epsilon();
    for (double& x : norms.bits) x *= up;
    norms.largest = *std::max_element(norms.bits.begin(), norms.bits.end());
    for (double& x : norms.bits) x *= kLog2E * up;
    return norms;
}

Vector Problem::pack_parameters(const double* w, double b) const {
    Vector u(layout_.length, 0.0);
    std::copy(w, w + layout_.cols, u.begin());
    u[layout_.intercept] = b;
    return u;
}

void Problem::unpack_weights(const Vector& u, double* w) const {
    std::copy(u.begin(), u.begin() + static_cast<std::ptrdiff_t>(layout_.cols), w);
}

}  // namespace fastgrok
