// How rows are cut into chunks whose partial sums are added in order: by the problem's size alone,
// so that the number of threads cannot change a bit of any result.
#pragma once

#include <cstddef>

namespace fastgrok {

class Partition {
public:
    static constexpr std::size_t kMostChunks = 64;

    // `units` are rows, or blocks of 16 packed rows; a row has `entries` numbers, of which a chunk
    // gets at least so many.
    Partition(std::size_t units, std::size_t rows, std::size_t entries, std::size_t least = 0)
        : units_(units) {
        if (least < kLeastWork) least = kLeastWork;
        while (count_ < kMostChunks && rows >= 2 * count_ * fewest_rows() &&
               rows * entries >= 2 * count_ * least)
            count_ *= 2;
        chunks_ = count_;
    }

    // Chunks first to end - 1, as the partition of their units alone.
    Partition part(std::size_t first, std::size_t end) const {
        Partition out(*this);
        out.first_ = first_ + first;
        out.chunks_ = end - first;
        out.offset_ = units_ * out.first_ / count_;
        return out;
    }

    std::size_t count() const { return chunks_; }
    std::size_t first() const { return first_; }  // of the chunks, in the whole
    std::size_t begin(std::size_t chunk) const {
        return units_ * (first_ + chunk) / count_ - offset_;
    }
    std::size_t end(std::size_t chunk) const { return begin(chunk + 1); }

private:
    // Each chunk ends with a sum, as long as a row, that one thread alone adds to the others. Few
    // chunks may have few rows, which had better be long then.
    std::size_t fewest_rows() const { return count_ < 8 ? 4 : 128; }

    // A chunk of 2^14 doubles takes some 5 us, many times the cost of handing a step to a thread.
    static constexpr std::size_t kLeastWork = 1u << 14;

    std::size_t units_;
    std::size_t count_ = 1;               // of the whole
    std::size_t first_ = 0, chunks_ = 1;  // of the part
    std::size_t offset_ = 0;
};

}  // namespace fastgrok
