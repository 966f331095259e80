// Full-batch gradient descent, every step taken.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "engines/active_rows.hpp"
#include "engines/cycles.hpp"
#include "engines/evaluator.hpp"
#include "engines/sharpness.hpp"
#include "engines/stepper.hpp"

namespace fastgrok {

struct DescentOptions {
    Loss loss = Loss::logistic;
    double scale = 1.0;  // 1 for the sum of the losses, 1/n for their mean
    double lr = 1.0;
    Tie tie = Tie::wrong;
    bool keep_weights = false;
    bool watch_sharpness = true;
    int threads = 1;
    StepperOptions stepper;
    Skip skip = Skip::patiently;  // where the stepper keeps proportions; never, elsewhere
    // Looks at every step for rows left out by mistake, at the price of a pass; std::logic_error.
    bool check_skipped = false;
};

// How the last 64 updates du turned: all cos(du_k, du_k+1) >= 0, all below -0.9, or neither. Of
// these last, larger values are the periods of cycles.
enum class Regime : std::int8_t { smooth = 0, period_two = 1, irregular = 2 };

// 1 of a smooth motion, 0 of an irregular one; and back.
constexpr int period_of(Regime regime) {
    const int number = static_cast<int>(regime);
    return number > 2 ? number : (number + 1) % 3;
}
constexpr Regime regime_of_period(int period) {
    return static_cast<Regime>(period > 2 ? period : (period + 2) % 3);
}

// What is kept at each recorded step. Column 0 of loss_sum and correct is the training set, where
// each row counts as often as its weight says.
struct Records {
    Vector steps;  // whole numbers, beyond 2^53 as far as these can be told apart
    Vector b, norm_w, loss_sum, correct, sharpness, sharpness_mean, weights;
    std::vector<std::int8_t> regime;
    Vector last_parameters;  // at the last record, or at the start

    // Cuts every column to `count` records.
    void truncate(std::size_t count, std::size_t sets, std::size_t parameters);
};

// Watches successive updates for oscillations: a bit for each of the last 64.
struct Turns {
    std::uint64_t backward = 0, reversed = 0;
    int seen = 0;
    void add(double dot, double square, double last_square);
    Regime regime() const;
};

// All that the coming steps and records depend on besides the records so far.
struct DescentState {
    std::int64_t step = 0;
    Vector u, update;  // the parameters, and what the last step added to them
    double update_square = 0.0;
    double largest = 0.0;  // entry of the losses' gradient at the last step, times lr
    Turns turns;
    SharpnessState sharpness;
    StepperState stepper;
    CyclesState cycles;
};

class Descent {
public:
    enum class Status { done, paused, diverged };
    // Asked every so often, between passes over the data; true pauses the run. May throw: the run
    // can then go on from its last complete step and record. State and records are whole then.
    using Poll = std::function<bool(std::int64_t step)>;

    Descent(std::shared_ptr<const Problem> problem, std::vector<std::unique_ptr<Evaluator>> evals,
            Vector record_steps, const double* w, double b, const DescentOptions& options);

    // Goes on from the present step to the last one to record. Where it was paused, or how often it
    // was polled, changes no bit.
    Status run(const Poll& poll, double poll_seconds);

    // The same, but no farther than to this step, of which no record is made unless it is due.
    Status run_to(std::int64_t step, const Poll& poll, double poll_seconds);

    // For an engine that knows later iterates without every step on the way: makes the next record
    // of one, now or together with others. What polls throws; the record is made later then.
    struct Iterate : Sharpness::Point {
        Regime regime;
    };
    void note(double step, Vector u, Vector middle, Regime regime,
              const std::function<void()>& between_passes);
    // Makes the records that wait for each other, all evaluations in one go.
    void make_records(const std::function<void()>& between_passes);
    // Not to make them, but again when their time comes.
    void forget_waiting();
    // Makes the next record, of a step beyond those that are counted, of the present parameters.
    void record_as(double step, const std::function<void()>& between_passes);
    // The step of the next record, infinite if there is none left, and of the last one, or -1.
    double next_record() const;
    double recorded_to() const {
        return next_record_ == 0 ? -1.0 : record_steps_[next_record_ - 1];
    }
    double last_record() const { return record_steps_.back(); }

