#include "engines/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fastgrok {

double Schedule::at(double k) const {
    constexpr double kPi = 3.141592653589793;
    switch (kind) {
        case Kind::constant: return 1.0;
        case Kind::power: return std::pow(1.0 + k / length, -exponent);
        case Kind::warmup: return std::min(1.0, (k + 1.0) / length);
        case Kind::cosine:
            // As a square: near the end nothing but rounding errors would be left of 1 + cos.
            if (k >= length) return floor;
            return floor + (1.0 - floor) * std::pow(std::cos(0.5 * kPi * (k / length)), 2.0);
        case Kind::table: return table[std::min(static_cast<std::size_t>(k), table.size() - 1)];
    }
    return 1.0;
}

double Schedule::largest_from(double k) const {
    switch (kind) {
        case Kind::constant:
        case Kind::warmup: return 1.0;
        case Kind::power:
        case Kind::cosine: return at(k);
        case Kind::table:
            return *std::max_element(
                table.begin() + static_cast<std::ptrdiff_t>(
                                    std::min(static_cast<std::size_t>(k), table.size() - 1)),
                table.end());
    }
    return 1.0;
}

double Schedule::next_kink(double k) const {
    constexpr double kNever = std::numeric_limits<double>::infinity();
    if (kind == Kind::warmup || kind == Kind::cosine) return k < length ? length : kNever;
    return kind == Kind::table ? k : kNever;
}

}  // namespace fastgrok
