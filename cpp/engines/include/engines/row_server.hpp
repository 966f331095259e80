// Answers questions about some whole chunks of a problem, on the machine that has their rows, for
// the engines on another.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "engines/active_rows.hpp"
#include "engines/passes.hpp"

namespace fastgrok {

class CurvatureWork;
class LeapWork;

class RowServer {
public:
    // The rows are chunks of a larger problem (Problem::be_part).
    RowServer(std::shared_ptr<const Problem> rows, int threads);
    ~RowServer();

    // Chunk by chunk, first the sums over the rows, one for each parameter, if there are any, and
    // then other numbers. About what, and what comes of it:
    //
    //     largest_norm                      RowNorms::largest
    //     row_sizes                         sum ||(x_i, 1)||^2, the largest ||x_i||, sum ||x_i||^2
    //     first         loss, shift, u      the sums of Passes::first
    //     least_margin  u                   the least margin
    //     evaluate      loss, tie, us, on   for each of us loss, rows that are right, and products
    //                                       of pairs as in Passes::Projection
    //     step          loss, skip, most, u the sums of a step of Descent; the rows looked at
    //     weigh         loss, u             the largest curvature of a row at u
    //     list_weights  least               how many have at least so much
    //     second        listed, v           the sums of Passes::second, weighed so
    //
    // Others belong to a leap and are said with it (LeapWork), behind its loss.
    // Of two whole passes, of leaps with different owners, both sums of each chunk.
    Vector answer(const Asked& asked, const Asked* beside = nullptr);
    void forget(std::uint64_t owner);

private:
    Vector answer_both(const Asked& asked, const Asked& other);
    LeapWork& leap(std::uint64_t owner, Loss loss);
    Vector with_sums(const Vector& numbers);
    Vector row_sizes();
    Vector evaluate(const Vector& about);
    Vector step(const Vector& about);

    std::shared_ptr<const Problem> rows_;
    int threads_;
    Passes passes_, beside_;
    Vector ignored_;
    std::unique_ptr<CurvatureWork> curvature_;
    std::map<std::uint64_t, std::unique_ptr<LeapWork>> leaps_;

    std::unique_ptr<ActiveRows> active_;
    Loss active_loss_ = Loss::logistic;
    Skip active_skip_ = Skip::never;
    Vector last_;  // where the last step was taken from, if its lists are whole
};

}  // namespace fastgrok
