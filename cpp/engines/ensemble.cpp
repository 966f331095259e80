#include "engines/ensemble.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

namespace fastgrok {

Ensemble::Group::Group(const Runs& runs, int threads) {
    if (const auto* together = std::get_if<std::vector<Descent*>>(&runs))
        lockstep_ = std::make_unique<Lockstep>(*together, threads);
    else
        leaping_ = std::get<LeapingDescent*>(runs);
    steps = steps_now();
}

double Ensemble::Group::steps_now() const {
    return lockstep_ ? static_cast<double>(lockstep_->steps()) : leaping_->reached();
}

const Lockstep::Ending& Ensemble::Group::ending(std::size_t run) const {
    if (lockstep_) return lockstep_->ending(run);
    if (run > 0) throw std::out_of_range("a run that leaps is alone");
    return ending_;
}

bool Ensemble::Group::run(const Lockstep::Poll& poll, double poll_seconds) {
    if (lockstep_) return lockstep_->run(poll, poll_seconds);
    const auto began = std::chrono::steady_clock::now();
    bool polling = false;
    const auto ask = [&](double) {
        polling = true;
        if (poll()) throw Interrupted();
        polling = false;
    };
    try {
        switch (leaping_->run(ask, poll_seconds)) {
            case LeapingDescent::Status::done: ending_.status = Lockstep::Status::done; break;
            case LeapingDescent::Status::lost: ending_.status = Lockstep::Status::lost; break;
            default: ending_.status = Lockstep::Status::diverged;
        }
    } catch (const Interrupted&) {
        return false;
    } catch (...) {
        if (polling) throw;
        ending_.status = Lockstep::Status::failed;
        ending_.failure = std::current_exception();
    }
    ending_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return true;
}

Ensemble::Ensemble(const std::vector<Runs>& by_team, const std::vector<Runs>& by_thread,
                   int threads)
    : by_team_(by_team.size()), threads_(threads) {
    const auto add = [&](const Runs& runs, int team) {
        groups_.emplace_back(runs, team);
        if (const auto* together = std::get_if<std::vector<Descent*>>(&runs))
            runs_.insert(runs_.end(), together->begin(), together->end());
        else
            runs_.push_back(&std::get<LeapingDescent*>(runs)->descent());
    };
    for (const Runs& runs : by_team) add(runs, threads);
    for (const Runs& runs : by_thread) add(runs, 1);
}

double Ensemble::steps() const {
    double sum = 0.0;
    for (const Group& group : groups_) sum += group.steps;
    return sum;
}

bool Ensemble::run(const Poll& asked, double poll_seconds) {
    using Clock = std::chrono::steady_clock;
    Clock::time_point last_poll = Clock::now();
    const Poll poll = [&](double steps) {
        const bool stop = asked(steps);
        last_poll = Clock::now();
        return stop;
    };
    // After a group, which does not ask before it has lasted as long itself.
    const auto poll_if_due = [&] {
        const std::chrono::duration<double> since = Clock::now() - last_poll;
        if (!stop_ && since.count() >= poll_seconds && poll(steps())) stop_ = true;
    };
    Interrupt* const outer = Interrupt::here();
    bool told = false;  // by that
    stop_ = false;
    const Interrupt interrupt([&] {
        if (!stop_) stop_ = told = outer != nullptr && outer->due();
        return stop_.load();
    });
    try {
        for (std::size_t k = 0; k < by_team_ && !stop_; ++k) {
            Group& group = groups_[k];
            const auto look = [&] {
                group.steps = group.steps_now();
                return poll(steps());
            };
            if (!group.run(look, poll_seconds)) stop_ = true;
            group.steps = group.steps_now();
            poll_if_due();
        }
        if (!stop_ && by_team_ < groups_.size()) run_by_thread(poll, poll_if_due, poll_seconds);
    } catch (const Interrupted&) {
        if (!told) throw;
    }
    if (told) throw Interrupted();
    return !stop_;
}

void Ensemble::run_by_thread(const Poll& poll, const std::function<void()>& poll_if_due,
                             double poll_seconds) {
    const std::thread::id caller = std::this_thread::get_id();
    const std::size_t count = groups_.size() - by_team_;
    std::atomic<std::size_t> next{by_team_};
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t left = count;
    std::exception_ptr failure;

    const auto run_groups = [&](bool asked) {
        for (std::size_t k; !stop_ && (k = next.fetch_add(1)) < groups_.size();) {
            Group& group = groups_[k];
            const auto look = [&] {
                group.steps = group.steps_now();
                if (asked && poll(steps())) stop_ = true;
                return stop_.load();
            };
            group.run(look, asked ? poll_seconds : 0.0);
            group.steps = group.steps_now();
            if (asked) poll_if_due();
            const std::lock_guard lock(mutex);
            --left;
            changed.notify_one();
        }
    };
    // The caller alone hears of signals: it does not leave before the last group has ended.
    const auto wait_for_others = [&] {
        const std::chrono::duration<double> pause(poll_seconds);
        std::unique_lock lock(mutex);
        while (!changed.wait_for(lock, pause, [&] { return left == 0 || stop_; })) {
            lock.unlock();
            if (poll(steps())) stop_ = true;
            lock.lock();
        }
    };
    const int threads = static_cast<int>(std::min(static_cast<std::size_t>(threads_), count));
    run_team(threads, [&](const Member&) {
        const bool asked = std::this_thread::get_id() == caller;
        std::optional<Interrupt> by_caller;
        if (!asked) by_caller.emplace([&] { return stop_.load(); });
        try {
            run_groups(asked);
            if (asked) wait_for_others();
        } catch (const Interrupted&) {
            stop_ = true;
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
            stop_ = true;
            changed.notify_one();
        }
    });
    if (failure) std::rethrow_exception(failure);
}

}  // namespace fastgrok
