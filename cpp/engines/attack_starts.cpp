#include "engines/attack_starts.hpp"

#include <cmath>

namespace fastgrok {
namespace {

constexpr double kTwoPi = 6.283185307179586;

// 53 bits in [0, 1).
double unit(std::uint64_t bits) {
    return static_cast<double>(bits >> 11) * 0x1p-53;
}

// The l_2 ball takes two coordinates more than there are columns, and numbers come in pairs; the
// l_1 ball takes one more.
std::size_t words(Ball ball, std::size_t cols) {
    switch (ball) {
        case Ball::l_inf: return cols;
        case Ball::l_2: return (cols + 3) / 2 * 2;
        case Ball::l_1: return cols + 1;
    }
    return 0;
}

}  // namespace

std::uint64_t splitmix64(std::uint64_t seed, std::uint64_t index) {
    std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

Starts::Starts(const AttackSettings& settings, std::size_t rows, std::size_t cols)
    : settings_(settings), rows_(rows), cols_(cols), words_(words(settings.ball, cols)) {}

void Starts::draw(std::size_t row, std::int64_t restart, double radius, double* delta) const {
    const std::uint64_t first = (static_cast<std::uint64_t>(restart) * rows_ + row) * words_;
    const std::uint64_t seed = settings_.seed;
    if (settings_.ball == Ball::l_inf) {
        for (std::size_t j = 0; j < cols_; ++j)
            delta[j] =
                settings_.in_column(radius, j) * (2.0 * unit(splitmix64(seed, first + j)) - 1.0);
        return;
    }
    if (settings_.ball == Ball::l_1) {
        // Shares of d + 1 exponential waiting times are uniform in the simplex; the sign is a bit
        // that `unit` leaves.
        double total = 0.0;
        for (std::size_t j = 0; j < words_; ++j) {
            const std::uint64_t bits = splitmix64(seed, first + j);
            const double time = -std::log(1.0 - unit(bits));
            delta[j] = bits & 1 ? time : -time;
            total += time;
        }
        const double factor = total > 0.0 ? radius / total : 0.0;
        for (std::size_t j = 0; j < cols_; ++j) delta[j] *= factor;
        return;
    }
    // d coordinates of a point on the unit sphere in d + 2 dimensions are uniform in the unit ball.
    double square = 0.0;
    for (std::size_t j = 0; j < words_; j += 2) {
        const double u = 1.0 - unit(splitmix64(seed, first + j));  // (0, 1]
        const double angle = kTwoPi * unit(splitmix64(seed, first + j + 1));
        const double length = std::sqrt(-2.0 * std::log(u));
        delta[j] = length * std::cos(angle);
        delta[j + 1] = length * std::sin(angle);
        square += delta[j] * delta[j];
        if (j + 1 < cols_ + 2) square += delta[j + 1] * delta[j + 1];
    }
    const double factor = square > 0.0 ? radius / std::sqrt(square) : 0.0;
    for (std::size_t j = 0; j < cols_; ++j) delta[j] *= factor;
}

}  // namespace fastgrok
