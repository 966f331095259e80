// What speaks for a leap: whether it may go on, and how far off it may be.
#include <algorithm>
#include <cmath>

#include "engines/leaping_descent.hpp"
#include "norms.hpp"

namespace fastgrok {
namespace {

// What of the difference of the two integrations is counted on: errors grow a little slower than
// tolerances, and where steps remember others, and those of the integrator have a least length,
// slower still.
constexpr double kCounted = 20.0, kCountedOfMemory = 15.0;
// With tolerances looser than this formulas are of lower order, and all that is estimated counts
// so many times.
constexpr double kLooseTolerance = 8e-9, kOfLoose = 1.4;
// Differences are remembered until the step number is so many times as large.
constexpr double kMemory = 3.0;
// What the errors of the last steps may add up to, as a multiple of what is estimated: where the
// motion begins they are larger than that.
constexpr double kOfRecent = 1.5;
// What the difference from exact steps, where a leap of steps that remember others or change their
// pace begins, may grow to: some of it had grown before.
constexpr double kOfStart = 3.0;
// So many steps of the integrator are few: what is estimated of them tells less.
constexpr double kFew = 20.0;
// Less is claimed of no record, and no less than this share of rtol, or of an rtol that is not
// loose.
constexpr double kLeastError = 1e-12, kLeastShare = 3e-4, kLeastOfMemory = 3e-3,
                 kLoosestUsed = 1e-6;

// Rounding errors that may do no more than this share of rtol are not looked at more closely; where
// they may do more, other coordinates are tried, again when the step number has grown by so much.
// Where they are far from that, by so much more.
constexpr double kRoundingShare = 0.01, kBetweenRounding = 10.0, kBetweenTurns = 100.0;
constexpr double kBetweenLittle = 100.0;

// Up to where the last bound, which grows with the step number, serves for a run over wide rows as
// well, while it is not more than that share of rtol.
constexpr double kSoon = 1.5, kMostOfRounding = 0.1;

// Spot checks have so many steps where a pass is cheap, fewer up to a step where these move enough
// to be seen, and where it is not cheap; what they must show.
constexpr std::int64_t kManySteps = 256, kSomeSteps = 32, kFewSteps = 8;
constexpr double kMuchMoves = 1e8;
constexpr double kMostDifference = 1e-2;
// So many tell rest from a slow motion.
constexpr std::int64_t kStepsAtRest = 32;
// Increments below this share of the parameters are rounding errors.
constexpr double kVisible = 1e-11;

// An integrator that takes more steps than these, and so many for every factor e of the step
// number, is at the mercy of rounding errors.
constexpr double kMostSteps = 1000.0, kMostStepsByE = 300.0;

constexpr double kMostExact = 9007199254740992.0;  // 2^53

}  // namespace

double LeapingDescent::error_between(const Vector& a, const Vector& b) const {
    Vector difference(a.size());
    for (std::size_t j = 0; j < a.size(); ++j) difference[j] = a[j] - b[j];
    return LeapScale(a, descent_.problem().layout(), least_).norm(difference);
}

// How far the two integrations are apart, at a step of the map that both can tell.
void LeapingDescent::note_difference(Attempt& attempt, double k) {
    attempt.fine->at(k, first_);
    attempt.coarse->at(k, second_);
    for (std::size_t j = 0; j < first_.size(); ++j) first_[j] -= second_[j];
    const Layout& layout = descent_.problem().layout();
    auto& differences = attempt.differences;
    differences.push_back(
        {k, norm(first_.data(), layout.cols), std::fabs(first_[layout.intercept])});
    while (differences.front().k * kMemory < k) differences.pop_front();
}

// What the error of u is estimated at, which is the iterate of a step. The two integrations meet by
// chance when the error of one of them changes its sign, so that where they were before counts.
double LeapingDescent::error_of_steps(Attempt& attempt, double step, const Vector& u) {
    note_difference(attempt, std::floor(step / attempt.stride));
    double w = 0.0, b = 0.0;
    for (const Difference& difference : attempt.differences) {
        w = std::max(w, difference.w);
        b = std::max(b, difference.b);
    }
    const LeapScale scale(u, descent_.problem().layout(), least_);
    const Leap& fine = *attempt.fine;
    // What decays, or changes its pace, moves otherwise where the leap begins than later; what
    // steps remember may not have been slow enough there, of which neither integration can tell.
    // Where steps remember, or become shorter, a leap has few and long steps; so it has where each
    // is a round of a cycle.
    // With a loose tolerance its first steps are few as well.
    const bool loose = attempt.report.tolerance > kLooseTolerance;
    double start = motion_.is_plain() && !loose ? 0.0 : attempt.report.overlap_difference;
    double of_few = 1.0;
    const double share = motion_.memory > 1.0 ? kLeastOfMemory : kLeastShare;
    const bool long_steps = motion_.memory > 1.0 || !motion_.schedule.is_constant();
    if (long_steps || loose) start *= kOfStart;
    if (long_steps || attempt.report.period > 1)
        of_few += kFew / static_cast<double>(std::max<std::int64_t>(fine.statistics().accepted, 1));
    const double counted = motion_.memory > 1.0 ? kCountedOfMemory : kCounted;
    const double of_loose = loose ? kOfLoose : 1.0;
    return of_loose *
               std::max({std::max(w / scale.w, b / scale.b) / counted, fine.sudden_error(scale),
                         kOfRecent * of_few * fine.recent_error()}) +
           fine.statistics().model_error + start + kLeastError +
           share * std::min(options_.rtol, kLoosestUsed);
}

// Changes to other coordinates where rounding errors begin to matter.
void LeapingDescent::watch_rounding(Attempt& attempt) {
    Leap& fine = *attempt.fine;
    const double k = fine.now(), enough = kRoundingShare * options_.rtol;
    if (k < attempt.next_rounding) return;
    attempt.next_rounding = kBetweenRounding * k;
    attempt.rounding_step = k;
    attempt.rounding = fine.rounding_effect(k, enough);
    // It grows with the number of steps, at the most.
    if (attempt.rounding * kBetweenLittle * kBetweenRounding <= enough)
        attempt.next_rounding *= kBetweenLittle;
    if (attempt.rounding > enough && turns(attempt))
        attempt.rounding = fine.rounding_effect(k, enough);
}

// Whether there are other coordinates, in which it goes on.
bool LeapingDescent::turns(Attempt& attempt) {
    Leap& fine = *attempt.fine;
    if (fine.now() < kBetweenTurns * attempt.turned) return false;
    const auto coordinates =
        fine.field().better_coordinates(fine.parameters(), options_.exact_null);
    if (coordinates == nullptr) return false;
    attempt.turned = fine.now();
    fine.turn(coordinates);
    attempt.coarse->turn(coordinates);
    // What seemed at rest has to show it anew.
    attempt.report.converged = attempt.coarse_converged = false;
    return true;
}

// A gradient that is taken for a rounding error may be what moves a separated direction until the
// horizon: other coordinates tell one from the other.
void LeapingDescent::watch_rest(Attempt& attempt) {
    if (!attempt.report.converged) return;
    const double enough = kRoundingShare * options_.rtol;
    const double end = std::floor(horizon_ / attempt.stride);
    if (attempt.rounding * std::max(end / attempt.rounding_step, 1.0) <= enough) return;
    if (attempt.fine->rounding_effect(end, enough) > enough) turns(attempt);
}

// What rounding may have done to the iterate of a step.
double LeapingDescent::rounding_at(Attempt& attempt, double step, double of_steps) {
    const double enough = kRoundingShare * options_.rtol;
    double k = std::floor(step / attempt.stride);
    if (attempt.report.converged) k = std::min(k, attempt.fine->now());
    const double by_last = attempt.rounding * std::max(k / attempt.rounding_step, 1.0);
    const double until = std::max(kBetweenRounding * attempt.rounding_step, attempt.next_rounding);
    if (by_last <= enough && k <= until) return by_last;
    // Where a pass is not cheap a slightly larger bound will do.
    if (!descent_.problem().packed() && k <= kSoon * attempt.rounding_step &&
        by_last <= kMostOfRounding * options_.rtol && of_steps + by_last <= options_.rtol)
        return by_last;
    const Lap lap(spent_.checks);
    attempt.rounding_step = k;
    attempt.rounding = attempt.fine->rounding_effect(k, enough);
    return attempt.rounding;
}

// Whether one way of the leap, at k after so many steps, gets on, and leaps have cost less so far
// than all steps of the run would.
bool LeapingDescent::pays(Attempt& attempt, double k, std::int64_t accepted) {
    LeapReport& report = attempt.report;
    double passes = way_.passes_spent;
    for (const LeapCosts& costs : {attempt.fine->field().costs(), attempt.coarse->costs()})
        passes += static_cast<double>(costs.evaluations + costs.products);
    const double now = k * attempt.stride;
    const auto steps = static_cast<double>(accepted);
    too_dear_ = !options_.must_leap && passes > horizon_;
    if (too_dear_)
        report.ended = "it took more passes over the data than all steps would";
    else if (steps > kMostSteps + kMostStepsByE * std::log(now / report.first))
        report.ended = "at step " + text(now) + " rtol could not be told from rounding errors";
    return report.ended.empty();
}

// Implicit formulas damp what exact steps make larger; neither integration nor what rounding errors
// have grown to by a spot check need show it.
bool LeapingDescent::is_stable(Attempt& attempt, double step) {
    if (!attempt.fine->amplifies(std::floor(step / attempt.stride))) return true;
    const std::string size = motion_.is_normalized() ? " / ||g||" : "";
    const std::string what =
        attempt.report.period > 1
            ? "the orbit of period " + std::to_string(attempt.report.period) + " is unstable"
            : "lr * lambda_max" + size + " exceeds " + text(motion_.limit_of_lr);
    attempt.report.ended = what + " at step " + text(step) + ", so that errors can grow";
    return false;
}

// Exact steps from where the iterates have come to rest must stay there.
bool LeapingDescent::stays(Attempt& attempt) {
    const std::int64_t steps = whole_rounds(attempt, kStepsAtRest);
    const Vector& rest = attempt.fine->parameters();
    Vector u = rest;
    descend(u, attempt.fine->now() * attempt.stride, steps);
    const double moved = error_between(rest, u);
    if (moved <= kMostOverlap * options_.rtol) return true;
    attempt.report.ended = "at step " + text(attempt.fine->now() * attempt.stride) + " " +
                           std::to_string(steps) + " exact steps moved what seemed at rest by " +
                           text(moved);
    return false;
}

// Exact steps over the end of the last step of the integrator must move as that does; a motion that
// has become unstable shows.
bool LeapingDescent::spot_check(Attempt& attempt) {
    const Leap& leap = *attempt.fine;
    // As many as forget most of what went before, where steps remember (memory + 1) / 2 others.
    const bool some = attempt.report.period == 1 && leap.now() < kMuchMoves &&
                      1.5 * (motion_.memory + 1.0) <= static_cast<double>(kSomeSteps);
    const std::int64_t cheap = some ? kSomeSteps : kManySteps;
    const std::int64_t steps =
        whole_rounds(attempt, descent_.problem().packed() ? cheap : kFewSteps);
    const double to = std::floor(leap.now());
    const double from = to - static_cast<double>(steps) / attempt.stride;
    if (from < leap.before()) return true;  // the step is too short yet
    next_check_ = kBetweenChecks * leap.now() * attempt.stride;
    if (to * attempt.stride > kMostExact) return true;
    Vector u, first, last;
    leap.at(from, first);
    leap.at(to, last);
    u = first;
    descend(u, from * attempt.stride, steps);
    const double moved = distance(u, first);
    if (!(moved > kVisible * norm(first.data(), first.size()))) return true;
    const double apart = distance(u, last), difference = apart / moved;
    // Shortly before rest no more is left to move than the error allowed: that may go otherwise, if
    // no more than such an error comes of it over as many steps again.
    const double drift = apart * to * attempt.stride / static_cast<double>(steps);
    if (difference > kMostDifference &&
        drift <= kMostOverlap * options_.rtol * norm(first.data(), first.size()))
        return true;
    attempt.report.checks.push_back({to * attempt.stride, difference, steps});
    if (difference <= kMostDifference) return true;
    attempt.report.ended = "at step " + text(to * attempt.stride) + " " + std::to_string(steps) +
                           " exact steps moved otherwise, by a share of " + text(difference);
    return false;
}

// At least so many steps.
std::int64_t LeapingDescent::whole_rounds(const Attempt& attempt, std::int64_t steps) const {
    const std::int64_t period = attempt.report.period;
    return (steps + period - 1) / period * period;
}

// F(u, step) of the slow motion.
Vector LeapingDescent::force(const Vector& u, double step) {
    const double pace = motion_.pace(step);
    Vector out(u.size());
    passes_.first(u, descent_.options().loss, out);
    for (double& x : out) x *= motion_.rate * pace;
    if (motion_.decay > 0.0)
        for (std::size_t j = 0; j < u.size(); ++j)
            if (j != descent_.problem().layout().intercept || motion_.decay_bias)
                out[j] -= motion_.decay * pace * u[j];
    return out;
}

// Exact steps from u, which so many came before. What these left of their gradients, if it goes on,
// is about what a slow motion leaves: it is forgotten soon.
void LeapingDescent::descend(Vector& u, double step, std::int64_t steps) {
    gradient_.resize(u.size());
    Stepper stepper = descent_.stepper();
    if (motion_.memory > 1.0) {
        StepperState state;
        state.first = force(u, step);
        for (double& x : state.first) x /= descent_.options().lr;
        stepper.restore(std::move(state));
    }
    for (std::int64_t i = 0; i < steps; ++i) {
        passes_.first(u, descent_.options().loss, gradient_);
        if (stepper.options().is_scale_free())
            passes_.keep_direction(u, descent_.options().loss, gradient_);
        stepper.propose(static_cast<std::int64_t>(std::min(step, 9e15)) + i, u, gradient_);
        stepper.accept();
        for (std::size_t j = 0; j < u.size(); ++j) u[j] += gradient_[j];
        polled();
    }
}

}  // namespace fastgrok
