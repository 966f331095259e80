#include "core/team.hpp"

#include <omp.h>
#include <pthread.h>

namespace fastgrok {
namespace {

std::atomic<bool> threads_started{false};
std::atomic<bool> child_of_fork{false};

// A child inherits libgomp's idea of a pool of threads, but not the threads.
void note_fork() {
    if (threads_started.load()) child_of_fork.store(true);
}

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

void SpinBarrier::wait() {
    const std::uint32_t generation = generation_.load(std::memory_order_relaxed);
    if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        missing_.store(threads_, std::memory_order_relaxed);
        generation_.store(generation + 1, std::memory_order_release);
        generation_.notify_all();
        return;
    }
    constexpr int kSpins = 2048;  // tens of microseconds
    for (int spin = 0; spin < kSpins; ++spin) {
        if (generation_.load(std::memory_order_acquire) != generation) return;
        relax();
    }
    generation_.wait(generation, std::memory_order_acquire);
}

void run_team(int threads, void (*work)(const Member&, void*), void* context) {
    static const int registered = pthread_atfork(nullptr, nullptr, note_fork);
    static_cast<void>(registered);
    if (threads <= 1 || child_of_fork.load()) {
        SpinBarrier alone(1);
        work(Member{0, 1, alone}, context);
        return;
    }
    threads_started.store(true);
    SpinBarrier* barrier = nullptr;
#pragma omp parallel num_threads(threads)
    {
        // OpenMP may grant fewer threads than asked for, so the barrier is made inside.
#pragma omp single
        barrier = new SpinBarrier(omp_get_num_threads());
        work(Member{omp_get_thread_num(), omp_get_num_threads(), *barrier}, context);
    }
    delete barrier;
}

}  // namespace fastgrok
