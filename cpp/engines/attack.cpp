#include "engines/attack.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "engines/storage.hpp"

namespace fastgrok {
namespace {

// Between two looks at the interrupt.
constexpr std::size_t kRadiiAtOnce = 64;

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
        largest = largest_magnitude(magnitude);
        for (std::size_t j = 0; settings.radius_by_column && j < cols; ++j)
            by_column += settings.radii[j] * magnitude[j];
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
    double norm_1 = 0.0, norm_2 = 0.0, largest = 0.0;
    double by_column = 0.0;  // the drop in a ball whose radius depends on the column

    // How far a row's margin falls in its ball.
    double drop(Ball ball, double radius) const {
        switch (ball) {
            case Ball::l_inf: return radius * norm_1;
            case Ball::l_2: return radius * norm_2;
            case Ball::l_1: return radius * largest;
        }
        return 0.0;
    }
};

Attack::Attack(const Problem& problem, const AttackSettings& settings, int threads)
    : problem_(problem),
      settings_(settings),
      threads_(std::min<int>(threads, static_cast<int>(problem.partition().count()))),
      scratch_(threads_) {
    if (problem.sparse()) throw std::invalid_argument("attacks need dense rows");
    const std::size_t cols = problem.layout().cols, grid = settings.grid();
    for (Scratch& s : scratch_) {
        for (Vector* v : {&s.radii, &s.drops, &s.margins}) v->resize(grid * kLanes);
        for (Vector* v : {&s.clean, &s.fresh}) v->resize(kLanes);
        s.points.resize(kLanes * cols);
        s.packed.resize(kLanes * (cols + 1));
    }
}

// Without a random start, or one that the attack leaves behind, all that is left of the iteration
// is how far it can go.
bool Attack::has_closed_form() const {
    const bool l_inf = settings_.ball == Ball::l_inf;
    const bool exact = settings_.method == AttackMethod::exact;
    if (settings_.radius_by_column) return exact && !settings_.has_box();
    if (exact) return l_inf || !settings_.has_box();
    // Steps of l_1 go along w, the worst case does not.
    if (settings_.method != AttackMethod::pgd || settings_.ball == Ball::l_1) return false;
    if (!settings_.random_start) return l_inf || !settings_.has_box();
    const double widest = *std::max_element(settings_.radii.begin(), settings_.radii.end());
    return l_inf && settings_.reach() >= 2.0 * widest;
}

// work(block, its scratch, interrupt) for all blocks, chunk by chunk in order.
template <class Work>
void Attack::for_blocks(Work work) {
    std::optional<Interrupt> never;
    if (Interrupt::here() == nullptr) never.emplace(Ask{});
    Interrupt& interrupt = *Interrupt::here();
    deal(problem_.partition().count(), threads_, [&](std::size_t c, int member) {
        const std::size_t end = std::min(problem_.first_row(c + 1), problem_.rows());
        for (std::size_t first = problem_.first_row(c); first < end; first += kLanes) {
            if (interrupt.due()) return;
            work(Block{c, first, std::min(kLanes, end - first)}, scratch_[member], interrupt);
        }
        problem_.leave_chunk(c);
    });
    if (interrupt.due()) throw Interrupted();
}

void Attack::clean_margins(const Target& target, const Block& block, Scratch& s) const {
    problem_.look_at_chunk(block.chunk, [&](auto all) {
        const auto rows = slice(all, block.first - problem_.first_row(block.chunk), block.count);
        kernels_for(rows).margins(rows, target.scaled.data(), s.clean.data());
    });
}

// One value that is not finite makes the margin so, whatever its weight; an overflow does as well.
bool Attack::are_sound(const Block& block, const Scratch& s) const {
    for (std::size_t i = 0; i < block.count; ++i)
        if (!std::isfinite(s.clean[i])) return false;
    bool inside = true;
    if (settings_.has_box())
        problem_.visit_rows(block.first, block.count, [&](auto rows) {
            if constexpr (Attackable<decltype(rows)>)
                inside =
                    kernels_for(rows).inside(rows, settings_.lower.data(), settings_.upper.data());
        });
    return inside;
}

// s.margins[k * kLanes + i] from s.clean[i], for row i of the block.
void Attack::closed_margins(const Target& target, const Block& block, Interrupt& interrupt,
                            Scratch& s) const {
    const std::size_t grid = settings_.grid();
    const double reach = settings_.method == AttackMethod::exact ? HUGE_VAL : settings_.reach();
    for (std::size_t k = 0; k < grid; ++k)
        for (std::size_t i = 0; i < block.count; ++i)
            s.radii[k * kLanes + i] = std::min(settings_.radius(block.first + i, k), reach);
    if (settings_.has_box())
        problem_.look_at_chunk(block.chunk, [&](auto all) {
            const auto rows =
                slice(all, block.first - problem_.first_row(block.chunk), block.count);
            const Retreat retreat{target.magnitude.data(), target.positive.data(),
                                  target.negative.data()};
            if constexpr (Attackable<decltype(rows)>)
                for (std::size_t k = 0; k < grid && !interrupt.due(); k += kRadiiAtOnce)
                    kernels_for(rows).drop(rows, retreat, s.radii.data() + k * kLanes,
                                           std::min(kRadiiAtOnce, grid - k), kLanes,
                                           s.drops.data() + k * kLanes);
        });
    for (std::size_t k = 0; k < grid * kLanes; k += kLanes)
        for (std::size_t i = 0; i < block.count; ++i) {
            const double drop = settings_.has_box() ? s.drops[k + i]
                                : settings_.radius_by_column
                                    ? target.by_column
                                    : target.drop(settings_.ball, s.radii[k + i]);
            s.margins[k + i] = s.clean[i] - drop;
        }
}

// The lowest margins over the restarts, and where `points` is given the rows that have them. The
// margins are what Passes gives for the attacked rows as a data set, bit for bit.
void Attack::moved_margins(const Target& target, const Block& block, std::size_t k,
                           Interrupt& interrupt, Scratch& s, double* margins,
                           double* points) const {
    const std::size_t cols = problem_.layout().cols, count = block.count;
    const double* y = problem_.labels() + block.first;
    const std::int64_t restarts = settings_.random_start ? settings_.restarts : 1;
    // To ask the clock takes about as long as a step of few columns.
    const bool wide = cols > kMostPackedCols;
    for (std::int64_t r = 0; r < restarts; ++r) {
        if (interrupt.due()) return;
        for (std::size_t i = 0; i < count; ++i) {
            if (wide && interrupt.due()) return;
            const std::size_t row = block.first + i;
            target.rows.move(row, settings_.radius(row, k), r, interrupt, s.row,
                             s.points.data() + i * cols);
        }
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
    return evaluate(u, loss, tie, nullptr);
}

std::vector<Evaluation> Attack::evaluate_unchecked(const Vector& u, Loss loss, Tie tie,
                                                   bool& sound) {
    std::atomic<bool> so_far{true};
    std::vector<Evaluation> result = evaluate(u, loss, tie, &so_far);
    sound = so_far;
    return result;
}

std::vector<Evaluation> Attack::evaluate(const Vector& u, Loss loss, Tie tie,
                                         std::atomic<bool>* sound) {
    const Target target(problem_, settings_, u);
    const std::size_t grid = settings_.grid(), chunks = problem_.partition().count();
    const bool closed = has_closed_form();
    const double* y = problem_.labels();
    std::vector<Evaluation> parts(chunks * grid, Evaluation{0.0, 0.0});
    for_blocks([&](const Block& block, Scratch& s, Interrupt& interrupt) {
        if (closed || sound != nullptr) clean_margins(target, block, s);
        if (sound != nullptr && !are_sound(block, s)) sound->store(false);
        if (closed) closed_margins(target, block, interrupt, s);
        for (std::size_t k = 0; k < grid; ++k) {
            double* m = s.margins.data() + k * kLanes;
            if (!closed) moved_margins(target, block, k, interrupt, s, m, nullptr);
            Evaluation& part = parts[block.chunk * grid + k];
            for (std::size_t i = 0; i < block.count; ++i) {
                const bool tied = m[i] == 0.0 && tie == Tie::negative && y[block.first + i] < 0.0;
                part.correct += m[i] > 0.0 || tied ? 1.0 : 0.0;
                m[i] = std::scalbn(m[i], target.exponent);
            }
            part.loss_sum += kernels().loss_sum(m, nullptr, block.count, loss);
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
    for_blocks([&](const Block& block, Scratch& s, Interrupt& interrupt) {
        moved_margins(target, block, 0, interrupt, s, s.margins.data(), out + block.first * cols);
    });
}

}  // namespace fastgrok
