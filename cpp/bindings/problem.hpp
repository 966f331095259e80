// A Problem together with the arrays that it reads.
#pragma once

#include <memory>

#include "arrays.hpp"
#include "core/problem.hpp"

namespace fastgrok {

struct BoundProblem {
    BoundProblem(py::array x, Array<double> y, bool bias, bool align, std::size_t kept);
    BoundProblem(const BoundProblem& rows, Array<double> y, bool bias);  // the same rows
    BoundProblem(std::shared_ptr<Elsewhere> elsewhere, std::size_t rows, std::size_t cols,
                 bool bias);

    // The problem as a shared pointer that keeps this object, and so the arrays, alive. Whoever
    // holds it last must hold the GIL when letting go.
    static std::shared_ptr<const Problem> share(const std::shared_ptr<BoundProblem>& self) {
        return {self, &self->problem};
    }

    Vector parameters(const Array<double>& w, double b) const;

    py::array x;
    Array<double> y;
    Problem problem;
};

}  // namespace fastgrok
