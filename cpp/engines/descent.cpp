#include "engines/descent.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "engines/curvature.hpp"

namespace fastgrok {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// The clock is read, and the caller asked, between blocks of steps of about this length.
constexpr double kBlockSeconds = 0.02, kPollSeconds = 0.1;

// The norm without overflow or underflow of the squares.
double norm(const double* w, std::size_t n) {
    double largest = 0.0;
    for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, std::fabs(w[j]));
    if (largest == 0.0 || !std::isfinite(largest)) return largest;
    const int exponent = std::ilogb(largest);
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
        const double scaled = std::scalbn(w[j], -exponent);
        sum += scaled * scaled;
    }
    return std::scalbn(std::sqrt(sum), exponent);
}

}  // namespace

Descent::Descent(std::shared_ptr<const Problem> problem,
                 std::vector<std::unique_ptr<Evaluator>> evals,
                 std::vector<std::int64_t> record_steps, const double* w, double b,
                 const DescentOptions& options)
    : problem_(std::move(problem)),
      evals_(std::move(evals)),
      record_steps_(std::move(record_steps)),
      options_(options),
      rate_(options.lr * options.scale),
      passes_(*problem_, options.threads),
      u_(problem_->pack_parameters(w, b)),
      next_u_(u_),
      update_(u_.size(), 0.0),
      gradient_(u_.size(), 0.0) {
    records_.last_parameters = u_;
}

Descent::Status Descent::run(const Poll& poll) {
    Clock::time_point last_poll = Clock::now();
    bool pause = false;
    const auto poll_if_due = [&] {
        if (seconds_since(last_poll) < kPollSeconds) return;
        pause |= poll(step_);
        last_poll = Clock::now();
    };
    std::int64_t block = 1;
    while (next_record_ < record_steps_.size()) {
        const std::int64_t target = record_steps_[next_record_];
        while (step_ < target) {
            const Clock::time_point start = Clock::now();
            const std::int64_t count = std::min(block, target - step_);
            take_steps(count);
            if (diverged_) return Status::diverged;
            const double seconds = seconds_since(start);
            if (seconds < 0.5 * kBlockSeconds && count == block) block *= 2;
            if (seconds > 2.0 * kBlockSeconds) block = std::max<std::int64_t>(1, block / 2);
            poll_if_due();
            if (pause) return Status::paused;
        }
        record(poll_if_due);
        ++next_record_;
        poll_if_due();
        if (pause) return Status::paused;
    }
    return Status::done;
}

void Descent::take_steps(std::int64_t count) {
    Shares shares(passes_.chunks(), passes_.threads());
    run_team(passes_.threads(), [&](const Member& me) {
        for (std::int64_t s = 0; s < count && !diverged_; ++s) {
            std::size_t chunk;
            while (shares.take(me.index, chunk)) passes_.first_of_chunk(chunk, u_, options_.loss);
            me.meeting.arrive([&] {
                passes_.add_chunks(gradient_);
                update();
                shares.refill();
            });
        }
    });
}

void Descent::update() {
    double dot = 0.0, square = 0.0;
    bool finite = true;
    for (std::size_t j = 0; j < u_.size(); ++j) {
        const double du = rate_ * gradient_[j];
        dot += du * update_[j];
        square += du * du;
        gradient_[j] = du;
        next_u_[j] = u_[j] + du;
        finite &= std::fabs(next_u_[j]) <= std::numeric_limits<double>::max();
    }
    if (!finite) {
        diverged_ = true;
        return;
    }
    if (step_ > 0) turns_.add(dot, square, update_square_);
    std::swap(update_, gradient_);
    std::swap(u_, next_u_);
    update_square_ = square;
    ++step_;
}

void Descent::Turns::add(double dot, double square, double last_square) {
    const bool back = dot < 0.0;
    backward = backward << 1 | static_cast<std::uint64_t>(back);
    reversed =
        reversed << 1 | static_cast<std::uint64_t>(back && dot * dot > 0.81 * square * last_square);
    if (seen < 64) ++seen;
}

Regime Descent::Turns::regime() const {
    if (backward == 0) return Regime::smooth;
    const std::uint64_t all = seen == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << seen) - 1;
    return reversed == all ? Regime::period_two : Regime::irregular;
}

void Descent::record(const std::function<void()>& between_passes) {
    // Everything that may throw comes first, so that a record is either complete or not there.
    std::vector<Evaluation> evaluations;
    const auto evaluate = [&](auto& set) {
        // All evaluation sets have the columns of the training set, and so its layout.
        evaluations.push_back(set.evaluate(u_, options_.loss, options_.tie));
        between_passes();
    };
    evaluate(passes_);
    for (const auto& eval : evals_) evaluate(*eval);

    double sharpness = std::numeric_limits<double>::quiet_NaN(), sharpness_mean = sharpness;
    Vector top = top_direction_, top_mean = top_direction_mean_;
    std::int64_t spent = 0;
    if (options_.watch_sharpness) {
        // With few columns the search ends by itself after d + 1 passes. Otherwise all searches
        // together may cost kFreePasses and a quarter of the steps, beyond which a record gets
        // kFewestPasses: what one leaves undone the next goes on with.
        constexpr std::int64_t kFreePasses = 200, kFewestPasses = 4, kMostPasses = 40;
        const bool few = problem_->layout().cols <= 16;
        const std::int64_t credit = kFreePasses + step_ / 4 - sharpness_passes_;
        const int most =
            static_cast<int>(few ? kMostPasses : std::clamp(credit, kFewestPasses, kMostPasses));
        const auto curvature = [&](const Vector& u, Vector& direction) {
            return rate_ * largest_curvature(passes_, u, options_.loss, few ? 1e-7 : 1e-3, most,
                                             direction, [&] {
                                                 ++spent;
                                                 between_passes();
                                             });
        };
        sharpness = curvature(u_, top);
        sharpness_mean = sharpness;
        // Single iterates of an oscillation look flat; the mean of two does not.
        if (turns_.backward & 1u) {
            Vector middle(u_.size());
            for (std::size_t j = 0; j < u_.size(); ++j) middle[j] = u_[j] - 0.5 * update_[j];
            sharpness_mean = curvature(middle, top_mean);
        }
    }
    std::swap(top_direction_, top);
    std::swap(top_direction_mean_, top_mean);
    sharpness_passes_ += spent;

    const std::size_t cols = problem_->layout().cols;
    const double b = u_[problem_->layout().intercept];
    for (const Evaluation& e : evaluations) {
        records_.loss_sum.push_back(e.loss_sum);
        records_.correct.push_back(e.correct);
    }
    records_.sharpness.push_back(sharpness);
    records_.sharpness_mean.push_back(sharpness_mean);
    records_.regime.push_back(static_cast<std::int8_t>(turns_.regime()));
    records_.b.push_back(b);
    records_.norm_w.push_back(norm(u_.data(), cols));
    if (options_.keep_weights) {
        records_.weights.insert(records_.weights.end(), u_.begin(),
                                u_.begin() + static_cast<std::ptrdiff_t>(cols));
        records_.weights.push_back(b);
    }
    records_.steps.push_back(step_);
    records_.last_parameters = u_;
}

}  // namespace fastgrok
