// Random starting points, each a function of seed, restart and row alone.
#pragma once

#include <cstdint>

#include "engines/attack_settings.hpp"

namespace fastgrok {

// Number `index` of the SplitMix64 sequence (Steele, Lea & Flood 2014) that begins at `seed`.
std::uint64_t splitmix64(std::uint64_t seed, std::uint64_t index);

class Starts {
public:
    // Settings must outlive this.
    Starts(const AttackSettings& settings, std::size_t rows, std::size_t cols);

    // Doubles that `draw` writes: a few more than columns for the l_2 and l_1 balls.
    std::size_t room() const { return words_; }

    // A point of the ball of the given radius around 0, uniformly distributed in it.
    void draw(std::size_t row, std::int64_t restart, double radius, double* delta) const;

private:
    const AttackSettings& settings_;
    std::size_t rows_, cols_, words_;
};

}  // namespace fastgrok
