// Gradient descent that takes exact steps as long as it must and leaps where it can, with the
// evidence that a leap follows the steps that it leaves out.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engines/coarse_leap.hpp"
#include "engines/descent.hpp"
#include "engines/leaping_state.hpp"
#include "engines/spent.hpp"

namespace fastgrok {

struct LeapingOptions {
    double rtol = 1e-8;        // of w and of b, in the norm of LeapScale, at every record
    double exact_limit = 1e8;  // more steps than this are not taken one by one
    bool must_leap = false;    // rather than take exact steps to the end
    // The end of the run that is followed, if its records are to end before: these then are the
    // records of that run to the last bit. 0: the last record.
    double horizon = 0.0;
    ExactNull exact_null;  // see turned_along(); may be empty
    // Steps, from and to, between which recall() may tell where leaps went.
    std::vector<std::pair<double, double>> kept;
    // Rows of so many bytes are read once for passes of both integrations: no cache holds them.
    // Those in single precision, which are widened once as well, from an eighth of that on.
    std::size_t paired_from = std::size_t{1} << 26;
};

class LeapingDescent {
public:
    enum class Status { done, diverged, lost };
    // Asked every so often with the step reached. May throw: what was recorded stays.
    using Poll = std::function<void(double step)>;

    LeapingDescent(Descent& descent, const LeapingOptions& options)
        : descent_(descent),
          options_(options),
          motion_(descent.stepper().options(), descent.options().lr, descent.options().scale),
          passes_(descent.problem(), descent.options().threads),
          least_(least_weights(descent.problem(), descent.options().loss, motion_.decay > 0.0)) {}

    // To the last record. Once only.
    Status run(const Poll& poll, double poll_seconds);

    // What a run of the same problem and options, and of a descent in the same state, goes on from
    // to the same bits, or with a later end. Only where can_be_kept(): before the run, in a poll or
    // after it.
    const LeapingState& state() const { return way_; }
    bool can_be_kept() const { return can_be_kept_ && descent_.can_be_kept(); }
    // Before run(), and after the descent; std::invalid_argument if it cannot be one.
    void restore(LeapingState state);

    // After run(): whether a leap that was kept made the records around these steps.
    bool recalls(const Vector& steps) const;
    // Makes all records of another descent of the same problem and options, of steps that it
    // recalls: the same bits as its own.
    void recall(Descent& other, const Poll& poll, double poll_seconds);

    const std::vector<LeapReport>& leaps() const { return way_.leaps; }
    // Why it is lost, or the last try failed.
    const std::string& reason() const { return way_.reason; }
    Descent& descent() const { return descent_; }
    // The step at which the first leap takes over at the earliest, after as many exact ones.
    static double first_leap(const SlowMotion& motion);
    // And where one that is tried from there does.
    static double takes_over(const SlowMotion& motion, double from);
    double reached() const { return way_.reached; }  // the last step that was computed
    std::int64_t exact_steps() const { return descent_.step() - descent_.cycles().skipped(); }
    Spent spent() const;
    // How often two passes of leaps were made for one reading of the rows.
    std::int64_t passes_together() const { return passes_together_; }
    // How many exact steps are about to be taken at the least because a leap was lost; the poll is
    // asked when they begin. 0 otherwise.
    double exact_ahead() const { return exact_ahead_; }

private:
    // The same way at two tolerances: what is recorded, and what shows its error.
    struct Difference {
        double k, w, b;  // a step of the map, ||w - w'||, |b - b'|
    };
    struct Attempt {
        std::unique_ptr<Leap> fine;
        std::unique_ptr<CoarseLeap> coarse;  // is the first to end
        LeapReport report;
        bool coarse_converged = false;
        std::deque<Difference> differences;  // of the two, the latest last
        double stride = 1.0;      // steps of descent in one of the map that is integrated
        bool inaccurate = false;  // it ended because of its estimated error
        double excess = 0.0;      // that error as a multiple of what was allowed
        // The last bound on what rounding does, its step of the map, and the step of the next.
        double rounding = 0.0, rounding_step = 0.0, next_rounding = 0.0;
        double turned = 0.0;  // the step of the map of the last change of coordinates
        LeapWay way;          // over what is to be kept
    };
    struct Kept {
        LeapReport report;
        LeapWay way;
    };
    using Starts = LeapStarts;
    using Stage = LeapingState::Stage;

