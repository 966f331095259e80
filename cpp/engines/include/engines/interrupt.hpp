// How long work is stopped half-way.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>

namespace fastgrok {

// Thrown by an engine that was told to stop, once its team has come to rest.
struct Interrupted : std::exception {
    const char* what() const noexcept override { return "interrupted"; }
};

// Asked every so often while work is under way, by the thread that began it; true stops it. Must
// not throw. Empty: never stop.
using Ask = std::function<bool()>;

// Made by the thread that begins the work, and looked at by the whole team.
class Interrupt {
public:
    explicit Interrupt(const Ask& ask) : ask_(ask) {}

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

private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds kPeriod{50};
    static constexpr std::int64_t kStepsBetween = 256;

    const Ask& ask_;
    const std::thread::id asker_ = std::this_thread::get_id();
    Clock::time_point last_ = Clock::now();
    std::atomic<bool> due_{false};
};

}  // namespace fastgrok
