// The state of a run: out, and back in.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "engines/descent.hpp"

namespace fastgrok {

DescentState Descent::state() const {
    return {step_,
            u_,
            update_,
            update_square_,
            largest_,
            turns_,
            sharpness_.state(),
            stepper_.state(),
            cycles_.state()};
}

void Descent::restore(DescentState state, Records records, bool ahead) {
    check(state, records, ahead);
    cycles_.restore(state.cycles);
    step_ = state.step;
    u_ = std::move(state.u);
    update_ = std::move(state.update);
    update_square_ = state.update_square;
    largest_ = state.largest;
    turns_ = state.turns;
    sharpness_.restore(std::move(state.sharpness));
    stepper_.restore(std::move(state.stepper));
    recall_rows();
    records_ = std::move(records);
    waiting_.clear();
    next_record_ = records_.steps.size();
    diverged_ = false;
}

void Descent::check(const DescentState& state, const Records& records, bool ahead) const {
    const auto require = [](bool condition, const char* what) {
        if (!condition)
            throw std::invalid_argument(std::string("not a state of this run: ") + what);
    };
    const std::size_t length = u_.size(), count = records.steps.size();
    require(state.u.size() == length && state.update.size() == length &&
                records.last_parameters.size() == length,
            "u, update and last_parameters need the length of the parameters");
    for (const auto* found : {&state.sharpness.at, &state.sharpness.mean}) {
        require(found->step < 0.0 || !found->directions.empty(), "a search leaves a direction");
        for (const Vector& direction : found->directions)
            require(direction.size() == length, "a direction needs the length of the parameters");
    }
    require(state.sharpness.passes >= 0, "a number of passes is not negative");
    const std::size_t moments = stepper_.moments();
    require(state.stepper.first.size() == (moments >= 1 ? length : 0) &&
                state.stepper.second.size() == (moments >= 2 ? length : 0),
            "a velocity, or running means, need the length of the parameters, and an optimizer "
            "that has them");
    require(state.turns.seen >= 0 && state.turns.seen <= 64, "at most 64 turns are remembered");

    require(count <= record_steps_.size() &&
                std::equal(records.steps.begin(), records.steps.end(), record_steps_.begin()),
            "other steps are recorded");
    const double earliest = count == 0 ? 0.0 : records.steps.back();
    const double latest = count == record_steps_.size() ? earliest : record_steps_[count];
    const double step = static_cast<double>(state.step);
    require((ahead || step >= earliest) && step <= latest,
            "the step must lie between the last and the next record");
    const std::size_t weights = options_.keep_weights ? problem_->layout().cols + 1 : 0;
    require(records.b.size() == count && records.norm_w.size() == count &&
                records.sharpness.size() == count && records.sharpness_mean.size() == count &&
                records.regime.size() == count && records.loss_sum.size() == count * sets() &&
                records.correct.size() == count * sets() &&
                records.weights.size() == count * weights,
            "every record needs all its values");
    require(std::all_of(
                records.regime.begin(), records.regime.end(),
                [](std::int8_t regime) { return regime >= 0 && regime <= Cycles::kMostPeriod; }),
            "there are three regimes, and those of longer cycles");
}

}  // namespace fastgrok
