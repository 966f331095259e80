// The loads, stores and multiply-adds of a step over rows and nothing else, for _limits.py: neither
// slopes nor sums across a register. Nothing of fastgrok is used here.
#include <cstdint>
#include <vector>

namespace {

using Lanes [[gnu::vector_size(64), gnu::may_alias]] = double;
constexpr std::int64_t width = 8;

Lanes& at(double* p) {
    return *reinterpret_cast<Lanes*>(p);
}
const Lanes& at(const double* p) {
    return *reinterpret_cast<const Lanes*>(p);
}

// Products of a strip of K rows with u, while the strip before is added to the sums.
template <int K>
double pass(const double* x, std::int64_t rows, std::int64_t stride, std::int64_t cols,
            const double* u, double* sums) {
    // Zeros, which a compiler must multiply with all the same: 0 times infinity is none.
    Lanes product[K] = {}, c = {};
    for (std::int64_t i = 0; i + K <= rows; i += K) {
        const double *now = x + i * stride, *last = i > 0 ? now - K * stride : now;
        for (std::int64_t j = 0; j < cols; j += width) {
            Lanes sum = at(sums + j);
            for (int r = 0; r < K; ++r) {
                product[r] += at(u + j) * at(now + r * stride + j);
                sum += c * at(last + r * stride + j);
            }
            at(sums + j) = sum;
        }
        c *= 0.5;
    }
    double out = 0.0;
    for (const Lanes& one : product) out += one[0];
    return out;
}

}  // namespace

// `count` times over rows at whole cache lines, every thread its own share; strips of 2, 3, 4 or 8.
extern "C" double bare_steps(const double* x, std::int64_t rows, std::int64_t stride,
                             std::int64_t cols, int strip, int threads, std::int64_t count) {
    const auto make = strip == 2 ? pass<2> : strip == 3 ? pass<3> : strip == 4 ? pass<4> : pass<8>;
    double total = 0.0;
#pragma omp parallel for num_threads(threads) reduction(+ : total)
    for (int t = 0; t < threads; ++t) {
        const std::int64_t first = rows * t / threads, end = rows * (t + 1) / threads;
        const auto size = static_cast<std::size_t>(2 * cols + width);
        std::vector<double> room(size, 1e-3);
        double* u = room.data();
        while (reinterpret_cast<std::uintptr_t>(u) % sizeof(Lanes) != 0) ++u;
        for (std::int64_t k = 0; k < count; ++k)
            total += make(x + first * stride, end - first, stride, cols, u, u + cols);
    }
    return total;
}
