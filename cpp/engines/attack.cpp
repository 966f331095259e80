#include "engines/attack.hpp"

#include <algorithm>
#include <cmath>

#include "engines/storage.hpp"

namespace fastgrok {
namespace {

// Rows are taken 16 at a time: a block of packed rows, and plain rows that fit into the caches.
constexpr std::size_t kBlock = 16;

double largest_magnitude(const Vector& u) {
    double largest = 0.0;
    for (const double x : u) largest = std::max(largest, std::fabs(x));
    return largest;
}

}  // namespace

// The hyperplane, prepared. Margins are computed with (w, b) scaled by a power of two, which
// changes no decision and keeps every product in range.
struct Attack::Target {
    Target(const Problem& problem, const AttackSettings& settings, const Vector& u)
        : rows(problem, settings, u),
          exponent(largest_magnitude(u) > 0.0 ? std::ilogb(largest_magnitude(u)) + 1 : 0),
          scaled(u),
          magnitude(u.size(), 0.0) {
        const std::size_t cols = problem.layout().cols;
        for (double& x : scaled) x = std::scalbn(x, -exponent);
        for (std::size_t j = 0; j < cols; ++j) magnitude[j] = std::fabs(scaled[j]);
        for (std::size_t j = 0; j < cols; ++j) norm_1 += magnitude[j];
        norm_2 = std::sqrt(kernels().dot(magnitude.data(), magnitude.data(), cols));
        if (!settings.has_box()) return;
        positive = settings.upper;
        negative = settings.lower;
        for (std::size_t j = 0; j < cols; ++j)
            if (u[j] > 0.0) std::swap(positive[j], negative[j]);
    }

