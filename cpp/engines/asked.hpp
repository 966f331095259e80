// What goes with a question about rows that lie elsewhere: plain numbers, one after the other.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <vector>

#include "engines/passes.hpp"

namespace fastgrok {

class About {
public:
    About() = default;
    explicit About(Loss loss) { add(static_cast<double>(loss)); }
    About(Loss loss, Tie tie) : About(loss) { add(static_cast<double>(tie)); }

    About& add(double number) {
        numbers_.push_back(number);
        return *this;
    }
    About& add(std::size_t number) { return add(static_cast<double>(number)); }
    About& add(const Vector& vector) {
        add(vector.size());
        numbers_.insert(numbers_.end(), vector.begin(), vector.end());
        return *this;
    }
    About& add(const std::vector<Vector>& vectors) {
        add(vectors.size());
        for (const Vector& vector : vectors) add(vector);
        return *this;
    }
    Vector done() { return std::move(numbers_); }

private:
    Vector numbers_;
};

// The same read in order.
class Heard {
public:
    explicit Heard(const Vector& about) : at_(about.data()), end_(at_ + about.size()) {}

    double number() {
        if (at_ == end_) throw std::invalid_argument("a question about rows is too short");
        return *at_++;
    }
    std::size_t count() {
        const double number = this->number();
        if (!(number >= 0.0 && number <= 0x1p52))
            throw std::invalid_argument("a question about rows has a number out of range");
        return static_cast<std::size_t>(number);
    }
    Loss loss() {
        const std::size_t number = count();
        for (const Loss loss : kLosses)
            if (static_cast<std::size_t>(loss) == number) return loss;
        throw std::invalid_argument("a question about rows names no loss");
    }
    Tie tie() { return count() == 0 ? Tie::wrong : Tie::negative; }
    Vector vector() {
        const std::size_t size = count();
        if (size > static_cast<std::size_t>(end_ - at_))
            throw std::invalid_argument("a question about rows is too short");
        at_ += size;
        return {at_ - size, at_};
    }
    Vector vector(std::size_t size) {
        Vector out = vector();
        if (out.size() != size)
            throw std::invalid_argument("a question about rows has a vector of another length");
        return out;
    }
    std::vector<Vector> vectors(std::size_t size) {
        std::vector<Vector> out(count());
        for (Vector& vector : out) vector = this->vector(size);
        return out;
    }

private:
    const double* at_;
    const double* end_;
};

}  // namespace fastgrok
