// A Problem together with the arrays that it reads.
#pragma once

#include <memory>
#include <vector>

#include "arrays.hpp"
#include "core/problem.hpp"

namespace fastgrok {

// The entries of sparse rows, the column of each, and where each row begins, with the end of the
// last.
struct SparseArrays {
    py::array x;
    Array<std::int32_t> columns;
    std::shared_ptr<const std::vector<std::int64_t>> begin;
};

struct BoundProblem {
    BoundProblem(py::array x, Array<double> y, bool bias, bool align, std::size_t kept);
    BoundProblem(SparseArrays sparse, std::size_t cols, Array<double> y, bool bias);
    BoundProblem(const BoundProblem& rows, Array<double> y, bool bias);  // the same rows
    BoundProblem(std::shared_ptr<Elsewhere> elsewhere, std::size_t rows, std::size_t cols,
                 bool bias);
    // The same rows and labels, each row so many times.
    BoundProblem(const BoundProblem& rows, const Array<double>& weights);

    // The problem as a shared pointer that keeps this object, and so the arrays, alive. Whoever
    // holds it last must hold the GIL when letting go.
    static std::shared_ptr<const Problem> share(const std::shared_ptr<BoundProblem>& self) {
        return {self, &self->problem};
    }

    Vector parameters(const Array<double>& w, double b) const;

    py::array x;          // or the entries of sparse rows,
    SparseArrays sparse;  // which are then here as well
    Array<double> y;
    Problem problem;
};

}  // namespace fastgrok
