// Points of a cube beyond a hyperplane orthogonal to its diagonal, or between two, from proposals
// that somebody else has drawn. The method is told where they are drawn, in Python.
//
// Coordinates of proposals are whole numbers, in steps of a lattice, whose sums have no rounding
// errors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastgrok {

// Row-major.
struct Proposals {
    const double* x;
    std::size_t rows, cols;
};

// Where points go, `capacity` at most. Their coordinates are those of proposals times `step`.
template <class Real>
struct Points {
    Real* x;
    std::size_t capacity;
    double step;
};

// Keeps proposals whose sum is `low` or more, above 0, on either side of 0, and reflects those on
// the wrong side, the one of -side. Returns the number of points.
template <class Real>
std::size_t keep_beyond(const Proposals& proposals, double low, double side,
                        const Points<Real>& points);

// What belongs to each proposal of all coordinates but the last: the sum of all of them, and a
// number of [0, 1) that decides.
struct Choices {
    const std::int64_t* sums;
    const double* chances;
};

// Of k = -2..n+1, n the number of columns of the proposals: the odds p(k) and p(k) + p(k+1).
struct SignLaw {
    const double *first, *pair;
};

// Keeps proposals by these odds, and appends the last coordinate. `half` is half of the cube's
// reach. A point has `excess` positive signs too many among the others, one for each point: signs
// are still to be turned. Returns the number of points.
template <class Real>
std::size_t keep_between(const Proposals& proposals, const Choices& choices, const SignLaw& law,
                         std::int64_t half, const Points<Real>& points, std::int64_t* excess);

// Some rows of a row-major x with `cols` columns, and of each how many positive signs it has too
// many; where that is negative, so many negative ones. Turning a sign moves the coordinate by
// `width`, the last column takes no part.
template <class Real>
struct SignsInExcess {
    Real* x;
    std::size_t cols;
    Real width;
    const std::int64_t* rows;
    std::int64_t* excess;
    std::size_t count;
};

// Turns signs of coordinates that are picked uniformly: row number i has `picks` numbers of [0, 1)
// from drawn[i * picks] on. A pick counts if it has the sign in excess, if no later one picks the
// same coordinate, and while signs are in excess; `excess` becomes what is left.
template <class Real>
void turn_signs(const SignsInExcess<Real>& signs, const double* drawn, std::size_t picks);

}  // namespace fastgrok
