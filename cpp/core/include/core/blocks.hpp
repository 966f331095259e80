// Storage that begins at a cache line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

namespace fastgrok {

inline constexpr std::size_t kCacheLine = 64;

// Registers that straddle two cache lines are read at half the speed, which only the caches are
// fast enough to show: by 10 to 18 % of a step over 48 kB to 4 MB. Not by an aligned operator new:
// it takes longer, and with older C libraries what is freed does not serve for as much again.
template <class T>
struct FromCacheLine {
    using value_type = T;

    FromCacheLine() = default;
    template <class U>
    FromCacheLine(const FromCacheLine<U>&) {}

    // Before its beginning stands where all of it begins, at least the size of a pointer earlier.
    T* allocate(std::size_t n) {
        char* const all = static_cast<char*>(::operator new(n * sizeof(T) + kCacheLine));
        char* const begin = all + (kCacheLine - reinterpret_cast<std::uintptr_t>(all) % kCacheLine);
        std::memcpy(begin - sizeof(all), static_cast<const void*>(&all), sizeof(all));
        return reinterpret_cast<T*>(begin);
    }
    void deallocate(T* begin, std::size_t) {
        char* all;
        std::memcpy(static_cast<void*>(&all), reinterpret_cast<char*>(begin) - sizeof(all),
                    sizeof(all));
        ::operator delete(all);
    }
    bool operator==(const FromCacheLine&) const = default;
    static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= sizeof(char*));
};

template <class T>
using Blocks = std::vector<T, FromCacheLine<T>>;

// Parameters and sums are read beside every strip of rows.
using Vector = Blocks<double>;

}  // namespace fastgrok
