#include "core/problem.hpp"

#include <algorithm>

namespace fastgrok {
namespace {

bool is_packed(std::size_t cols) {
    return cols <= kMostPackedCols;
}

template <class Real>
Vector pack(const Real* x, const double* y, std::size_t rows, std::size_t cols) {
    const std::size_t size = kLanes * (cols + 1);
    Vector out(whole_lanes(rows) / kLanes * size);
    for (std::size_t i = 0; i < rows; i += kLanes)
        pack_block(x + i * cols, y + i, std::min(rows - i, kLanes), cols,
                   out.data() + i / kLanes * size);
    return out;
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
                 std::size_t cols, bool bias)
    : x_(x),
      y_(y),
      rows_(rows),
      bias_(bias),
      layout_(is_packed(cols) ? packed_layout(cols) : plain_layout(cols)),
      partition_(is_packed(cols) ? whole_lanes(rows) / kLanes : rows, rows, cols + 1) {
    if (is_packed(cols)) packed_ = std::visit([&](auto* p) { return pack(p, y, rows, cols); }, x_);
}

std::size_t Problem::first_row(std::size_t chunk) const {
    return partition_.begin(chunk) * (packed_.empty() ? 1 : kLanes);
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
