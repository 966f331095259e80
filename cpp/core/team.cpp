#include "core/team.hpp"

#include <omp.h>
#include <pthread.h>

#include <algorithm>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace fastgrok {
namespace {

// The thread sanitizer does not see how libgomp's threads wait for each other, and is told: what
// was done before handing_over(&x) is seen after taking_over(&x).
#if defined(__SANITIZE_THREAD__)
void handing_over(char* x) {
    __tsan_release(x);
}
void taking_over(char* x) {
    __tsan_acquire(x);
}
#else
void handing_over(char*) {}
void taking_over(char*) {}
#endif

std::atomic<bool> child_of_fork{false};
thread_local TeamOwner* lender = nullptr;

// Registered when the module is loaded, whoever uses OpenMP in the parent: libgomp is shared.
[[maybe_unused]] const int registered =
    pthread_atfork(nullptr, nullptr, [] { child_of_fork.store(true); });

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

void Meeting::wait_for_end(std::uint32_t round) {
    constexpr int kSpins = 1 << 15;  // about half a millisecond
    for (int spin = 0; spin < kSpins; ++spin) {
        if (round_.load(std::memory_order_acquire) != round) return;
        relax();
    }
    round_.wait(round, std::memory_order_acquire);
}

Shares::Shares(std::size_t pieces, int members)
    : members_(members),
      several_(members > 1 ? std::make_unique<Share[]>(static_cast<std::size_t>(members))
                           : nullptr),
      shares_(members > 1 ? several_.get() : &only_) {
    const auto count = static_cast<std::size_t>(members);
    for (std::size_t i = 0; i < count; ++i) {
        shares_[i].begin = pieces * i / count;
        shares_[i].end = pieces * (i + 1) / count;
    }
    refill();
}

bool Shares::take(int member, std::size_t& piece) {
    for (int k = 0; k < members_; ++k) {
        Share& share = shares_[static_cast<std::size_t>((member + k) % members_)];
        piece = share.next.load(std::memory_order_relaxed);
        if (piece >= share.end) continue;
        if (members_ == 1) {  // nobody else to agree with
            share.next.store(piece + 1, std::memory_order_relaxed);
            return true;
        }
        piece = share.next.fetch_add(1, std::memory_order_relaxed);
        if (piece < share.end) return true;
    }
    return false;
}

void Shares::refill() {
    for (int i = 0; i < members_; ++i) {
        Share& share = shares_[static_cast<std::size_t>(i)];
        share.next.store(share.begin, std::memory_order_relaxed);
    }
}

void borrow_team(TeamOwner& owner) {
    lender = &owner;
}

bool is_child_of_fork() {
    return child_of_fork.load();
}

int usable_threads(int threads) {
    if (threads <= 1 || child_of_fork.load()) return 1;
    return std::min(threads, omp_get_thread_limit());
}

int default_threads() {
    return usable_threads(omp_get_max_threads());
}

// Not looked at itself: what it shares lies on its stack, written after the last word to the
// sanitizer.
[[gnu::no_sanitize("thread")]] void run_team(int threads, void (*work)(const Member&, void*),
                                             void* context) {
    threads = usable_threads(threads);
    if (threads > 1 && lender != nullptr) return lender->run_for_other(threads, work, context);
    if (threads == 1) {
        Meeting alone(1);
        work(Member{0, alone}, context);
        return;
    }
    std::unique_ptr<Meeting> meeting;
    char begun = 0, met = 0, ended = 0;  // addresses for the sanitizer
    handing_over(&begun);
#pragma omp parallel num_threads(threads)
    {
        taking_over(&begun);
#pragma omp single
        {
            meeting = std::make_unique<Meeting>(omp_get_num_threads());
            handing_over(&met);
        }
        taking_over(&met);
        work(Member{omp_get_thread_num(), *meeting}, context);
        handing_over(&ended);
    }
    taking_over(&ended);
}

}  // namespace fastgrok
