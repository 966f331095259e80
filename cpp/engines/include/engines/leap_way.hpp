// Where a leap went, kept to be told once it has gone on.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "engines/coordinates.hpp"

namespace fastgrok {

class LeapWay {
public:
    // Whether a step over k was kept, or the leap came to rest before k.
    bool has(double k) const { return part_of(k) != nullptr; }
    // u at such a k, to the bits that Leap::at() had.
    void at(double k, Vector& u) const;

    bool empty() const { return parts_.empty(); }

private:
    friend class Leap;

    struct Point {
        double k, s;
        std::size_t order;  // of the step that ended there
        Vector u;
    };
    // Steps in a row in the same coordinates, from `from` on, and points before.
    struct Part {
        double from, to;
        std::shared_ptr<const Coordinates> coordinates;
        bool bias;
        std::size_t intercept;
        std::vector<Point> points;  // k increasing
    };

    const Part* part_of(double k) const;

    std::vector<Part> parts_;
    double rests_from_ = std::numeric_limits<double>::infinity();
};

}  // namespace fastgrok
