// Margins and accuracy of a data set under attack.
#pragma once

#include <atomic>
#include <vector>

#include "core/interrupt.hpp"
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

    // Losses and correct decisions at the attacked rows, for each radius of the grid. An Interrupt
    // of this thread is looked at after every move of a row.
    std::vector<Evaluation> evaluate(const Vector& u, Loss loss, Tie tie);

    // The same for rows that nobody has checked, while they are read anyway. `sound` is false where
    // a value seems not to be finite or to lie outside the box, and true only where none does.
    std::vector<Evaluation> evaluate_unchecked(const Vector& u, Loss loss, Tie tie, bool& sound);

    // The attacked rows, for the first radius of the grid: row-major, float64.
    void points(const Vector& u, double* out);

private:
    struct Target;
    // Up to kLanes rows of a chunk: one block of packed rows, or plain rows that fit into the
    // caches.
    struct Block {
        std::size_t chunk, first, count;
    };
    struct Scratch {
        Vector clean, radii, drops, margins, fresh, points, packed;
        RowAttack::Scratch row;
    };

    bool has_closed_form() const;
    std::vector<Evaluation> evaluate(const Vector& u, Loss loss, Tie tie, std::atomic<bool>* sound);
    template <class Work>
    void for_blocks(Work work);
    void clean_margins(const Target& target, const Block& block, Scratch& s) const;
    bool are_sound(const Block& block, const Scratch& s) const;
    void closed_margins(const Target& target, const Block& block, Interrupt& interrupt,
                        Scratch& s) const;
    void moved_margins(const Target& target, const Block& block, std::size_t k,
                       Interrupt& interrupt, Scratch& s, double* margins, double* points) const;

    const Problem& problem_;
    const AttackSettings& settings_;
    int threads_;
    std::vector<Scratch> scratch_;
};

}  // namespace fastgrok
