// Whole passes over a problem: the kernels, chunk by chunk, on a team of threads, partial sums
// added in chunk order.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "core/problem.hpp"
#include "core/team.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {

// What a zero logit counts as.
enum class Tie { wrong, negative };

// Of weighted rows, how often each counts is its weight.
struct Evaluation {
    double loss_sum;
    double correct;
};

class PairedPasses;

class Passes {
public:
    Passes(const Problem& problem, int threads);

    const Problem& problem() const { return problem_; }
    int threads() const { return threads_; }
    std::size_t chunks() const { return problem_.partition().count(); }

    // y_i (x_i . w + b). The result stays valid until the next call; it is padded to whole blocks.
    const Vector& margins(const Vector& u);

    // Makes those of the first of them in one go, for margins() to find until it is told others, if
    // it can. Of how many: as many as there is room for, none or at least two.
    std::size_t foresee(std::vector<const Vector*> us);
    bool can_foresee() const;
    // Leaves what is kept for passes to come.
    void forget();

    // The same as if computed in twice the working precision (Dot2 of Ogita, Rump and Oishi 2005)
    // and then rounded: off by at most eps |m_i| + (gamma_k)^2 (|x_i| . |w| + |b|) with eps =
    // 2^-53, gamma_k = k eps / (1 - k eps) and k = cols + 2, if nothing overflows or underflows.
    const Vector& accurate_margins(const Vector& u);

    // Of rows that lie elsewhere there are none of these. The least of the first:
    double least_margin(const Vector& u);

    Evaluation evaluate(const Vector& u, Loss loss, Tie tie);

    // What to tell besides, of rows that are not packed: of the Hessian at each of `us` the
    // symmetric matrix of its products of pairs of these vectors, row by row.
    struct Projection {
        std::vector<Vector> on;
        std::vector<Vector> hessians;
    };

    // Each of them to the same bits, of rows that are not packed in one go: every row is read once
    // for as many parameter vectors as there is room for margins.
    std::vector<Evaluation> evaluate_all(const std::vector<Vector>& us, Loss loss, Tie tie,
                                         Projection* projection = nullptr);

    // What is added up there, by chunk: place k * chunks() + c is of the vector k.
    struct ByChunk {
        std::vector<Evaluation> of;
        Vector projected;  // for each so many numbers as pairs of vectors
    };
    ByChunk evaluate_by_chunk(const std::vector<Vector>& us, Loss loss, Tie tie,
                              const std::vector<Vector>& on);

    // Minus the gradient of the summed loss: sum of -l'(m_i) y_i (x_i, 1). Without bias the last is
    // 0. Each row's share is times its weight, here and in what follows.
    // `bits`, if given, gets the margins in the loss's unit, padded like those above. Of a loss
    // that takes a shift 2^shift times the sum.
    void first(const Vector& u, Loss loss, Vector& out, double shift = 0.0, Vector* bits = nullptr);

    // Where `out`, which first() has given of a loss with an exponential tail, is about to
    // underflow, since all margins are large, it is made 2^shift times as large; gives the shift,
    // or 0.
    double keep_direction(const Vector& u, Loss loss, Vector& out);

    // The same as first(), and the upper triangle, row by row, of the Hessian of the summed loss.
    // Packed rows; of more than kMostPackedCols columns an exponential tail as well.
    void newton(const Vector& u, Loss loss, double shift, Vector& bits, Vector& out,
                Vector& hessian);

    // weights <- l''(m_i) at u;  out <- sum of weight_i (z_i . v) z_i.
    void curvature_weights(const Vector& u, Loss loss, Vector& weights);
    void second(const Vector& weights, const Vector& v, Vector& out);
    // The same over these rows alone, chunk by chunk from its place in the list on; weights by
    // place.
    void second_of(const std::vector<std::uint32_t>& rows, const std::vector<std::size_t>& begin,
                   const Vector& weights, const Vector& v, Vector& out);

    // From now on first(), second() and what is asked of all rows elsewhere read the rows together
    // with the passes of another, to the same bits.
    void pair(PairedPasses& with) { paired_ = &with; }
    // Of first() and second() all but the sum over the chunks: with another if there is one; alone;
    // together with one by `other` over the same rows, which are not packed.
    RowPass first_pass(const Vector& u, Loss loss, double shift, Vector* bits) const;
    void make_paired(const RowPass& pass);
    void make(const RowPass& pass);
    void make_both(const RowPass& pass, Passes& other, const RowPass& others);

    // For an engine that runs a team of its own over many steps: where the sums over the rows of
    // one chunk go, the same made zero, and their sum.
    double* partial(std::size_t chunk) { return partials_.data() + chunk * stride_; }
    double* zero_partial(std::size_t chunk);
    template <class Chunk>
    void for_all_chunks(Chunk work) {  // which must not throw
        deal(chunks(), threads_, [&](std::size_t c, int) { work(c); });
    }
    void add_chunks(Vector& out) const;

    // Asks about rows that lie elsewhere. Where sums over the rows are answered these go to the
    // same place; the other numbers come back, chunk by chunk.
    enum class Answer { numbers, sums };
    Vector ask(const Asked& asked, Answer answer);
    Vector ask_alone(const Asked& asked, Answer answer);
    void ask_both(const Asked& asked, Passes& other, const Asked& others);

private:
    double least_margin_elsewhere(const Vector& u);
    void first_elsewhere(const Vector& u, Loss loss, Vector& out, double shift);
    ByChunk evaluate_elsewhere(const std::vector<Vector>& us, Loss loss, Tie tie,
                               const std::vector<Vector>& on);
    template <class Chunk>
    void for_chunks(Chunk work, std::size_t rows);
    template <class Chunk>
    void for_chunks(Chunk work) {
        for_chunks(std::move(work), problem_.rows());
    }
    bool recall(const Vector& u);
    Evaluation sum_of(const Evaluation* by_chunk) const;
    RowPass in_chunk(RowPass pass, std::size_t chunk);
    Evaluation evaluate_chunk(std::size_t chunk, const double* margins, Loss loss, Tie tie) const;
    const double* weights_from(std::size_t row) const;
    void project_chunk(const double* margins, const double* weights, std::size_t n, Loss loss,
                       const double* along, std::size_t apart, std::size_t vectors, Vector& room,
                       double* out) const;

    const Problem& problem_;
    PairedPasses* paired_ = nullptr;
    int threads_;
    std::size_t stride_;
    Vector partials_, newton_partials_;
    Vector margins_, margins_of_;    // and the parameters whose margins these are
    Vector foreseen_, foreseen_of_;  // the same of several, one after the other
    Vector along_;                   // products with what was projected on last, if they have room
    std::vector<Vector> along_of_;
};

template <class Chunk>
void Passes::for_chunks(Chunk work, std::size_t rows) {
    if (problem_.elsewhere() != nullptr) throw std::logic_error("these rows lie elsewhere");
    const bool alone = rows * problem_.row_entries() < kLeastWork;
    const int threads = alone ? 1 : threads_;
    deal(chunks(), threads, [&](std::size_t c, int member) {
        if constexpr (std::is_invocable_v<Chunk, std::size_t, int>)
            work(c, member);
        else
            work(c);
    });
}

}  // namespace fastgrok