    // After make_records(), unless it polls from there with one record alone to make.
    DescentState state() const;
    bool can_be_kept() const;
    const SharpnessState& sharpness() const { return sharpness_.state(); }
    // Goes back, or on, to a state of a run of the same problem and options; std::invalid_argument,
    // and nothing changed, if it cannot be one. Records may be `ahead` of the step where an engine
    // knew later iterates.
    void restore(DescentState state, Records records, bool ahead);

    std::int64_t step() const { return step_; }
    int threads() const { return passes_.threads(); }  // that share a step
    const Vector& parameters() const { return u_; }
    const Vector& update() const { return update_; }  // that led to them
    Regime regime() const;
    const Cycles& cycles() const { return cycles_; }
    const DescentOptions& options() const { return options_; }
    const Stepper& stepper() const { return stepper_; }
    double rate() const { return rate_; }
    const Problem& problem() const { return *problem_; }
    const Records& records() const { return records_; }  // those that are made
    double seconds_recording() const { return seconds_recording_; }
    // By the steps of this object.
    std::uint64_t row_visits() const {
        return problem_->elsewhere() != nullptr ? visits_elsewhere_ : active_.visits();
    }
    std::size_t sets() const { return 1 + evals_.size(); }
    bool keeps_weights() const { return options_.keep_weights; }

private:
    static constexpr std::int64_t kMostCounted = std::int64_t{1} << 53;

    friend class Lockstep;  // which runs it, alone or beside others, by these pieces

    bool at_end() const { return next_record_ == record_steps_.size() || step_ == stop_; }
    bool record_is_due() const {
        return step_ <= kMostCounted && static_cast<double>(step_) == next_record();
    }
    std::int64_t steps_to_stop() const;
    void skip_rounds();
    bool may_skip() const {
        return cycles_.closed() && !at_end() && cycles_.may_skip(step_, steps_to_stop());
    }
    // A step: all chunks of its pass, by any threads, then its end by one of them. Without memory
    // for lists of rows a step fails; `recover` makes it ready to be tried again, without lists,
    // or returns false if that would not help.
    bool sees_all_rows() const { return active_.over_all(); }
    void pass_chunk(std::size_t chunk);
    void pass_elsewhere();  // all chunks
    RowPass pass_of_block(std::size_t chunk, std::size_t first);
    void finish_step();
    bool recover(const std::exception_ptr& failure);

    void add_turn(double dot, double square);
    double size_of_parameters() const;
    double bits_needed(double largest) const;
    void check_skipped();
    void recall_rows();
    void record(const std::function<void()>& between_passes);
    bool gathers_records() const;
    bool enough_wait() const;
    bool takes_long(const Iterate& another) const;
    void record_all(const std::vector<Iterate>& iterates,
                    const std::function<void()>& between_passes);
    void record_one(const Iterate& iterate, const Sharpness::Told& told,
                    const std::vector<Evaluation>& evaluations);
    void append_weights(const Vector& u);
    void check(const DescentState& state, const Records& records, bool ahead) const;

    std::shared_ptr<const Problem> problem_;
    std::vector<std::unique_ptr<Evaluator>> evals_;
    Vector record_steps_;
    DescentOptions options_;
    double rate_;  // lr * scale
    Passes passes_;
    ActiveRows active_;
    const LossTraits& loss_;
    int rows_exponent_;  // 2^rows_exponent_ > n * largest row norm * rate

    std::int64_t step_ = 0;
    std::int64_t stop_ = -1;       // of run_to
    std::size_t next_record_ = 0;  // behind those that are made and those that wait
    std::vector<Iterate> waiting_;
    bool making_records_ = false;
    double seconds_recording_ = 0.0;
    Sharpness sharpness_;
    Vector u_, next_u_, update_, gradient_;
    double update_square_ = 0.0, largest_ = 0.0;
    Stepper stepper_;
    std::uint64_t visits_elsewhere_ = 0;
    double most_bits_;  // rows with larger margins are left out of the coming step
    bool diverged_ = false;
    Turns turns_;
    Cycles cycles_;
    Records records_;
};

}  // namespace fastgrok
