// What an engine needs of a loss. Each says so beside its declaration, and looks when it is built;
// who builds it had better look before.
#pragma once

#include <span>

#include "kernels/losses.hpp"

namespace fastgrok {

struct LossProperty {
    const char* name;
    bool (*of)(const LossTraits&);
};

inline constexpr LossProperty kLossProperties[] = {
    {"convex", [](const LossTraits& loss) { return loss.convex; }},
    {"differentiable", [](const LossTraits& loss) { return loss.differentiable; }},
    {"twice_differentiable", [](const LossTraits& loss) { return loss.twice_differentiable; }},
    {"skippable", [](const LossTraits& loss) { return loss.skippable(); }},
    {"exponential_tail", [](const LossTraits& loss) { return loss.exponential_tail(); }},
    {"bounded_curvature", [](const LossTraits& loss) { return loss.bounded_curvature(); }},
    {"stays_in_range", [](const LossTraits& loss) { return loss.stays_in_range(); }},
};
inline constexpr LossProperty kConvex = kLossProperties[0];
inline constexpr LossProperty kTwiceDifferentiable = kLossProperties[2];
inline constexpr LossProperty kSkippable = kLossProperties[3];
inline constexpr LossProperty kExponentialTail = kLossProperties[4];
inline constexpr LossProperty kStaysInRange = kLossProperties[6];

using LossNeeds = std::span<const LossProperty>;

// std::invalid_argument naming the first property that is missing.
void check_needs(const char* engine, LossNeeds needs, Loss loss);

}  // namespace fastgrok
