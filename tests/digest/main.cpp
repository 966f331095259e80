// Prints a digest of the bits of what the kernels and whole runs return, a line a case, for the
// instruction set that FASTGROK_SIMD names. The output of two machines, real or emulated, can be
// compared with diff. The inputs come from integers alone, so that they are the same everywhere.
//
// Usage: digest [--threads N] [--shared] [PART]...
// 2 threads if none are named, and all parts. With --shared only cases with so many rows that
// threads share them, and no kernels and plain runs.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "parts.hpp"

namespace {

using namespace fastgrok;

const struct Part {
    const char* name;
    bool (*print)(const Extent& extent);
} kParts[] = {
    {"kernels", print_kernels}, {"runs", print_runs},           {"sparse", print_sparse},
    {"pairs", print_pairs},     {"company", print_company},     {"optimizers", print_optimizers},
    {"leaps", print_leaps},     {"questions", print_questions}, {"elsewhere", print_elsewhere},
};

int print_parts(const Extent& extent, const std::vector<std::string>& asked) {
    for (const std::string& name : asked)
        if (std::none_of(std::begin(kParts), std::end(kParts),
                         [&](const Part& part) { return part.name == name; })) {
            std::fprintf(stderr, "digest: there is no part '%s'; the parts are", name.c_str());
            for (const Part& part : kParts) std::fprintf(stderr, " %s", part.name);
            std::fputs("\n", stderr);
            return 2;
        }
    bool same = true;
    for (const Part& part : kParts) {
        if (!asked.empty() && std::find(asked.begin(), asked.end(), part.name) == asked.end())
            continue;
        if (!part.print(extent)) {
            std::fprintf(stderr,
                         "digest: threads, company, pauses, or rows left out or elsewhere, "
                         "change bits of %s\n",
                         part.name);
            same = false;
        }
        std::fflush(stdout);
    }
    return same ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        std::vector<std::string> asked(argv + 1, argv + argc);
        Extent extent;
        if (asked.size() >= 2 && asked[0] == "--threads") {
            extent.threads = std::max(1, std::stoi(asked[1]));
            asked.erase(asked.begin(), asked.begin() + 2);
        }
        if (!asked.empty() && asked[0] == "--shared") {
            extent.shared = true;
            asked.erase(asked.begin());
        }
        return print_parts(extent, asked);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "digest: %s\n", error.what());
    }
    return 1;
}
