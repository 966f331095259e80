// A team of OpenMP threads that works through many short rounds without sleeping in between.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/interrupt.hpp"

namespace fastgrok {

// Entries of the data that are worth calling threads for one pass over them: some 50 us, while the
// call takes 10, or milliseconds when another process has the core.
inline constexpr std::size_t kLeastWork = std::size_t{1} << 18;

// Where a few threads meet every few microseconds. The last one to arrive does what the round needs
// done by one thread alone; the others spin, and go to sleep only after a long wait, as when
// another process has taken a core and spinning would keep it from the threads that are waited for.
class Meeting {
public:
    explicit Meeting(int threads) : threads_(threads), missing_(threads) {}

    template <class Work>
    void arrive(Work alone) {
        if (threads_ == 1) return alone();
        const std::uint32_t round = round_.load(std::memory_order_relaxed);
        if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            alone();
            missing_.store(threads_, std::memory_order_relaxed);
            round_.store(round + 1, std::memory_order_release);
            round_.notify_all();
        } else {
            wait_for_end(round);
        }
    }

private:
    void wait_for_end(std::uint32_t round);

    const int threads_;
    alignas(64) std::atomic<int> missing_;
    alignas(64) std::atomic<std::uint32_t> round_{0};
};

// Deals n pieces of work to the members of a team: each takes its own neighbouring pieces, round
// after round the same and so from its own cache, and then what the others have not begun, so that
// a member that has lost its core holds up the round by one piece at most.
class Shares {
public:
    Shares(std::size_t pieces, int members);
    Shares(const Shares&) = delete;
    Shares& operator=(const Shares&) = delete;

    // Gives `member` a piece that nobody has taken; false if there is none left.
    bool take(int member, std::size_t& piece);

    // Before the next round, by one thread alone.
    void refill();

private:
    struct alignas(64) Share {
        std::atomic<std::size_t> next;
        std::size_t begin, end;
    };
    int members_;
    Share only_;  // of a team of one, which takes no memory: there is a deal for every pass
    std::unique_ptr<Share[]> several_;
    Share* shares_;
};

// One thread of a team.
struct Member {
    int index;
    Meeting& meeting;
};

// How many threads a team can have that is asked for this many: in a child of fork() this one
// alone, because the parent's threads do not exist there and libgomp would wait for them for ever.
int usable_threads(int threads);

// How many threads OpenMP would take here if it were not told: as OMP_NUM_THREADS said when it was
// loaded, or what omp_set_num_threads() has been called with since, as by threadpoolctl.
int default_threads();

// Calls work(const Member&) on `threads` threads at once, this one included; on fewer if OpenMP
// grants fewer (Shares deals their pieces to the others), and on this one alone in a child of
// fork(), where the threads of the parent do not exist and libgomp would wait for them for ever.
// `work` must not throw.
void run_team(int threads, void (*work)(const Member&, void*), void* context);

// Runs teams for another thread, which waits meanwhile.
class TeamOwner {
public:
    virtual void run_for_other(int threads, void (*work)(const Member&, void*), void* context) = 0;

protected:
    ~TeamOwner() = default;
};

// Whatever team this thread asks for from now on is that of the owner.
void borrow_team(TeamOwner& owner);

// Whether threads that were begun before may be missing.
bool is_child_of_fork();

template <class Work>
void run_team(int threads, Work work) {
    run_team(threads, [](const Member& me, void* w) { (*static_cast<Work*>(w))(me); }, &work);
}

// Calls work(piece, member) for all pieces, which are dealt out to a team; it must not throw. An
// Interrupt of this thread that is due between two of them leaves the others out, and Interrupted
// is thrown.
template <class Work>
void deal(std::size_t pieces, int threads, Work work) {
    Shares shares(pieces, threads);
    Interrupt* const interrupt = pieces > 1 ? Interrupt::here() : nullptr;  // one takes no time
    run_team(threads, [&](const Member& me) {
        std::size_t piece;
        while ((interrupt == nullptr || !interrupt->due()) && shares.take(me.index, piece))
            work(piece, me.index);
    });
    if (interrupt != nullptr && interrupt->was_due()) throw Interrupted();
}

}  // namespace fastgrok
