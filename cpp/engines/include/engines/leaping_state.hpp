// What a run that leaps has behind it, and what it goes on from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engines/descent.hpp"
#include "engines/leap.hpp"

namespace fastgrok {

// A stretch of the run that was leaped, and what speaks for it.
struct LeapReport {
    double first = 0.0, last = 0.0;  // steps between which the integrator replaces exact steps
    int period = 1;                  // of a cycle, each round of which is a step of the map
    bool converged = false;          // nothing moves any more after `last`
    double tolerance = 0.0;          // of a step of the integrator
    LeapStatistics statistics;
    LeapCosts costs;  // of the second, coarser integration as well
    // Against exact steps, which go on beside the beginning of the leap up to this step; records up
    // to here are theirs.
    double overlap_until = 0.0, overlap_difference = 0.0;
    double error = 0.0;     // largest estimate of the error at a record
    double rounding = 0.0;  // what rounding may have to do with it, at the most
    // Exact steps from a leaped iterate: relative difference of the increments.
    struct Check {
        double step, difference;
        std::int64_t steps;
    };
    std::vector<Check> checks;
    std::string ended;  // why before the end of the run; empty if it did not
};

// Exact iterates to start a leap from, as far as they have been taken.
struct LeapStarts {
    std::int64_t last = 0;     // the last of them
    std::int64_t entered = 0;  // the step at which taking them began
    std::int64_t period = 0;   // steps in a round, 2 if no longer cycle is seen; 0: not seen yet
    std::vector<LeapStart> single, rounds;
    std::vector<LeapStart> early;  // earlier iterates, a leap is compared with them; no updates
};

// All that the rest of a run that leaps depends on besides the state of its descent and its
// records. A leap is never half done in it: it starts again from the iterates before.
struct LeapingState {
    // Taking iterates to start from; the exact steps beside the beginning of a leap; all that are
    // left.
    enum class Stage : std::int8_t { fresh = 0, gathering = 1, beside = 2, exactly = 3 };
    Stage stage = Stage::fresh;
    Regime regime = Regime::smooth;  // at the last of the starts
    std::int64_t from = 0;           // the step that the next leap starts at
    LeapStarts starts, later;
    double planned = 1.0;       // tolerance, by the errors of leaps that were lost
    double passes_spent = 0.0;  // by leaps that have ended
    double reached = 0.0;
    std::string reason;
    std::vector<LeapReport> leaps;
    // Of the descent, see there, when the last leap began.
    SharpnessState sharpness;
};

}  // namespace fastgrok
