// The leaping integrator's fields, each of which makes the other where that one serves better.
#pragma once

#include <functional>
#include <limits>
#include <memory>

#include "engines/leap_field.hpp"

namespace fastgrok {

// The effect of an error on the solution where the equations cannot be solved.
inline constexpr double kUnknownEffect = std::numeric_limits<double>::infinity();

// Where the Hessian is a small dense matrix. Rows that are not packed need coordinates, which pack
// them.
std::unique_ptr<LeapField> make_dense_field(
    const Problem& problem, Loss loss, const SlowMotion& motion, int threads,
    std::function<void()> between_passes, std::shared_ptr<const Coordinates> coordinates = nullptr,
    const LeapCosts& costs = {});

// Where it is known by its products with vectors.
std::unique_ptr<LeapField> make_conjugate_field(const Problem& problem, Loss loss,
                                                const SlowMotion& motion, int threads,
                                                std::function<void()> between_passes);

// Whole rounds of a cycle, likewise.
std::unique_ptr<LeapField> make_products_cycle_field(const Problem& problem, Loss loss,
                                                     const SlowMotion& motion, int period,
                                                     int threads,
                                                     std::function<void()> between_passes);

}  // namespace fastgrok