    RowAttack rows;
    int exponent;
    Vector scaled, magnitude, positive, negative;
    double norm_1 = 0.0, norm_2 = 0.0;
};

Attack::Attack(const Problem& problem, const AttackSettings& settings, int threads)
    : problem_(problem),
      settings_(settings),
      threads_(std::min<int>(threads, static_cast<int>(problem.partition().count()))),
      scratch_(threads_) {
    const std::size_t cols = problem.layout().cols, grid = settings.grid();
    for (Scratch& s : scratch_) {
        for (Vector* v : {&s.radii, &s.drops, &s.margins}) v->resize(grid * kBlock);
        for (Vector* v : {&s.clean, &s.fresh}) v->resize(kBlock);
        s.points.resize(kBlock * cols);
        s.packed.resize(kBlock * (cols + 1));
    }
}

// Without a random start, or one that the attack leaves behind, all that is left of the iteration
// is how far it can go.
bool Attack::has_closed_form() const {
    const bool l_inf = settings_.ball == Ball::l_inf;
    switch (settings_.method) {
        case AttackMethod::exact: return l_inf || !settings_.has_box();
        case AttackMethod::pgd: break;
        default: return false;
    }
    if (!settings_.random_start) return l_inf || !settings_.has_box();
    const double widest = *std::max_element(settings_.radii.begin(), settings_.radii.end());
    return l_inf && settings_.reach() >= 2.0 * widest;
}

template <class Chunk>
void Attack::for_chunks(Chunk work) {
    Shares shares(problem_.partition().count(), threads_);
    run_team(threads_, [&](const Member& me) {
        std::size_t c;
        while (shares.take(me.index, c))
            work(c, problem_.first_row(c), std::min(problem_.first_row(c + 1), problem_.rows()),
                 scratch_[me.index]);
    });
}

// s.margins[k * kBlock + i], for rows first + i of a chunk.
void Attack::closed_margins(const Target& target, std::size_t chunk, std::size_t first,
                            std::size_t count, Scratch& s) const {
    const std::size_t grid = settings_.grid();
    const double reach = settings_.method == AttackMethod::exact ? HUGE_VAL : settings_.reach();
    for (std::size_t k = 0; k < grid; ++k)
        for (std::size_t i = 0; i < count; ++i)
            s.radii[k * kBlock + i] = std::min(settings_.radius(first + i, k), reach);
    const bool l_inf = settings_.ball == Ball::l_inf;
    problem_.visit_chunk(chunk, [&](auto all) {
        const auto rows = slice(all, first - problem_.first_row(chunk), count);
        kernels_for(rows).margins(rows, target.scaled.data(), s.clean.data());
        if (settings_.has_box())
            kernels_for(rows).drop(
                rows, {target.magnitude.data(), target.positive.data(), target.negative.data()},
                s.radii.data(), grid, kBlock, s.drops.data());
    });
    for (std::size_t k = 0; k < grid * kBlock; k += kBlock)
        for (std::size_t i = 0; i < count; ++i) {
            const double drop = settings_.has_box()
                                    ? s.drops[k + i]
                                    : s.radii[k + i] * (l_inf ? target.norm_1 : target.norm_2);
            s.margins[k + i] = s.clean[i] - drop;
        }
}

// The lowest margins over the restarts, and where `points` is given the rows that have them. The
// margins are what Passes gives for the attacked rows as a data set, bit for bit.
void Attack::moved_margins(const Target& target, std::size_t first, std::size_t count,
                           std::size_t k, Scratch& s, double* margins, double* points) const {
    const std::size_t cols = problem_.layout().cols;
    const double* y = problem_.labels() + first;
    const std::int64_t restarts = settings_.random_start ? settings_.restarts : 1;
    for (std::int64_t r = 0; r < restarts; ++r) {
        for (std::size_t i = 0; i < count; ++i)
            target.rows.move(first + i, settings_.radius(first + i, k), r, s.row,
                             s.points.data() + i * cols);
        double* fresh = s.fresh.data();
        if (problem_.packed()) {
            pack_block(s.points.data(), y, count, cols, s.packed.data());
            kernels().packed.margins({s.packed.data(), 1, cols}, target.scaled.data(), fresh);
        } else {
            kernels().plain64.margins({s.points.data(), y, count, cols}, target.scaled.data(),
                                      fresh);
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (r > 0 && !(fresh[i] < margins[i])) continue;
            margins[i] = fresh[i];
            if (points != nullptr) std::copy_n(s.points.data() + i * cols, cols, points + i * cols);
        }
    }
}

std::vector<Evaluation> Attack::evaluate(const Vector& u, Loss loss, Tie tie) {
    const Target target(problem_, settings_, u);
    const std::size_t grid = settings_.grid(), chunks = problem_.partition().count();
    const bool closed = has_closed_form();
    const double* y = problem_.labels();
    std::vector<Evaluation> parts(chunks * grid, Evaluation{0.0, 0});
    for_chunks([&](std::size_t c, std::size_t begin, std::size_t end, Scratch& s) {
        for (std::size_t first = begin; first < end; first += kBlock) {
            const std::size_t count = std::min(kBlock, end - first);
            if (closed) closed_margins(target, c, first, count, s);
            for (std::size_t k = 0; k < grid; ++k) {
                double* m = s.margins.data() + k * kBlock;
                if (!closed) moved_margins(target, first, count, k, s, m, nullptr);
                Evaluation& part = parts[c * grid + k];
                for (std::size_t i = 0; i < count; ++i) {
                    const bool tied = m[i] == 0.0 && tie == Tie::negative && y[first + i] < 0.0;
                    part.correct += m[i] > 0.0 || tied;
                    m[i] = std::scalbn(m[i], target.exponent);
                }
                part.loss_sum += kernels().loss_sum(m, count, loss);
            }
        }
    });
    for (std::size_t c = 1; c < chunks; ++c)
        for (std::size_t k = 0; k < grid; ++k) {
            parts[k].loss_sum += parts[c * grid + k].loss_sum;
            parts[k].correct += parts[c * grid + k].correct;
        }
    parts.resize(grid);
    return parts;
}

void Attack::points(const Vector& u, double* out) {
    const Target target(problem_, settings_, u);
    const std::size_t cols = problem_.layout().cols;
    for_chunks([&](std::size_t, std::size_t begin, std::size_t end, Scratch& s) {
        for (std::size_t first = begin; first < end; first += kBlock)
            moved_margins(target, first, std::min(kBlock, end - first), 0, s, s.margins.data(),
                          out + first * cols);
    });
}

}  // namespace fastgrok
