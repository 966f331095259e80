// Runs over the same rows, step by step together: every block of rows is read once a step for all
// of them, and lies in a cache when the second asks for it; dense rows are loaded once for some
// runs with the same labels and weights. Company changes no bit of a run.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <vector>

#include "engines/descent.hpp"

namespace fastgrok {

class Lockstep {
public:
    enum class Status { going, done, diverged, failed, lost };  // lost: a leap only
    struct Ending {
        Status status = Status::going;
        double seconds = 0.0;        // from the beginning of `run`
        std::exception_ptr failure;  // of a run that failed
    };
    // Asked every so often, between passes over the data; true pauses all runs. May throw: the runs
    // can then go on from their last complete steps and records. States and records are whole then.
    using Poll = std::function<bool()>;

    // The problems have the same rows and, where these are packed, the same labels.
    Lockstep(const std::vector<Descent*>& runs, int threads);

    // Goes on until every run has come to its end, each for itself, or until it is paused: false.
    bool run(const Poll& poll, double poll_seconds);

    std::size_t size() const { return runs_.size(); }
    const Ending& ending(std::size_t run) const { return runs_.at(run).ending; }
    std::int64_t steps() const;  // that all runs have behind them

private:
    struct Run {
        Descent* descent = nullptr;
        std::ptrdiff_t company = 0;  // the same of runs with the same labels and weights
        Ending ending;
        std::atomic<bool> failed{false};
        std::exception_ptr failure;
    };

    void drop_ended();
    // How many of so many steps, none of them behind what takes long.
    std::int64_t take_steps(std::int64_t rounds);
    std::int64_t take_steps_elsewhere(std::int64_t rounds);
    void pass(std::size_t chunk, std::size_t begin, std::size_t end);
    std::size_t next_company(std::size_t k, std::size_t end) const;
    void pass_block(std::size_t chunk, std::size_t first, std::size_t count, std::size_t begin,
                    std::size_t end);
    template <class Work>
    static void guarded(Run& run, Work work);

    std::vector<Run> runs_;
    std::vector<Run*> going_;
    int threads_;
    std::size_t rows_at_once_;
};

}  // namespace fastgrok
