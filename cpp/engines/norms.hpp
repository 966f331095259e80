// Euclidean norms that neither overflow nor underflow where the squares would.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/problem.hpp"

namespace fastgrok {

// Whether a sum of squares has all its digits.
inline bool in_range_of_squares(double square) {
    return square > 1e-280 && square < 1e280;
}

// Of n values value(j), by their largest.
template <class Value>
double scaled_norm(std::size_t n, Value value) {
    double largest = 0.0;
    for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, std::fabs(value(j)));
    if (largest == 0.0 || !std::isfinite(largest)) return largest;
    const int exponent = std::ilogb(largest);
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
        const double scaled = std::scalbn(value(j), -exponent);
        sum += scaled * scaled;
    }
    return std::scalbn(std::sqrt(sum), exponent);
}

inline double norm(const double* a, std::size_t n) {
    return scaled_norm(n, [a](std::size_t j) { return a[j]; });
}

// The same from their squares where these serve.
template <class Value>
double plain_norm(std::size_t n, Value value) {
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) sum += value(j) * value(j);
    return in_range_of_squares(sum) ? std::sqrt(sum) : scaled_norm(n, value);
}

// ||x_i||.
inline double row_norm(const Problem& problem, std::size_t row) {
    return problem.visit_row(row, [](const auto* x, std::size_t n, auto) {
        return plain_norm(n, [x](std::size_t k) { return static_cast<double>(x[k]); });
    });
}

// The same from the sum of the squares where that serves. NaN stays NaN.
inline double norm(const double* a, std::size_t n, double square) {
    return in_range_of_squares(square) || square != square ? std::sqrt(square) : norm(a, n);
}

// Of (a, b). std::hypot would ask for glibc 2.35.
inline double norm(double a, double b) {
    const double both[] = {a, b};
    return norm(both, 2, a * a + b * b);
}

// The least of n numbers; NaN if one is.
inline double least_of(const double* a, std::size_t n) {
    constexpr std::size_t kAtOnce = 8;
    double least[kAtOnce];
    std::fill_n(least, kAtOnce, std::numeric_limits<double>::infinity());
    std::int64_t undefined[kAtOnce] = {};
    const auto add = [&](std::size_t i, std::size_t lane) {
        least[lane] = a[i] < least[lane] ? a[i] : least[lane];
        undefined[lane] |= std::isnan(a[i]);
    };
    std::size_t i = 0;
    for (; i + kAtOnce <= n; i += kAtOnce)
        for (std::size_t lane = 0; lane < kAtOnce; ++lane) add(i + lane, lane);
    for (; i < n; ++i) add(i, 0);
    if (std::any_of(undefined, undefined + kAtOnce, [](std::int64_t any) { return any != 0; }))
        return std::numeric_limits<double>::quiet_NaN();
    return *std::min_element(least, least + kAtOnce);
}

// ||a - b||.
inline double distance(const Vector& a, const Vector& b) {
    double sum = 0.0;
    for (std::size_t j = 0; j < a.size(); ++j) sum += (a[j] - b[j]) * (a[j] - b[j]);
    if (in_range_of_squares(sum)) return std::sqrt(sum);
    return scaled_norm(a.size(), [&](std::size_t j) { return a[j] - b[j]; });
}

}  // namespace fastgrok
