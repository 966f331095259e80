// Pages of memory.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include "core/blocks.hpp"

namespace fastgrok {

// Unmaps the whole pages in [begin, end), which must be mapped read-only from a file: they no
// longer count as memory of this process, and whoever looks at them again finds the file's
// contents.
void leave_pages(const void* begin, const void* end);

// Asks for pages of 2 MB: the first touch of an ordinary one may cost as much as the work on it,
// and a processor that reads on in advance stops at its end.
void want_large_pages(void* begin, std::size_t bytes);

// Storage, from a cache line on, of tables that are written before they are read.
template <class T>
struct InLargePages {
    using value_type = T;
    static constexpr std::size_t size = std::size_t{1} << 21;

    InLargePages() = default;
    template <class U>
    InLargePages(const InLargePages<U>&) {}

    T* allocate(std::size_t n) {
        const std::size_t bytes = n * sizeof(T);
        if (bytes < size / 4) return FromCacheLine<T>().allocate(n);
        const std::size_t whole = (bytes + size - 1) / size * size;
        void* at = ::operator new(whole, std::align_val_t{size});
        want_large_pages(at, whole);
        return static_cast<T*>(at);
    }
    void deallocate(T* p, std::size_t n) {
        if (n * sizeof(T) < size / 4) return FromCacheLine<T>().deallocate(p, n);
        ::operator delete(p, std::align_val_t{size});
    }
    // Entries are not made zero.
    template <class U>
    void construct(U* at) {
        ::new (static_cast<void*>(at)) U;
    }
    bool operator==(const InLargePages&) const = default;
};

template <class T>
using Table = std::vector<T, InLargePages<T>>;

}  // namespace fastgrok
