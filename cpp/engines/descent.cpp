#include "engines/descent.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

#include "asked.hpp"
#include "engines/lockstep.hpp"
#include "norms.hpp"

namespace fastgrok {
namespace {

// The next gradient may be this much smaller before a step must be taken again.
constexpr double kSpareBits = 4.0;

// Of a number that is not negative: that of infinity is beyond all others, that of 0 below.
int exponent(double x) {
    if (x == 0.0) return -2000;
    return std::isfinite(x) ? std::ilogb(x) : 10000;
}

// Without a bias there is none that decays.
StepperOptions of_problem(StepperOptions options, const Problem& problem) {
    options.decay_bias = options.decay_bias && problem.bias();
    return options;
}

}  // namespace

Descent::Descent(std::shared_ptr<const Problem> problem,
                 std::vector<std::unique_ptr<Evaluator>> evals, Vector record_steps,
                 const double* w, double b, const DescentOptions& options)
    : problem_(std::move(problem)),
      evals_(std::move(evals)),
      record_steps_(std::move(record_steps)),
      options_(options),
      rate_(options.lr * options.scale),
      passes_(*problem_, options.threads),
      active_(*problem_, options.loss,
              options.stepper.keeps_proportions() ? options.skip : Skip::never, passes_.threads()),
      loss_(traits_of(options.loss)),
      rows_exponent_(exponent(problem_->total_weight()) + exponent(active_.largest_norm()) +
                     exponent(rate_) + 3),
      sharpness_(passes_, options.loss, options.watch_sharpness),
      u_(problem_->pack_parameters(w, b)),
      next_u_(u_),
      update_(u_.size(), 0.0),
      gradient_(u_.size(), 0.0),
      stepper_(of_problem(options.stepper, *problem_), options.lr, options.scale, u_.size(),
               problem_->layout().intercept),
      most_bits_(loss_.zero_above),
      cycles_(u_.size(), stepper_.moments(), options.stepper.schedule.is_constant()) {
    records_.last_parameters = u_;
}

Descent::Status Descent::run(const Poll& poll, double poll_seconds) {
    Lockstep alone({this}, passes_.threads());
    if (!alone.run([&] { return poll(step_); }, poll_seconds)) return Status::paused;
    const Lockstep::Ending& ending = alone.ending(0);
    if (ending.failure) std::rethrow_exception(ending.failure);
    return ending.status == Lockstep::Status::diverged ? Status::diverged : Status::done;
}

Descent::Status Descent::run_to(std::int64_t step, const Poll& poll, double poll_seconds) {
    stop_ = step;
    struct Reset {
        std::int64_t& stop;
        ~Reset() { stop = -1; }
    } const reset{stop_};
    return run(poll, poll_seconds);
}

double Descent::next_record() const {
    return next_record_ == record_steps_.size() ? std::numeric_limits<double>::infinity()
                                                : record_steps_[next_record_];
}

std::int64_t Descent::steps_to_stop() const {
    // Beyond these an iterate's number is not exact, and records are made by record_as().
    constexpr auto kMost = static_cast<double>(kMostCounted);
    if (next_record() > kMost) return (stop_ < 0 ? kMostCounted : stop_) - step_;
    const std::int64_t record = static_cast<std::int64_t>(next_record()) - step_;
    return stop_ < 0 ? record : std::min(record, stop_ - step_);
}

// Rounds of a closed cycle, which change nothing but the number of the step.
void Descent::skip_rounds() {
    if (cycles_.closed() && !at_end()) step_ += cycles_.skip_rounds(step_, steps_to_stop());
}

void Descent::pass_chunk(std::size_t chunk) {
    active_.first_of_chunk(chunk, u_, most_bits_, passes_.zero_partial(chunk));
}

void Descent::pass_elsewhere() {
    const auto skip = static_cast<std::size_t>(options_.stepper.keeps_proportions() ? options_.skip
                                                                                    : Skip::never);
    const Vector visited =
        passes_.ask({Question::step, About(options_.loss).add(skip).add(most_bits_).add(u_).done()},
                    Passes::Answer::sums);
    for (const double rows : visited) visits_elsewhere_ += static_cast<std::uint64_t>(rows);
}

RowPass Descent::pass_of_block(std::size_t chunk, std::size_t first) {
    double* const sum = first == 0 ? passes_.zero_partial(chunk) : passes_.partial(chunk);
    return active_.pass_of_block(chunk, first, u_, most_bits_, sum);
}

bool Descent::recover(const std::exception_ptr& failure) {
    recall_rows();
    try {
        std::rethrow_exception(failure);
    } catch (const std::bad_alloc&) {
        return active_.give_up();
    } catch (...) {
        return false;
    }
}

// What the rows left out depend on, from the last step alone.
void Descent::recall_rows() {
    most_bits_ = loss_.zero_above;
    if (step_ > 0) most_bits_ = std::min(most_bits_, bits_needed(largest_) + kSpareBits);
    active_.reset();
}

// The bound for the rows to be left out: all of them together add less than 2^-kNegligible of the
// largest entry of their gradient, whatever their number, or less than the smallest normal number
// each. It is the losses' own gradient that they are held against: what decays the weights may be
// as large and opposite. Where a step makes small entries of it large only the latter holds. So it
// is with a loss whose slope does not fall like e^-m: what may be left out is nothing at all.
double Descent::bits_needed(double largest) const {
    if (!options_.stepper.keeps_proportions() || !loss_.exponential_tail()) return loss_.zero_above;
    constexpr int kNegligible = 60;
    if (!(largest > 0.0)) return loss_.zero_above;
    return std::min<double>(loss_.zero_above, rows_exponent_ - exponent(largest) + kNegligible);
}

void Descent::finish_step() {
    passes_.add_chunks(gradient_);
    const double shift = options_.stepper.is_scale_free()
                             ? passes_.keep_direction(u_, options_.loss, gradient_)
                             : 0.0;
    const double largest = std::exp2(-shift) * stepper_.propose(step_, u_, gradient_);
    double dot = 0.0, square = 0.0, moved = 0.0;
    bool finite = true;
    for (std::size_t j = 0; j < u_.size(); ++j) {
        const double du = gradient_[j];
        dot += du * update_[j];
        square += du * du;
        next_u_[j] = u_[j] + du;
        moved += (next_u_[j] - u_[j]) * (next_u_[j] - u_[j]);  // du is rounded to what u can hold
        finite &= std::fabs(next_u_[j]) <= std::numeric_limits<double>::max();
    }
    if (!finite) {
        diverged_ = true;
        return;
    }
    const double needed = bits_needed(largest);
    const double distance =
        in_range_of_squares(moved) ? std::sqrt(moved) : fastgrok::distance(next_u_, u_);
    if (options_.check_skipped) check_skipped();
    const bool enough = needed <= most_bits_;
    most_bits_ = std::min(loss_.zero_above, needed + kSpareBits);
    if (!enough) {  // too much was left out: the same step again
        active_.advance(u_, u_, distance, most_bits_);
        return;
    }
    active_.advance(u_, next_u_, distance, most_bits_);
    stepper_.accept();
    if (step_ > 0) add_turn(dot, square);
    std::swap(update_, gradient_);
    std::swap(u_, next_u_);
    update_square_ = square;
    largest_ = largest;
    ++step_;
    cycles_.add(step_, u_, largest_, stepper_.state(), turns_.backward != 0);
}

// At rest, where rounding errors alone move the parameters, nothing turns: those of the parameters
// or, where these may tend to 0 and margins of 1 do not, of margins. Of unit vectors where the
// squares are out of range.
void Descent::add_turn(double dot, double square) {
    constexpr double kRest = 0x1p-46;  // of the parameters
    if (dot < 0.0 && std::sqrt(square) <= kRest * size_of_parameters()) dot = 0.0;
    if (in_range_of_squares(square) && in_range_of_squares(update_square_))
        return turns_.add(dot, square, update_square_);
    const double size = norm(gradient_.data(), gradient_.size());
    const double last_size = norm(update_.data(), update_.size());
    dot = 0.0;
    if (size > 0.0 && last_size > 0.0)
        for (std::size_t j = 0; j < u_.size(); ++j)
            dot += gradient_[j] / size * (update_[j] / last_size);
    turns_.add(dot, 1.0, 1.0);
}

double Descent::size_of_parameters() const {
    const double least = loss_.exponential_tail() ? 0.0 : 1.0 / active_.largest_norm();
    return std::max(norm(u_.data(), u_.size()), least);
}

void Descent::check_skipped() {
    Vector bits = passes_.margins(u_);
    for (double& m : bits) m *= loss_.unit;
    const std::size_t missed = active_.missed(bits, most_bits_);
    if (missed > 0)
        throw std::logic_error("step " + std::to_string(step_) + " left out " +
                               std::to_string(missed) + " rows that matter");
}

void Turns::add(double dot, double square, double last_square) {
    const double reversal = -0.9 * std::sqrt(square) * std::sqrt(last_square);
    backward = backward << 1 | static_cast<std::uint64_t>(dot < 0.0);
    reversed = reversed << 1 | static_cast<std::uint64_t>(dot < 0.0 && dot < reversal);
    if (seen < 64) ++seen;
}

Regime Turns::regime() const {
    if (backward == 0) return Regime::smooth;
    const std::uint64_t all = seen == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << seen) - 1;
    return reversed == all ? Regime::period_two : Regime::irregular;
}

Regime Descent::regime() const {
    // Of the parameters: a swing about a fixed point that rounding errors sustain where little
    // damps it, or that is about to end.
    constexpr double kNoOrbit = 0x1p-30;
    const Regime turns = turns_.regime();
    if (turns == Regime::smooth) return turns;
    if (turns == Regime::period_two &&
        norm(update_.data(), update_.size()) <= kNoOrbit * size_of_parameters())
        return Regime::smooth;
    const int period = cycles_.period();
    if (period > 2) return static_cast<Regime>(period);
    if (period == 2) return Regime::period_two;
    return cycles_.alternates() ? turns : Regime::irregular;
}

}  // namespace fastgrok
