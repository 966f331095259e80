// A team of OpenMP threads that works through many short phases without sleeping in between.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fastgrok {

// A barrier for a few threads that meet every few microseconds: it spins, and goes to sleep only
// after a long wait, as when another process has taken a core and the spinning would keep it from
// the threads that are waited for.
class SpinBarrier {
public:
    explicit SpinBarrier(int threads) : threads_(threads), missing_(threads) {}

    void wait();

private:
    const int threads_;
    alignas(64) std::atomic<int> missing_;
    alignas(64) std::atomic<std::uint32_t> generation_{0};
};

// One member's view of the team while run_team is active.
struct Member {
    int index;
    int count;
    SpinBarrier& barrier;

    void wait() const {
        if (count > 1) barrier.wait();
    }
    // This member's share [first, last) of n pieces, in order.
    std::size_t first(std::size_t n) const { return n * index / count; }
    std::size_t last(std::size_t n) const { return n * (index + 1) / count; }
};

// Calls work(const Member&) on `threads` threads at once, this one included; on fewer if OpenMP
// grants fewer, and on this one alone in a child of fork(), where the threads of the parent do not
// exist and libgomp would wait for them for ever. `work` must not throw.
void run_team(int threads, void (*work)(const Member&, void*), void* context);

template <class Work>
void run_team(int threads, Work work) {
    run_team(
        threads, [](const Member& member, void* w) { (*static_cast<Work*>(w))(member); }, &work);
}

}  // namespace fastgrok
