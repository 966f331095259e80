// Many runs: groups that share their rows, one group after the other by the whole team, and then
// groups that a thread takes each by itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "engines/lockstep.hpp"

namespace fastgrok {

class Ensemble {
public:
    using Runs = std::vector<Descent*>;  // of one group, as Lockstep wants them
    // Asked every so often, by the thread that called `run`, with the number of steps that all runs
    // together have behind them; true stops them. May throw. States and records are whole then.
    using Poll = std::function<bool(std::int64_t steps)>;

    // Runs that a thread takes by itself should have been made for one thread.
    Ensemble(const std::vector<Runs>& by_team, const std::vector<Runs>& by_thread, int threads);

    // Takes every run to its end, each for itself; false if the poll said so first. `ask`, likewise
    // asked by this thread alone, stops evaluations that take long: Interrupted comes out.
    bool run(const Poll& poll, double poll_seconds, const Ask& ask);

    // Groups by team first.
    const Lockstep::Ending& ending(std::size_t group, std::size_t run) const {
        return groups_.at(group).lockstep.ending(run);
    }

private:
    struct Group {
        Group(const Runs& runs, int threads) : lockstep(runs, threads), steps(lockstep.steps()) {}
        Lockstep lockstep;
        std::atomic<std::int64_t> steps;  // when last looked at
    };

    std::int64_t steps() const;
    void run_by_thread(const Poll& poll, double poll_seconds);

    std::deque<Group> groups_;
    std::size_t by_team_;
    std::vector<Descent*> runs_;
    int threads_;
    std::atomic<bool> stop_{false};
};

}  // namespace fastgrok
