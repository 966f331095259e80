// What an adversary may do to each row, and how it goes about it.
#pragma once

#include <cstdint>

#include "core/problem.hpp"

namespace fastgrok {

enum class Ball { l_inf, l_2, l_1 };

//   exact       the worst point of the ball (and the box)
//   pgd         steps along the true sign of the gradient, -y w, projected and clipped
//   autodiff32  steps along the gradient of the cross-entropy as automatic differentiation computes
//   autodiff64  it in that precision, at the point reached
enum class AttackMethod { exact, pgd, autodiff32, autodiff64 };

struct AttackSettings {
    AttackMethod method = AttackMethod::exact;
    Ball ball = Ball::l_inf;
    // Radii, not negative: one for each row, one for each column (of l_inf), or else a grid of
    // which each goes for all rows.
    Vector radii = {1.0};
    bool radius_by_row = false, radius_by_column = false;
    double step_size = 0.25;
    std::int64_t steps = 20;
    bool random_start = false;
    std::int64_t restarts = 1;
    std::uint64_t seed = 0;
    // A side for each column, possibly infinite; both empty where there is no box. Rows lie inside.
    Vector lower, upper;

    bool has_box() const { return !lower.empty(); }
    std::size_t grid() const { return radius_by_row || radius_by_column ? 1 : radii.size(); }
    double radius(std::size_t row, std::size_t k) const { return radii[radius_by_row ? row : k]; }
    // The radius in a column, `radius` being the row's.
    double in_column(double radius, std::size_t j) const {
        return radius_by_column ? radii[j] : radius;
    }
    // How far the iterated attack can go along one direction.
    double reach() const { return step_size * static_cast<double>(steps); }
};

}  // namespace fastgrok
