// Attacks that move one row at a time, by whatever method; nothing larger than a row is stored.
#pragma once

#include "core/interrupt.hpp"
#include "engines/attack_autodiff.hpp"
#include "engines/attack_settings.hpp"
#include "engines/attack_starts.hpp"

namespace fastgrok {

class RowAttack {
public:
    // u holds (w, b) in the problem's layout, unscaled. Problem and settings must outlive this.
    RowAttack(const Problem& problem, const AttackSettings& settings, const Vector& u);

    struct Scratch {
        Vector row, start, room;
        std::vector<std::size_t> free;
        AutodiffAttack<float>::Scratch single;
        AutodiffAttack<double>::Scratch twice;
    };
    // The attacked row, inside the box exactly and inside the ball up to rounding. Once the
    // interrupt is due, anything.
    void move(std::size_t row, double radius, std::int64_t restart, Interrupt& interrupt,
              Scratch& scratch, double* point) const;

private:
    void put_start(std::size_t row, double radius, std::int64_t restart, Scratch& s) const;
    void move_l_inf(double y, double radius, const Scratch& s, double* point) const;
    void worst_in_ball(double y, double radius, const Scratch& s, double* point) const;
    void worst_in_l_1(double y, double radius, const Scratch& s, double* point) const;
    void worst_in_ball_and_box(double y, double radius, Scratch& s, double* point) const;
    void iterate_in_ball(double y, double radius, Interrupt& interrupt, const Scratch& s,
                         double* point) const;
    void iterate_in_ball_and_box(double y, double radius, Interrupt& interrupt, const Scratch& s,
                                 double* point) const;
    double into_box(double value, std::size_t j) const;

    const Problem& problem_;
    const AttackSettings& settings_;
    std::size_t cols_;
    Vector direction_;                   // w / ||w||_2 or, for the l_1 ball, w / ||w||_1; or 0
    std::vector<std::size_t> heaviest_;  // columns of the l_1 ball by |w|, the heaviest first
    Starts starts_;
    AutodiffAttack<float> single_;
    AutodiffAttack<double> twice_;
};

}  // namespace fastgrok
