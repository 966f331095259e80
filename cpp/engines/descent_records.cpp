// The records of a run.
#include <algorithm>
#include <new>
#include <utility>

#include "engines/descent.hpp"
#include "engines/spent.hpp"
#include "norms.hpp"

namespace fastgrok {
namespace {

// Records that are made together: a pass costs little more for so many. Fewer where they would
// hold many parameters, or a thread visit many entries, some tenths of a second: where a run is
// stopped they are made first, as there is no way back to their steps.
constexpr std::size_t kMostWaiting = 32, kMostParameters = 1u << 22;
constexpr double kMostVisits = 0x1p30;
// Beside a visit by a pass of its own, which waits for the memory: one by a pass for many, one of a
// sparse row, which has no such pass, and the loss of a row.
constexpr double kTogether = 1.0 / 5.0, kSparseVisit = 8.0, kLoss = 16.0;

}  // namespace

void Descent::record(const std::function<void()>& between_passes) {
    record_as(static_cast<double>(step_), between_passes);
}

void Descent::record_as(double step, const std::function<void()>& between_passes) {
    // Single iterates of an oscillation look flat; the mean of two does not.
    Vector middle;
    if (turns_.backward & 1u) {
        middle = u_;
        for (std::size_t j = 0; j < u_.size(); ++j) middle[j] -= 0.5 * update_[j];
    }
    note(step, u_, std::move(middle), regime(), between_passes);
}

void Descent::note(double step, Vector u, Vector middle, Regime regime,
                   const std::function<void()>& between_passes) {
    Iterate next{{step, std::move(u), std::move(middle), step_}, regime};
    if (!waiting_.empty() && takes_long(next)) make_records(between_passes);
    waiting_.push_back(std::move(next));
    ++next_record_;
    if (enough_wait()) make_records(between_passes);
}

// The records that wait and another.
bool Descent::takes_long(const Iterate& another) const {
    const auto rows = static_cast<double>(problem_->rows());
    const bool sparse = problem_->sparse();
    const double visit = sparse ? kSparseVisit : 1.0;
    const double entries = visit * static_cast<double>(problem_->row_entries());
    double all_rows = rows, points = 0.0, searched = 0.0;
    for (const auto& eval : evals_) all_rows += static_cast<double>(eval->rows());
    const auto add = [&](const Iterate& one) {
        points += one.middle.empty() ? 1.0 : 2.0;
        searched += sharpness_.expected_passes(one) * entries;
    };
    for (const Iterate& one : waiting_) add(one);
    add(another);
    const double evaluated = (sparse ? points : 1.0 + kTogether * points) * entries;
    const double visits = (evaluated + points * kLoss) * all_rows + searched * rows;
    return visits > kMostVisits * passes_.threads();
}

bool Descent::gathers_records() const {
    return !problem_->packed() && std::all_of(evals_.begin(), evals_.end(),
                                              [](const auto& eval) { return eval->gathers(); });
}

bool Descent::enough_wait() const {
    if (!gathers_records() || waiting_.size() == kMostWaiting) return true;
    return (waiting_.size() + 1) * problem_->layout().length > kMostParameters ||
           takes_long(waiting_.back());
}

void Descent::forget_waiting() {
    next_record_ -= waiting_.size();
    waiting_.clear();
}

bool Descent::can_be_kept() const {
    return !making_records_ || waiting_.empty() ||
           (waiting_.size() == 1 && waiting_[0].step == static_cast<double>(step_));
}

// A record is complete or not there, whatever ends this, and made later where it is not.
void Descent::make_records(const std::function<void()>& between_passes) {
    if (waiting_.empty() || making_records_) return;  // a poll asks for what is made
    const Lap lap(seconds_recording_);
    making_records_ = true;
    const auto drop_made = [&] {
        const double last = records_.steps.empty() ? -1.0 : records_.steps.back();
        std::erase_if(waiting_, [&](const Iterate& one) { return one.step <= last; });
    };
    struct End {
        Descent& run;
        ~End() { run.making_records_ = false; }
    } const end{*this};
    try {
        try {
            record_all(waiting_, between_passes);
        } catch (const std::bad_alloc&) {  // one alone takes less
            while (!waiting_.empty()) {
                record_all({waiting_.front()}, between_passes);
                drop_made();
            }
        }
    } catch (const std::bad_alloc&) {  // there may be room later
        drop_made();
        if (!gathers_records()) forget_waiting();
        throw;
    } catch (...) {
        drop_made();
        // Which may take long. One alone is due again, as its step is the present one.
        if (!gathers_records() || waiting_.size() == 1) forget_waiting();
        throw;
    }
    waiting_.clear();
    if (next_record_ == record_steps_.size()) passes_.forget();
}

void Descent::record_all(const std::vector<Iterate>& iterates,
                         const std::function<void()>& between_passes) {
    std::vector<Vector> us;
    std::vector<const Sharpness::Point*> points;
    for (const Iterate& iterate : iterates) {
        us.push_back(iterate.u);
        points.push_back(&iterate);
    }
    // All evaluation sets have the columns of the training set, and so its layout.
    std::vector<std::vector<Evaluation>> by_set;
    for (const auto& eval : evals_) {
        by_set.push_back(eval->evaluate_all(us, options_.loss, options_.tie));
        between_passes();
    }
    SharpnessState before = sharpness_.state();
    const std::size_t made = records_.steps.size();
    const auto told = sharpness_.look(points, options_.tie, between_passes);
    try {
        for (std::size_t k = 0; k < iterates.size(); ++k) {
            std::vector<Evaluation> evaluations{told[k].evaluation};
            for (const auto& all : by_set) evaluations.push_back(all[k]);
            record_one(iterates[k], told[k], evaluations);
        }
        records_.last_parameters = iterates.back().u;
    } catch (...) {  // out of memory: the records so far stay whole
        records_.truncate(made, sets(), problem_->layout().cols + 1);
        sharpness_.restore(std::move(before));
        throw;
    }
}

void Descent::record_one(const Iterate& iterate, const Sharpness::Told& told,
                         const std::vector<Evaluation>& evaluations) {
    const Vector& u = iterate.u;
    const double rate = rate_ * options_.stepper.schedule.at(iterate.step);
    for (const Evaluation& e : evaluations) {
        records_.loss_sum.push_back(e.loss_sum);
        records_.correct.push_back(e.correct);
    }
    records_.sharpness.push_back(rate * told.at);
    records_.sharpness_mean.push_back(rate * told.mean);
    records_.regime.push_back(static_cast<std::int8_t>(iterate.regime));
    records_.b.push_back(u[problem_->layout().intercept]);
    records_.norm_w.push_back(norm(u.data(), problem_->layout().cols));
    if (options_.keep_weights) append_weights(u);
    records_.steps.push_back(iterate.step);
}

void Descent::append_weights(const Vector& u) {
    const Layout& layout = problem_->layout();
    records_.weights.insert(records_.weights.end(), u.begin(),
                            u.begin() + static_cast<std::ptrdiff_t>(layout.cols));
    records_.weights.push_back(u[layout.intercept]);
}

void Records::truncate(std::size_t count, std::size_t sets, std::size_t parameters) {
    loss_sum.resize(count * sets);
    correct.resize(count * sets);
    for (Vector* column : {&steps, &b, &norm_w, &sharpness, &sharpness_mean}) column->resize(count);
    regime.resize(count);
    if (weights.size() > count * parameters) weights.resize(count * parameters);
}

}  // namespace fastgrok
