#include "engines/cube_points.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace fastgrok {
namespace {

// In any order: there are no rounding errors. Sums side by side are for the compiler to vectorise.
double sum(const double* x, std::size_t n) {
    constexpr std::size_t kSums = 16;
    double total = 0.0;
    std::size_t j = 0;
    if (n >= kSums) {
        double sums[kSums] = {};
        for (; j + kSums <= n; j += kSums)
            for (std::size_t k = 0; k < kSums; ++k) sums[k] += x[j + k];
        for (const double each : sums) total += each;
    }
    for (; j < n; ++j) total += x[j];
    return total;
}

std::int64_t negative_signs(const double* x, std::size_t n) {
    std::uint64_t count = 0;
    for (std::size_t j = 0; j < n; ++j) count += std::bit_cast<std::uint64_t>(x[j]) >> 63;
    return static_cast<std::int64_t>(count);
}

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) {
    return a / b + static_cast<std::int64_t>(a % b > 0);
}

template <class Real>
void scale(const double* x, std::size_t n, double factor, Real* out) {
    for (std::size_t j = 0; j < n; ++j) out[j] = static_cast<Real>(x[j] * factor);
}

}  // namespace

template <class Real>
std::size_t keep_beyond(const Proposals& proposals, double low, double side,
                        const Points<Real>& points) {
    const std::size_t n = proposals.cols;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < proposals.rows && kept < points.capacity; ++i) {
        const double* x = proposals.x + i * n;
        const double total = sum(x, n);
        if (std::abs(total) < low) continue;
        // A reflected point keeps the law and halves the work.
        scale(x, n, side * std::copysign(points.step, total), points.x + kept++ * n);
    }
    return kept;
}

template <class Real>
std::size_t keep_between(const Proposals& proposals, const Choices& choices, const SignLaw& law,
                         std::int64_t half, const Points<Real>& points, std::int64_t* excess) {
    const std::size_t cols = proposals.cols;
    const auto n = static_cast<std::int64_t>(cols);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < proposals.rows && kept < points.capacity; ++i) {
        const double* x = proposals.x + i * cols;
        const double u = choices.chances[i];
        const std::int64_t positive = n - negative_signs(x, cols);
        // What the last coordinate is, if as many signs are positive as negative.
        const std::int64_t rest =
            choices.sums[i] - static_cast<std::int64_t>(sum(x, cols)) + half * (2 * positive - n);
        const std::int64_t k = ceil_divide(rest + half * (n - 2), 2 * half);
        const auto entry = static_cast<std::size_t>(std::clamp<std::int64_t>(k, -2, n + 1) + 2);
        if (u >= law.pair[entry]) continue;
        const std::int64_t wanted = k + static_cast<std::int64_t>(u >= law.first[entry]);
        Real* out = points.x + kept * (cols + 1);
        scale(x, cols, points.step, out);
        out[cols] =
            static_cast<Real>(static_cast<double>(rest - half * (2 * wanted - n)) * points.step);
        excess[kept++] = positive - wanted;
    }
    return kept;
}

template <class Real>
void turn_signs(const SignsInExcess<Real>& signs, const double* drawn, std::size_t picks) {
    const double others = static_cast<double>(signs.cols - 1);
    const auto picked = [&](double u) { return static_cast<std::size_t>(u * others); };
    std::vector<std::size_t> last(signs.cols);  // the number of the last pick of a coordinate
    for (std::size_t i = 0; i < signs.count; ++i, drawn += picks) {
        Real* x = signs.x + static_cast<std::size_t>(signs.rows[i]) * signs.cols;
        for (std::size_t k = 0; k < picks; ++k) last[picked(drawn[k])] = k;
        const bool negative = signs.excess[i] < 0;
        const Real move = negative ? signs.width : -signs.width;
        std::int64_t left = std::abs(signs.excess[i]);
        for (std::size_t k = 0; k < picks; ++k) {
            Real& here = x[picked(drawn[k])];
            // No branches: which way they go, nobody could guess.
            const bool turned = static_cast<int>(last[picked(drawn[k])] == k) &
                                static_cast<int>(std::signbit(here) == negative) &
                                static_cast<int>(left > 0);
            const Real there = here + move;
            here = turned ? there : here;
            left -= turned;
        }
        signs.excess[i] = negative ? -left : left;
    }
}

template std::size_t keep_beyond(const Proposals&, double, double, const Points<double>&);
template std::size_t keep_beyond(const Proposals&, double, double, const Points<float>&);
template std::size_t keep_between(const Proposals&, const Choices&, const SignLaw&, std::int64_t,
                                  const Points<double>&, std::int64_t*);
template std::size_t keep_between(const Proposals&, const Choices&, const SignLaw&, std::int64_t,
                                  const Points<float>&, std::int64_t*);
template void turn_signs(const SignsInExcess<double>&, const double*, std::size_t);
template void turn_signs(const SignsInExcess<float>&, const double*, std::size_t);

}  // namespace fastgrok
