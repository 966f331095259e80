// Many runs: groups that share their rows, or single runs that leap, one after the other by the
// whole team, and then those that a thread takes each by itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "engines/leaping_descent.hpp"
#include "engines/lockstep.hpp"

namespace fastgrok {

class Ensemble {
public:
    // Of one group, as Lockstep wants them, or a run that leaps.
    using Runs = std::variant<std::vector<Descent*>, LeapingDescent*>;
    // Asked every so often, by the thread that called `run`, with the number of steps that all runs
    // together have behind them; true stops them. May throw. States and records are whole then.
    using Poll = std::function<bool(double steps)>;

    // Runs that a thread takes by itself should have been made for one thread.
    Ensemble(const std::vector<Runs>& by_team, const std::vector<Runs>& by_thread, int threads);

    // Takes every run to its end, each for itself; false if the poll said so first. An Interrupt of
    // this thread stops passes half-way, of all threads: Interrupted comes out.
    bool run(const Poll& poll, double poll_seconds);

    // Groups by team first.
    const Lockstep::Ending& ending(std::size_t group, std::size_t run) const {
        return groups_.at(group).ending(run);
    }

private:
    class Group {
    public:
        Group(const Runs& runs, int threads);
        // As Lockstep's.
        bool run(const Lockstep::Poll& poll, double poll_seconds);
        const Lockstep::Ending& ending(std::size_t run) const;
        double steps_now() const;

        std::atomic<double> steps{0.0};  // when last looked at

    private:
        std::unique_ptr<Lockstep> lockstep_;
        LeapingDescent* leaping_ = nullptr;  // or this
        Lockstep::Ending ending_;            // of a run that leaps
    };

    double steps() const;
    void run_by_thread(const Poll& poll, const std::function<void()>& poll_if_due,
                       double poll_seconds);

    std::deque<Group> groups_;
    std::size_t by_team_;
    std::vector<Descent*> runs_;
    int threads_;
    std::atomic<bool> stop_{false};
};

}  // namespace fastgrok
