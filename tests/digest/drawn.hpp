// Digests of bits, and data that are the same everywhere: drawn from integers alone.
#pragma once

#include <bit>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "core/problem.hpp"

namespace fastgrok {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

inline std::string shape_name(std::size_t n, std::size_t d, bool single) {
    return std::string(single ? "float32" : "float64") + " d=" + std::to_string(d) +
           " n=" + std::to_string(n);
}

// FNV-1a over 64-bit words. All NaNs count as one: their sign and payload are nobody's business.
class Digest {
public:
    void add(std::uint64_t word) {
        for (int byte = 0; byte < 8; ++byte, word >>= 8)
            state_ = (state_ ^ (word & 0xff)) * 0x100000001b3u;
    }
    void add(double x) { add(std::bit_cast<std::uint64_t>(x == x ? x : kNan)); }
    template <class Values>
    void add_all(const Values& values) {
        for (const auto& x : values) {
            if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(x)>>) {
                add(x);
            } else {
                add(static_cast<std::uint64_t>(x));
            }
        }
    }
    std::uint64_t value() const { return state_; }

private:
    std::uint64_t state_ = 0xcbf29ce484222325u;
};

inline void print(const std::string& name, const Digest& digest) {
    std::printf("%s %016llx\n", name.c_str(), static_cast<unsigned long long>(digest.value()));
}

// SplitMix64.
class Generator {
public:
    explicit Generator(std::uint64_t seed) : state_(seed) {}

    std::uint64_t bits() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    // A multiple of 2^-52 in [-1, 1).
    double uniform() {
        return static_cast<double>(static_cast<std::int64_t>(bits()) >> 11) * 0x1p-52;
    }

private:
    std::uint64_t state_;
};

// What data are made of: numbers around 1; all magnitudes from denormals on, and both zeros; small
// numbers whose products with the weights all underflow to -0; separable rows most of which soon
// have so large a margin that a descent skips them.
enum class Kind { even, wild, tiny, far };

inline const char* name_of(Kind kind) {
    const char* const names[] = {"even", "wild", "tiny", "far"};
    return names[static_cast<int>(kind)];
}

// |exponents| up to 140 keep a float finite, and the denormals of float are among them.
inline double draw(Generator& random, Kind kind) {
    if (kind == Kind::even) return random.uniform();
    if (kind == Kind::tiny) return 0x1p-148;
    if (kind == Kind::far) {  // one after the other: compilers take factors in any order
        const double x = random.uniform();
        return x * static_cast<double>(std::uint64_t{1} << random.bits() % 12);
    }
    const std::uint64_t choice = random.bits() % 16;
    if (choice == 0) return 0.0;
    if (choice == 1) return -0.0;
    double x = random.uniform();
    const int exponent = static_cast<int>(random.bits() % 268) - 143;
    for (int k = 0; k < exponent; ++k) x *= 2.0;
    for (int k = 0; k > exponent; --k) x *= 0.5;
    return x;
}

struct Data {
    Vector x64, y;
    std::vector<float> x32;
    std::shared_ptr<const Problem> problem;
};

// A quarter of the labels are drawn (of far rows: none), the others follow the sign of the first
// column. Single precision or double is a matter of storage: both hold the same numbers.
inline std::unique_ptr<Data> make_data(std::uint64_t seed, std::size_t n, std::size_t d,
                                       bool single, bool bias = true, Kind kind = Kind::even) {
    auto data = std::make_unique<Data>();
    Generator random(seed);
    data->x32.resize(n * d);
    for (float& x : data->x32) x = static_cast<float>(draw(random, kind));
    data->x64.assign(data->x32.begin(), data->x32.end());
    for (std::size_t i = 0; i < n; ++i) {
        const bool drawn = kind != Kind::far && random.bits() % 4 == 0;
        const double sign = drawn ? random.uniform() : data->x64[i * d];
        data->y.push_back(sign < 0.0 ? -1.0 : 1.0);
    }
    std::variant<const double*, const float*> x = data->x64.data();
    if (single) x = data->x32.data();
    data->problem = std::make_shared<const Problem>(x, data->y.data(), n, d, bias);
    return data;
}

}  // namespace fastgrok
