// The Hessian of a sample of rows, dense, as a preconditioner for that of all rows. Late in a run
// few rows have most of the curvature, which no multiple of the identity comes near to.
#pragma once

#include <cstddef>

#include "core/problem.hpp"
#include "core/team.hpp"
#include "engines/dense.hpp"
#include "leap_rows.hpp"

namespace fastgrok {

class SampledHessian {
public:
    SampledHessian(const Problem& problem, int threads);

    // What each solve with (I + c (factor H + decay)) is preconditioned with: begin() tells of the
    // matrix and answers whether there is anything better than nothing; end() how many products,
    // each a pass over the rows, were taken. A sample is taken when products beyond a few have cost
    // as much.
    struct Of {
        LeapRows& rows;
        double trace;  // of their Hessian, with a bias
        double factor, of_w, of_bias;
    };
    bool is_possible() const { return !given_up_; }
    bool begin(const Of& of);
    void end(const LeapRows& rows, std::size_t products);

    // z <- (of_w + factor H')^-1 r.
    void operator()(const Vector& r, Vector& z);

private:
    std::size_t rows_wanted(const LeapRows& rows) const;
    void sample(const Of& of);
    bool factorise_with(const Of& of, double scale);
    MatrixView view(Vector& entries) const {
        return {entries.data(), size_, size_, static_cast<std::ptrdiff_t>(size_), 1};
    }

    const Problem& problem_;
    int threads_;
    std::size_t size_;  // of the matrix: columns, and the bias
    bool given_up_;
    double patience_ = 1.0;  // a sample has to pay so many times
    bool fresh_ = false;     // taken for the solve under way
    double excess_ = 0.0;    // products beyond a few since the last sample, times rows
    double last_ = 0.0;      // products of a solve before that
    double trace_ = 0.0;     // of the sample's Hessian when it was taken
    double factor_ = 0.0;    // that was factorised
    Vector hessian_, triangle_, right_;
};

}  // namespace fastgrok
