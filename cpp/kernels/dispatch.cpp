// Chooses a table of kernels at run time. Compiled for the baseline of the architecture.
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "kernels/tables.hpp"

namespace fastgrok {

namespace {

struct Choice {
    const Kernels* table;
    bool usable;
};

constexpr std::size_t kMostChoices = 3;

// Best first. The compiler's own test reads CPUID and, through XGETBV, whether the operating system
// saves the wide registers.
std::size_t choices(Choice (&out)[kMostChoices]) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    out[0] = {&v4::table, static_cast<bool>(__builtin_cpu_supports("x86-64-v4"))};
    out[1] = {&v3::table, static_cast<bool>(__builtin_cpu_supports("x86-64-v3"))};
    out[2] = {&v2::table, static_cast<bool>(__builtin_cpu_supports("x86-64-v2"))};
    return 3;
#else
    out[0] = {&neon::table, true};
    return 1;
#endif
}

const Kernels& choose() {
    const char* const* names = available_kernels();
    if (names[0] == nullptr)
        throw std::runtime_error("fastgrok needs a processor with SSE4.2 (x86-64-v2) at least");
    Choice all[kMostChoices];
    const std::size_t n = choices(all);
    const char* forced = std::getenv("FASTGROK_SIMD");
    const std::string wanted = forced != nullptr && *forced != '\0' ? forced : names[0];
    for (std::size_t i = 0; i < n; ++i)
        if (all[i].usable && wanted == all[i].table->name) return *all[i].table;
    std::string message = "FASTGROK_SIMD=" + wanted + " cannot be used; this machine can run";
    for (; *names != nullptr; ++names) message += std::string(" ") + *names;
    throw std::runtime_error(message);
}

}  // namespace

const char* const* available_kernels() {
    static const char* names[kMostChoices + 1] = {};
    static const bool filled = [] {
        Choice all[kMostChoices];
        const std::size_t n = choices(all);
        std::size_t found = 0;
        for (std::size_t i = 0; i < n; ++i)
            if (all[i].usable) names[found++] = all[i].table->name;
        return true;
    }();
    static_cast<void>(filled);
    return names;
}

const Kernels& kernels() {
    static const Kernels& chosen = choose();
    return chosen;
}

}  // namespace fastgrok
