#include "engines/coarse_leap.hpp"

#include <system_error>
#include <utility>

namespace fastgrok {

CoarseLeap::CoarseLeap(std::unique_ptr<Leap> leap, double horizon)
    : leap_(std::move(leap)), horizon_(horizon) {}

void CoarseLeap::go_beside(Leap& fine) {
    try {
        paired_ = std::make_unique<PairedPasses>([this] { status_ = leap_->step(horizon_); });
    } catch (const std::system_error&) {
        return;
    }
    leap_->wait_before_steps([this] { paired_->wait_for_finish(); });
    for (Leap* const way : {leap_.get(), &fine}) way->field().pair(*paired_);
}

Leap::Status CoarseLeap::step(const std::function<void()>& between_passes) {
    if (!paired_) return leap_->step(horizon_);
    paired_->finish(between_passes);
    costs_ = leap_->field().costs();
    return status_;
}

}  // namespace fastgrok
