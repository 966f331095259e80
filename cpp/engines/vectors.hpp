// Sums and products of vectors of parameters.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>

#include "core/problem.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {

inline constexpr double kEps = std::numeric_limits<double>::epsilon();

inline double dot(const Vector& a, const Vector& b) {
    return kernels().dot(a.data(), b.data(), a.size());
}

// a += factor b.
inline void add_multiple(Vector& a, double factor, const Vector& b) {
    for (std::size_t j = 0; j < a.size(); ++j) a[j] += factor * b[j];
}

// Of n numbers; == does not see the sign of zeros.
inline bool same_bits(const double* a, const double* b, std::size_t n) {
    return n == 0 || std::memcmp(a, b, n * sizeof(double)) == 0;
}

// Steps of an irrational length that are spread evenly over [0, 1), the same in every run.
struct Spread {
    static constexpr double kGolden = 0.6180339887498949, kSilver = 0.41421356237309515;

    double step = kGolden, at = 0.0;

    double next() {
        at += step;
        at -= std::floor(at);
        return at;
    }
};

}  // namespace fastgrok
