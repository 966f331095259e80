#include "core/pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace fastgrok {

void leave_pages(const void* begin, const void* end) {
    static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto from = reinterpret_cast<std::uintptr_t>(begin);
    const auto first = (from + page - 1) / page * page;
    const auto last = reinterpret_cast<std::uintptr_t>(end) / page * page;
    if (first >= last) return;
    // Where the system refuses, they stay: that costs memory, and is not wrong.
    auto* const whole = const_cast<char*>(static_cast<const char*>(begin)) + (first - from);
    madvise(whole, last - first, MADV_DONTNEED);
}

void want_large_pages(void* begin, std::size_t bytes) {
#ifdef MADV_HUGEPAGE
    madvise(begin, bytes, MADV_HUGEPAGE);
#else
    (void)begin, (void)bytes;
#endif
}

}  // namespace fastgrok
