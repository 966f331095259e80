// Evaluations of the training set along a run, with the largest curvature at every record.
#pragma once

#include <functional>
#include <vector>

#include "engines/passes.hpp"

namespace fastgrok {

// What searches have left, all that later ones depend on.
struct SharpnessState {
    // Directions of the largest curvatures at a step, orthonormal, the largest first; where there
    // are several, that step. A negative step asks the next record for a search.
    struct Found {
        double step = -1.0;
        std::vector<Vector> directions;
    };
    Found at, mean;           // iterates, and means of two
    std::int64_t passes = 0;  // spent so far
};

// With few columns, and on small data, every record has a search of its own. Else a search leaves
// several directions, and the steps until a multiple of its own have the largest curvature in their
// span, which takes no pass; where that has turned within the span there are searches until two in
// turn agree. What is told of a record depends on the records before, however many are looked at
// together.
class Sharpness {
public:
    // An iterate that a record is made of; `middle`, unless empty, is the mean of two.
    struct Point {
        double step;
        Vector u, middle;
        std::int64_t counted;  // steps that were taken one by one before
    };
    // Of the Hessian of the summed loss; NaN if they are not watched.
    struct Told {
        Evaluation evaluation;
        double at, mean;
    };

    Sharpness(Passes& passes, Loss loss, bool watched);

    std::vector<Told> look(const std::vector<const Point*>& points, Tie tie,
                           const std::function<void()>& between_passes);

    // What the search that is due at a point behind those that were looked at may take, from what
    // the last one took; 0 if none is due.
    double expected_passes(const Point& point) const;

    const SharpnessState& state() const { return state_; }
    void restore(SharpnessState state) { state_ = std::move(state); }

private:
    using Found = SharpnessState::Found;

    // Whether a search costs so little that every record has one, which ends by itself.
    bool few() const;
    std::size_t entries() const;  // of the rows
    double free_passes() const;
    bool is_due(const SharpnessState& state, const Found& found, double step) const;
    int due(const SharpnessState& state, const Point& point) const;  // how many searches
    std::size_t foresee(const SharpnessState& state, const std::vector<const Point*>& points,
                        std::size_t first);
    double search(const Vector& u, std::int64_t counted, std::vector<Vector>& directions,
                  std::int64_t& spent, const std::function<void()>& between_passes);

    Passes& passes_;
    Loss loss_;
    bool watched_;
    SharpnessState state_;
    double last_search_;  // in passes; no bit depends on it
};

}  // namespace fastgrok
