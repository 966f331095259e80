// The rows that can still matter to a descent step, found without looking at the others.
//
// A step leaves out, exactly, every row whose margin, in the loss's unit (which is called bits
// here, as it mostly is), is above a bound that depends on the loss and the last step's gradient
// alone (Descent). A row whose margin was far above it cannot have come below before the parameters
// have moved by the excess over the row's norm. So levels of ever shorter lists are kept: level k
// was made at parameters u_k, holds the rows of level k - 1 (level 0: all rows) whose excess allows
// for less than a radius r_k, and answers for the others as long as |u - u_k| <= r_k and the bound
// has not outgrown the allowance made for it. A step visits the innermost level that holds; what it
// leaves out would have added exact zeros, so the result is that of a pass over all rows to the
// last bit.
//
// A level is made from the margins that a step over its parent has computed anyway, and keeps a
// quarter to three quarters of the parent's rows: the least for which the radius is worth a number
// of steps.
#pragma once

#include <cstdint>
#include <vector>

#include "core/problem.hpp"
#include "core/team.hpp"
#include "engines/needs.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {

enum class Skip {
    never,
    patiently,  // where lists did not last, the next attempt waits
    always,     // a new level is tried at every step
};

class ActiveRows {
public:
    // What it skips by is a bound that a loss has; others are not asked for it (never).
    static constexpr LossProperty needs[] = {kSkippable};

    ActiveRows(const Problem& problem, Loss loss, Skip skip, int threads);

    // The largest norm of a row (x_i, 1).
    double largest_norm() const { return norms_.largest; }

    // One chunk's share of a step from u, to zeros: sum of -l'(m_i) y_i (x_i, 1) over its rows with
    // margins of at most `most` bits. All chunks must have their turn before `advance`; any order,
    // any threads.
    void first_of_chunk(std::size_t chunk, const Vector& u, double most, double* out);

    // Whether the coming pass goes over all rows.
    bool over_all() const { return depth_ == 0; }

    // For such a pass over rows that are not packed: what it is over rows of the chunk from its row
    // `first` on, which are added. Block by block in order, from row 0, all of a chunk come to what
    // first_of_chunk gives.
    RowPass pass_of_block(std::size_t chunk, std::size_t first, const Vector& u, double most,
                          double* out);

    // By one thread alone: the pass at u is over, the next one is at `next`, which is `distance`
    // away, or less, with the bound `most`.
    void advance(const Vector& u, const Vector& next, double distance, double most);

    // Forgets all lists.
    void reset();

    // Frees them and makes no more; false if that had been so before.
    bool give_up();

    // How many rows the pass that is due, or was made last, looks at.
    std::size_t rows_of_pass() const { return size(depth_); }

    // Row visits so far.
    std::uint64_t visits() const { return visits_; }

    // After a pass, before `advance`: the number of rows that the pass left out though their
    // margin, in bits, was not above `most`. 0 unless there is a mistake here.
    std::size_t missed(const Vector& bits, double most) const;

private:
    // Of one chunk. Packed rows are copied, lane by lane, so that every row keeps its lane and its
    // place in the order of the lane's sum; free places hold zeros and kNoRow.
    struct List {
        std::vector<std::uint32_t> rows;
        Vector blocks, weights;
    };
    struct Level {
        Vector u;
        double radius = 0.0, most = 0.0;
        double reach = 0.0;  // of the rows that it holds: the radius, and what rounding may take
        double left = 0.0;   // of the radius, at least
        std::uint64_t made_at = 0;
        std::size_t size = 0;
        std::vector<List> chunks;
    };
    // When to try and make a level below a depth again.
    struct Patience {
        std::uint32_t wait = 0, next = 1;
    };

    double* bits_of_chunk(std::size_t chunk);
    std::size_t size(std::size_t depth) const;
    void count_rows(Level& level) const;
    // The places of a chunk in the list at a depth (0: all rows), and the row at one of them.
    std::size_t places(std::size_t depth, std::size_t chunk) const;
    std::size_t row_at(std::size_t depth, std::size_t chunk, std::size_t place) const;
    double reach(double bits, std::size_t row, double most) const;
    bool holds(Level& level, const Vector& next, double distance, double most) const;
    bool choose_radius(Level& level, std::size_t parent_size, double distance);
    void fill(List& list, std::size_t chunk);
    void fail(std::size_t depth);
    void watch(const Vector& next);

    const Problem& problem_;
    Loss loss_;
    Skip skip_;
    double error_;  // bound of the rounding of a margin, per norm of row and parameters
    const RowNorms& norms_;

    std::size_t depth_ = 0;  // levels in use; the pass runs over the last, or over all rows
    bool look_ = false;      // the pass keeps its margins in seen_
    bool make_ = false;      // the last level's lists are to be filled from seen_
    std::vector<Level> levels_;
    std::vector<Patience> patience_;
    std::vector<Vector> seen_;
    std::uint64_t passes_ = 0, visits_ = 0;
    // How far a few steps have led from where they began, and the same of those under way.
    double spread_ = 0.0, widest_ = 0.0;
    Vector probe_;
    int watched_ = 0;
};

}  // namespace fastgrok