    static std::int64_t even(double x) { return static_cast<std::int64_t>(x / 2.0) * 2; }
    std::int64_t first_try() const;
    // Passes over rows are dear, and the motion is not linear.
    bool is_smooth_and_dear() const;
    std::int64_t next_try(std::int64_t from) const;
    // Of the iterates to start a leap from, of rounds of a cycle.
    std::int64_t spacing(std::int64_t last, std::int64_t period = 2) const;
    std::int64_t first_of(std::int64_t last, std::int64_t period = 2) const;
    std::vector<std::int64_t> early_of(std::int64_t last) const;
    bool look_for_cycle(Starts& starts);

    static constexpr double kMostOverlap = 0.5;     // of rtol, by which exact steps may differ
    static constexpr double kBetweenChecks = 10.0;  // from one to the next k grows by this

    static std::string text(double x);
    double error_between(const Vector& a, const Vector& b) const;
    bool worth_leaping(std::int64_t from) const;
    bool may_leap_from(std::int64_t from) const;
    void remember_search();
    void make_waiting_records();
    void note_last(LeapReport& report) const;
    void go_on_from(std::int64_t from, Starts starts);
    Status finish_exactly();
    Status finish_closed();
    // Rather than at rest, of which a leap tells as well.
    bool on_closed_cycle() const {
        return descent_.cycles().closed() && descent_.regime() != Regime::smooth;
    }
    bool exact_to(std::int64_t step);
    bool keepable_to(std::int64_t step);
    bool gather(std::int64_t last, Starts& starts, Attempt* beside);
    bool begin(const Starts& starts, Attempt& attempt);
    void set_out(const Starts& starts, int period, double tolerance, Attempt& attempt);
    static double planned_tolerance(const Attempt& attempt);
    bool leap_finer(const Starts& starts, const Starts& beside, Attempt& attempt);
    void compare(Attempt& attempt, double step, const Vector& exact);
    bool leap(Attempt& attempt);
    void make_records(Attempt& attempt);
    void close(Attempt& attempt);
    bool is_stable(Attempt& attempt, double step);
    bool stays(Attempt& attempt);
    bool leap_to(Attempt& attempt, double step);
    bool step_fine(Attempt& attempt);
    void keep_step(Attempt& attempt) const;
    const Kept* kept_at(double step) const;
    bool step_coarse(Attempt& attempt);
    void note_difference(Attempt& attempt, double k);
    double error_of_steps(Attempt& attempt, double step, const Vector& u);
    void watch_rounding(Attempt& attempt);
    void watch_rest(Attempt& attempt);
    bool turns(Attempt& attempt);
    double rounding_at(Attempt& attempt, double step, double of_steps);
    void announce_exact(double until);
    bool pays(Attempt& attempt, double k, std::int64_t accepted);
    bool spot_check(Attempt& attempt);
    std::int64_t whole_rounds(const Attempt& attempt, std::int64_t steps) const;
    // An iterate, those of its round where there is a cycle, and the mean with the one before.
    struct Iterated {
        Vector u, middle;
        std::vector<Vector> round;
    };
    // at(k, u) tells where a leap was.
    template <class At>
    void iterate(int period, double step, At at, Iterated& out);
    Regime regime_of(const Iterated& iterated, double error) const;
    Vector force(const Vector& u, double step);
    void descend(Vector& u, double step, std::int64_t steps);
    void polled();

    Descent& descent_;
    LeapingOptions options_;
    SlowMotion motion_;
    Passes passes_;
    double least_;  // of the weights, against which errors are measured
    Poll poll_;
    std::chrono::steady_clock::time_point last_poll_;
    double poll_seconds_ = 0.0, horizon_ = 0.0, next_check_ = 0.0;
    double exact_ahead_ = 0.0;
    bool too_dear_ = false, can_be_kept_ = true;
    Vector gradient_, first_, second_;
    LeapingState way_;
    std::vector<Kept> kept_;
    Spent spent_;  // but for records
    std::int64_t passes_together_ = 0;
};

}  // namespace fastgrok
