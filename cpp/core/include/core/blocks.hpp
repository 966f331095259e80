// Storage that begins at a cache line unless it is little.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace fastgrok {

inline constexpr std::size_t kCacheLine = 64;

// Registers that straddle two cache lines are read at half the speed, which only the caches are
// fast enough to show: by 10 to 18 % of a step over 48 kB to 4 MB.
// What is little is not worth the time that it takes to find such a place.
template <class T>
struct FromCacheLine {
    using value_type = T;
    static constexpr std::size_t kLittle = 512;
    static constexpr std::align_val_t line{kCacheLine};

    FromCacheLine() = default;
    template <class U>
    FromCacheLine(const FromCacheLine<U>&) {}

    T* allocate(std::size_t n) {
        const std::size_t bytes = n * sizeof(T);
        return static_cast<T*>(bytes < kLittle ? ::operator new(bytes)
                                               : ::operator new(bytes, line));
    }
    void deallocate(T* p, std::size_t n) {
        if (n * sizeof(T) < kLittle) return ::operator delete(p);
        ::operator delete(p, line);
    }
    bool operator==(const FromCacheLine&) const = default;
};

template <class T>
using Blocks = std::vector<T, FromCacheLine<T>>;

// Parameters and sums are read beside every strip of rows.
using Vector = Blocks<double>;

}  // namespace fastgrok
