// An attack on the rows of a Problem.
#pragma once

#include <memory>

#include "bindings/problem.hpp"
#include "engines/evaluator.hpp"

namespace fastgrok {

struct BoundAttack {
    std::shared_ptr<BoundProblem> problem;
    AttackSettings settings;
};

}  // namespace fastgrok
