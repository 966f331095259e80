// The second, coarser integration of a leap, whose difference from the first shows the error of
// both. Over many rows it goes on beside the first: reading them takes as long for two passes as
// for one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "engines/leap.hpp"
#include "engines/paired_passes.hpp"

namespace fastgrok {

class CoarseLeap {
public:
    CoarseLeap(std::unique_ptr<Leap> leap, double horizon);

    // Whether it can go beside another: both must stay in the coordinates that they are in.
    bool can_go_beside() const { return !leap_->field().turns_later(); }
    // From now on the passes of each next step are made together with those of `fine`, which has to
    // be asked for nothing once this is gone. All that is shown here changes in step() alone.
    // Nothing happens where there is no thread to be had.
    void go_beside(Leap& fine);

    // See Leap::step(). `between_passes`, which may throw, is called after passes that are not made
    // together.
    Leap::Status step(const std::function<void()>& between_passes);

    double now() const { return leap_->now(); }
    void at(double k, Vector& u) const { leap_->at(k, u); }
    std::int64_t accepted() const { return leap_->statistics().accepted; }
    // Of the steps so far; if it goes beside another, of whole ones.
    const LeapCosts& costs() const { return paired_ ? costs_ : leap_->field().costs(); }
    void turn(const std::shared_ptr<const Coordinates>& coordinates) { leap_->turn(coordinates); }
    std::int64_t passes_together() const { return paired_ ? paired_->together() : 0; }

private:
    std::unique_ptr<Leap> leap_;
    double horizon_;
    Leap::Status status_ = Leap::Status::moving;
    LeapCosts costs_;
    std::unique_ptr<PairedPasses> paired_;  // ends before what it works on
};

}  // namespace fastgrok
