// Cycles of a descent: of which period its iterates settle, and where their bits recur.
//
// Where a step depends on nothing but the state before it and that state recurs to the last bit, so
// do all later ones: the cycle is closed, and whole rounds of it need not be walked. A cycle that
// only settles is told by two projections of the last iterates, kept while updates turn back.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "engines/stepper.hpp"

namespace fastgrok {

struct CyclesState {
    Vector history;           // projections of the last iterates, two by two, the oldest first
    std::int64_t since = 0;   // from this step on the iterates recur
    std::int64_t length = 0;  // every so many steps; 0: not known to
    std::int64_t skipped = 0;
    Vector anchor;  // an iterate that later ones are compared with, and all else beside it
    std::int64_t anchored = 0, next_anchor = 0;  // its step, and that of the next
};

class Cycles {
public:
    // Periods that are told of cycles that settle.
    static constexpr int kMostPeriod = 64;

    // `autonomous`: whether steps depend on the state alone and not on their number.
    // Of so many parameters, and vectors that the stepper remembers.
    Cycles(std::size_t parameters, std::size_t moments, bool autonomous);

    // A step has led to u, with what the next one depends on besides.
    void add(std::int64_t step, const Vector& u, double largest, const StepperState& memory,
             bool turning) {
        if (turning || seen_ > 0) remember(u, turning);
        if (!autonomous_ || length_ > 0) return;
        if (step >= next_anchor_ || bits_of(anchor_[0]) == bits_of(u[0]))
            compare(step, u, largest, memory);
    }

    // Of the cycle that the last iterates have settled on, 2 or more; 0 if there is none.
    int period() const;

    // Whether updates that each reverse the one before make an orbit of period 2, or lead from one
    // side to the other of what they approach or leave, rather than to an irregular motion.
    bool alternates() const;

    bool closed() const { return length_ > 0; }
    std::int64_t since() const { return since_; }
    std::int64_t length() const { return length_; }
    // Of the next steps, at most so many, those that lead back to where they begin, with all that
    // is remembered of steps before: they need not be taken.
    std::int64_t skip_rounds(std::int64_t step, std::int64_t most);
    bool may_skip(std::int64_t step, std::int64_t most) const;
    std::int64_t skipped() const { return skipped_; }  // so far

    CyclesState state() const;
    void restore(const CyclesState& state);  // std::invalid_argument

private:
    static constexpr int kHistory = 256;

    static std::uint64_t bits_of(double x) { return std::bit_cast<std::uint64_t>(x); }

    void remember(const Vector& u, bool turning);
    void compare(std::int64_t step, const Vector& u, double largest, const StepperState& memory);
    const double* back(int steps) const;  // the projections of the iterate so many steps ago
    double spread() const;
    double apart(int period, int newest, int oldest) const;

    std::size_t state_size_;
    bool autonomous_;
    Vector first_, second_;  // directions of the projections
    Vector ring_;
    int seen_ = 0, next_ = 0;

    Vector anchor_;
    std::int64_t anchored_ = 0, next_anchor_ = 0, since_ = 0, length_ = 0, skipped_ = 0;
};

}  // namespace fastgrok
