// An attack on the rows of a Problem.
#pragma once

#include <memory>

#include "engines/evaluator.hpp"
#include "problem.hpp"

namespace fastgrok {

struct BoundAttack {
    std::shared_ptr<BoundProblem> problem;
    AttackSettings settings;
};

}  // namespace fastgrok
