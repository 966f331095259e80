// Work on a thread of its own whose passes over rows are made together with those of its owner, so
// that one reading of the rows serves both.
//
// The two take turns: while one runs, the other waits, and it is the owner's thread that makes all
// passes. Neither can tell: each pass gives what it gives alone, to the last bit.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>

#include "core/team.hpp"
#include "engines/passes.hpp"

namespace fastgrok {

class PairedPasses final : private TeamOwner {
public:
    // The work is begun by the owner's first pass, and anew by that after each finish().
    // std::system_error where there is no thread to be had.
    explicit PairedPasses(std::function<void()> work);
    ~PairedPasses();  // what is under way is given up
    PairedPasses(const PairedPasses&) = delete;
    PairedPasses& operator=(const PairedPasses&) = delete;

    // Of the owner: makes a pass, together with the next one of the work if it needs one to go on.
    // Of the work: waits until that has been done.
    void make(Passes& by, const RowPass& pass);
    // The same of what is asked of rows elsewhere. Whole passes go together; all else that the work
    // asks is asked by the owner's thread as well, alone.
    Vector ask(Passes& by, const Asked& asked, Passes::Answer answer);

    // Of the owner: makes the passes that the work still needs and throws what it has thrown.
    // `between` is called after each, and may throw: then the work can only be given up.
    void finish(const std::function<void()>& between);

    // Of the work: waits until the owner has called finish().
    void wait_for_finish();

    std::int64_t together() const { return together_; }  // pairs of passes so far

private:
    enum class State { idle, ready, asking, borrowing, waiting, ended };
    // What the work needs to go on.
    struct Needed {
        Passes* by = nullptr;
        RowPass pass{};
        const Asked* asked = nullptr;  // instead
        Passes::Answer answer{};

        bool whole() const { return asked == nullptr || asked->whole; }
    };
    struct GivenUp {};

    void work_when_asked();
    void give_turn(bool to_work);
    void wait_for_turn(bool of_work);
    void hand_over(State state);
    void let_go_on();
    void give_alone();
    void run_for_other(int threads, void (*work)(const Member&, void*), void* context) override;

    std::function<void()> work_;
    State state_ = State::idle;
    bool finishing_ = false, given_up_ = false;
    std::int64_t together_ = 0;
    std::exception_ptr error_;
    Needed needed_;
    Vector answer_;  // to the question
    struct Borrowed {
        int threads = 1;
        void (*work)(const Member&, void*) = nullptr;
        void* context = nullptr;
    } borrowed_;
    // Not a condition variable, whose end in a child of fork() would wait for a missing thread.
    std::atomic<int> turn_of_work_{0};
    std::thread thread_;  // of the work
};

}  // namespace fastgrok
