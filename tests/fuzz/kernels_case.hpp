// Part of kernels.cpp: what is made of the bytes of an input.

// Numbers from the bytes of an input, then from SplitMix64, which all of its bytes have seeded.
class Source {
public:
    Source(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {
        for (std::size_t i = 0; i < size; ++i) state_ = (state_ ^ data[i]) * 0x100000001b3u;
    }
    std::uint64_t bits() {
        if (end_ - at_ >= 8) {
            std::uint64_t word;
            std::memcpy(&word, at_, 8);
            at_ += 8;
            return word;
        }
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(byte()) * n / 256; }
    std::uint8_t byte() { return at_ < end_ ? *at_++ : static_cast<std::uint8_t>(bits() >> 56); }

private:
    const std::uint8_t *at_, *end_;
    std::uint64_t state_ = 0xcbf29ce484222325u;
};

// Around 1; small integers, with ties and zeros; all finite magnitudes; anything.
enum class Kind { even, whole, wild, any };

double number(Source& source, Kind kind) {
    const std::uint64_t bits = source.bits();
    const double unit = static_cast<double>(static_cast<std::int64_t>(bits) >> 11) * 0x1p-52;
    switch (kind) {
        case Kind::even: return unit;
        case Kind::whole: return static_cast<double>(static_cast<int>(bits % 7) - 3);
        case Kind::wild: return std::ldexp(unit, static_cast<int>(bits % 2000) - 1000);
        case Kind::any: return std::bit_cast<double>(bits);
    }
    return 0.0;
}

struct Case {
    std::size_t n, d;
    Kind kind;
    Loss loss;
    double shift, scale;
    bool weighted;
    Numbers x, y, weight, w, v;  // rows; w and v with their bias behind
    Blocks<float> x32;

    explicit Case(Source& source)
        : n(std::min(source.below(kMostRows + 1), source.below(kMostRows + 1))),
          d(1 + std::min(source.below(kMostCols), source.below(kMostCols))),
          kind(Kind(source.below(4))),
          loss(kLosses[source.below(std::size(kLosses))]),
          shift(traits_of(loss).takes_shift() ? static_cast<double>(source.below(64)) : 0.0),
          scale(std::ldexp(1.0, static_cast<int>(source.below(6)))),
          weighted(source.below(2) == 1),
          x(n * d),
          y(n),
          weight(n, 1.0),
          w(d + 1),
          v(d + 1),
          x32(n * d) {
        for (double& value : w) value = number(source, kind) * (moderate() ? scale : 1.0);
        for (double& value : v) value = number(source, kind);
        for (double& value : y) value = source.below(2) == 1 ? 1.0 : -1.0;
        if (weighted)
            for (double& value : weight) value = static_cast<double>(source.below(5)) / 2.0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            x32[i] = static_cast<float>(number(source, kind));
            x[i] = moderate() || i % 2 == 0 ? static_cast<double>(x32[i]) : number(source, kind);
        }
    }
    bool moderate() const { return kind == Kind::even || kind == Kind::whole; }
};
