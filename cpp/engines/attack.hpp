// Margins and accuracy of a data set under attack.
#pragma once

#include <vector>

#include "engines/attack_rows.hpp"
#include "engines/passes.hpp"

namespace fastgrok {

// Nothing as large as the data is stored, and neither threads nor instruction sets change a bit.
// Closed forms, where there are any, cost one pass over the rows; the other attacks move one row
// after the other.
class Attack {
public:
    // Problem and settings must outlive this.
    Attack(const Problem& problem, const AttackSettings& settings, int threads);

    // Losses and correct decisions at the attacked rows, for each radius of the grid.
    std::vector<Evaluation> evaluate(const Vector& u, Loss loss, Tie tie);

    // The attacked rows, for the first radius of the grid: row-major, float64.
    void points(const Vector& u, double* out);

private:
    struct Target;
    struct Scratch {
        Vector clean, radii, drops, margins, fresh, points, packed;
        RowAttack::Scratch row;
    };

    bool has_closed_form() const;
    template <class Chunk>
    void for_chunks(Chunk work);
    void closed_margins(const Target& target, std::size_t chunk, std::size_t first,
                        std::size_t count, Scratch& s) const;
    void moved_margins(const Target& target, std::size_t first, std::size_t count, std::size_t k,
                       Scratch& s, double* margins, double* points) const;

    const Problem& problem_;
    const AttackSettings& settings_;
    int threads_;
    std::vector<Scratch> scratch_;
};

}  // namespace fastgrok
