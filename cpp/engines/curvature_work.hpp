// What a search for the largest curvature has done over the rows themselves, chunk by chunk.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "engines/passes.hpp"

namespace fastgrok {

class CurvatureWork {
public:
    explicit CurvatureWork(Passes& passes) : passes_(passes) {}

    // The rows' curvatures at u; the largest by chunk, of rows that are not packed.
    Vector weigh(const Vector& u, Loss loss) {
        passes_.curvature_weights(u, loss, weights_);
        begin_.clear();
        if (passes_.problem().packed()) return {};  // of which no lists are made
        return by_chunk([&](std::size_t begin, std::size_t end) {
            return *std::max_element(weights_.data() + begin, weights_.data() + end);
        });
    }

    // Those of at least so much are to be listed. How many, by chunk.
    Vector list(double least) {
        least_ = least;
        begin_.clear();
        return by_chunk([&](std::size_t begin, std::size_t end) {
            return static_cast<double>(
                std::count_if(weights_.data() + begin, weights_.data() + end,
                              [&](double q) { return !(q < least); }));  // NaN stays
        });
    }

    // Passes::second over the list, or over all rows; `listed` is the same until the next list.
    void second(bool listed, const Vector& v, Vector& out) {
        if (weights_.size() < passes_.problem().rows())
            throw std::logic_error("rows were not weighed before");
        if (!listed) return passes_.second(weights_, v, out);
        if (begin_.empty()) take_list();
        passes_.second_of(rows_, begin_, weights_, v, out);
    }

private:
    template <class Of>
    Vector by_chunk(Of of) const {
        const Problem& problem = passes_.problem();
        Vector out;
        for (std::size_t c = 0; c < passes_.chunks(); ++c)
            out.push_back(
                of(problem.first_row(c), std::min(problem.first_row(c + 1), problem.rows())));
        return out;
    }

    void take_list() {
        const Problem& problem = passes_.problem();
        rows_.clear();
        begin_.push_back(0);
        for (std::size_t c = 0; c < passes_.chunks(); ++c) {
            const std::size_t end = std::min(problem.first_row(c + 1), problem.rows());
            for (std::size_t i = problem.first_row(c); i < end; ++i) {
                if (weights_[i] < least_) continue;
                weights_[rows_.size()] = weights_[i];
                rows_.push_back(static_cast<std::uint32_t>(i));
            }
            begin_.push_back(rows_.size());
        }
    }

    Passes& passes_;
    Vector weights_;
    double least_ = 0.0;
    std::vector<std::uint32_t> rows_;
    std::vector<std::size_t> begin_;  // of chunks, in the list of rows; empty: there is none
};

}  // namespace fastgrok
