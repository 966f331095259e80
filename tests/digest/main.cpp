// Prints a digest of the bits of what the kernels and whole runs return, a line a case, for the
// instruction set that FASTGROK_SIMD names. The output of two machines, real or emulated, can be
// compared with diff. The inputs come from integers alone, so that they are the same everywhere.
//
// Usage: digest [--threads N] [PART]...    (2 threads, all parts)
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "parts.hpp"

namespace {

using namespace fastgrok;

const struct Part {
    const char* name;
    bool (*print)(int threads);
} kParts[] = {
    {"kernels", print_kernels}, {"runs", print_runs},           {"sparse", print_sparse},
    {"pairs", print_pairs},     {"company", print_company},     {"optimizers", print_optimizers},
    {"leaps", print_leaps},     {"questions", print_questions}, {"elsewhere", print_elsewhere},
};

int print_parts(int threads, const std::vector<std::string>& asked) {
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
        if (!part.print(threads)) {
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
        int threads = 2;
        if (asked.size() >= 2 && asked[0] == "--threads") {
            threads = std::max(1, std::atoi(asked[1].c_str()));
            asked.erase(asked.begin(), asked.begin() + 2);
        }
        return print_parts(threads, asked);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "digest: %s\n", error.what());
    }
    return 1;
}
