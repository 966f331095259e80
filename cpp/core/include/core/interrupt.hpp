// How long work is stopped half-way.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>
#include <utility>

namespace fastgrok {

// Thrown by an engine that was told to stop, once its team has come to rest.
struct Interrupted : std::exception {
    const char* what() const noexcept override { return "interrupted"; }
};

// Asked every so often while work is under way, by the thread that began it; true stops it. Must
// not throw. Empty: never stop.
using Ask = std::function<bool()>;

// Made by the thread that begins the work, and looked at by the whole team. While it lives, what
// that thread deals out to a team (core/team.hpp) looks at it, too, and so need not be handed it.
class Interrupt {
public:
    explicit Interrupt(Ask ask) : ask_(std::move(ask)), outer_(std::exchange(of_thread(), this)) {}
    ~Interrupt() { of_thread() = outer_; }
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    // That of this thread, or null.
    static Interrupt* here() { return of_thread(); }

    // Whether to give up. Cheap: to be called every few microseconds.
    bool due() {
        if (ask_ && std::this_thread::get_id() == asker_ && Clock::now() - last_ >= kPeriod) {
            last_ = Clock::now();
            if (ask_()) due_.store(true, std::memory_order_relaxed);
        }
        return due_.load(std::memory_order_relaxed);
    }

    // The same in step k of a loop whose steps are too short to look every time.
    bool due(std::int64_t k) { return k % kStepsBetween == kStepsBetween - 1 && due(); }

    // Whether it was due when it was last looked at.
    bool was_due() const { return due_.load(std::memory_order_relaxed); }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds kPeriod{50};
    static constexpr std::int64_t kStepsBetween = 256;

    static Interrupt*& of_thread() {
        static thread_local Interrupt* here = nullptr;
        return here;
    }

    const Ask ask_;
    Interrupt* const outer_;
    const std::thread::id asker_ = std::this_thread::get_id();
    Clock::time_point last_ = Clock::now();
    std::atomic<bool> due_{false};
};

// For one thread alone: throws Interrupted where that of this thread is due.
inline void stop_if_due() {
    if (Interrupt* const here = Interrupt::here(); here != nullptr && here->due())
        throw Interrupted();
}

// The same in step k of a loop whose steps are too short to look every time.
inline void stop_if_due(std::size_t k) {
    if (Interrupt* const here = Interrupt::here();
        here != nullptr && here->due(static_cast<std::int64_t>(k)))
        throw Interrupted();
}

}  // namespace fastgrok
