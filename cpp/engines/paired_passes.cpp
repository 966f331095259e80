#include "engines/paired_passes.hpp"

#include <utility>

namespace fastgrok {

PairedPasses::PairedPasses(std::function<void()> work)
    : work_(std::move(work)), thread_([this] { work_when_asked(); }) {}

PairedPasses::~PairedPasses() {
    if (is_child_of_fork()) {  // where the thread is missing
        thread_.detach();
        return;
    }
    given_up_ = true;
    give_turn(true);
    thread_.join();
}

// What was done before is seen by whose turn it is then.
void PairedPasses::give_turn(bool to_work) {
    turn_of_work_.store(to_work, std::memory_order_release);
    turn_of_work_.notify_all();
}

void PairedPasses::wait_for_turn(bool of_work) {
    const int other = !of_work;
    while (turn_of_work_.load(std::memory_order_acquire) == other)
        turn_of_work_.wait(other, std::memory_order_acquire);
}

void PairedPasses::work_when_asked() {
    borrow_team(*this);
    while (true) {
        wait_for_turn(true);
        if (given_up_) return;
        try {
            work_();
        } catch (const GivenUp&) {
            return;
        } catch (...) {
            error_ = std::current_exception();
        }
        state_ = State::ended;
        give_turn(false);
    }
}

void PairedPasses::hand_over(State state) {
    if (given_up_) throw GivenUp{};
    state_ = state;
    give_turn(false);
    wait_for_turn(true);
    if (given_up_) throw GivenUp{};
}

// Until it needs a whole pass, waits or has ended.
void PairedPasses::let_go_on() {
    while (true) {
        if (state_ == State::idle || state_ == State::ready) {
            give_turn(true);
            wait_for_turn(false);
        } else if (state_ == State::borrowing) {
            run_team(borrowed_.threads, borrowed_.work, borrowed_.context);
            state_ = State::ready;
        } else if (state_ == State::asking && !needed_.whole()) {
            give_alone();
        } else {
            return;
        }
    }
}

void PairedPasses::give_alone() {
    if (needed_.asked != nullptr)
        answer_ = needed_.by->ask_alone(*needed_.asked, needed_.answer);
    else
        needed_.by->make(needed_.pass);
    state_ = State::ready;
}

void PairedPasses::make(Passes& by, const RowPass& pass) {
    if (std::this_thread::get_id() == thread_.get_id()) {
        needed_ = {&by, pass};
        return hand_over(State::asking);
    }
    let_go_on();
    if (state_ != State::asking) return by.make(pass);
    by.make_both(pass, *needed_.by, needed_.pass);
    state_ = State::ready;
    ++together_;
}

Vector PairedPasses::ask(Passes& by, const Asked& asked, Passes::Answer answer) {
    if (std::this_thread::get_id() == thread_.get_id()) {
        needed_ = {&by, {}, &asked, answer};
        hand_over(State::asking);
        return std::move(answer_);
    }
    if (!asked.whole) return by.ask_alone(asked, answer);
    let_go_on();
    if (state_ != State::asking) return by.ask_alone(asked, answer);
    by.ask_both(asked, *needed_.by, *needed_.asked);
    state_ = State::ready;
    ++together_;
    return {};
}

void PairedPasses::finish(const std::function<void()>& between) {
    finishing_ = true;
    if (state_ == State::waiting) state_ = State::ready;
    while (state_ != State::ended) {
        let_go_on();
        if (state_ != State::asking) continue;
        give_alone();
        between();
    }
    finishing_ = false;
    state_ = State::idle;
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void PairedPasses::wait_for_finish() {
    if (!finishing_) hand_over(State::waiting);
}

void PairedPasses::run_for_other(int threads, void (*work)(const Member&, void*), void* context) {
    borrowed_ = {threads, work, context};
    hand_over(State::borrowing);
}

}  // namespace fastgrok
