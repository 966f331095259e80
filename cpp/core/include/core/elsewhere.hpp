// Rows that lie on other machines, as whole chunks of a problem, and what these are asked.
#pragma once

#include <cstdint>

#include "core/blocks.hpp"

namespace fastgrok {

class Problem;

// What is to be said `about` each, and what comes back, stands where they are answered: at
// RowServer and LeapWork in the engines.
enum class Question : int {
    largest_norm,
    row_sizes,
    first,
    least_margin,
    evaluate,
    step,
    weigh,
    list_weights,
    second,
    leap_first,
    leap_first_listed,
    leap_learn,
    leap_keep,
    leap_list,
    leap_weigh,
    leap_second,
    leap_sum_sizes,
    leap_least,
    leap_shares,
    leap_sample,
    last = leap_sample,
};

struct Asked {
    Question what;
    Vector about;
    // Whose question it is; where an answer leaves something for later ones, under which number.
    // A machine that takes over chunks is asked all that was asked last under each number of an
    // owner again, in the order of the numbers.
    std::uint64_t owner = 0;
    int place = -1;
    // Whether it asks for sums of a pass over all rows, for one reading of which another of a pass
    // like that can be answered.
    bool whole = false;
};

class Elsewhere {
public:
    virtual ~Elsewhere() = default;

    // Numbers chunk by chunk, in the order of the chunks; of two whole passes both sums of each
    // chunk. May throw, and can be asked again then.
    virtual Vector ask(const Asked& asked, const Asked* beside = nullptr) = 0;

    // Copies of all rows, for what has to look at them one by one. The caller has made sure that
    // they are few.
    virtual const Problem& gathered() = 0;

    std::uint64_t new_owner() { return ++owners_; }
    // What was left for its questions is not needed any more.
    virtual void forget(std::uint64_t owner) noexcept = 0;

private:
    std::uint64_t owners_ = 0;
};

}  // namespace fastgrok
