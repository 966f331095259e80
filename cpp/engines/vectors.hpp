// Sums and products of vectors of parameters.
#pragma once

#include <cstddef>

#include "core/problem.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {

inline double dot(const Vector& a, const Vector& b) {
    return kernels().dot(a.data(), b.data(), a.size());
}

// a += factor b.
inline void add_multiple(Vector& a, double factor, const Vector& b) {
    for (std::size_t j = 0; j < a.size(); ++j) a[j] += factor * b[j];
}

}  // namespace fastgrok
