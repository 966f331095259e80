// What the learning rate is multiplied with from step to step.
#pragma once

#include <cstdint>

#include "core/blocks.hpp"

namespace fastgrok {

struct Schedule {
    enum class Kind { constant, power, warmup, cosine, table };

    Kind kind = Kind::constant;
    // power: exponent and k0; warmup and cosine: their length; cosine: what it ends at
    double exponent = 0.0, length = 1.0, floor = 0.0;
    Vector table;  // a factor a step

    // Of the step that `k` others came before; after the end of a table its last.
    double at(double k) const;
    // From there on the factor is smooth in k; 0 where it is so everywhere.
    double last_kink() const;
    bool is_constant() const { return kind == Kind::constant; }
};

}  // namespace fastgrok
