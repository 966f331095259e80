#include "engines/schedule.hpp"

#include <algorithm>
#include <cmath>

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

double Schedule::last_kink() const {
    switch (kind) {
        case Kind::constant:
        case Kind::power: return 0.0;
        case Kind::warmup:
        case Kind::cosine: return length;
        case Kind::table: return static_cast<double>(table.size());
    }
    return 0.0;
}

}  // namespace fastgrok
