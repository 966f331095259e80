#include "engines/attack_rows.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "norms.hpp"

namespace fastgrok {
namespace {

// Scaled by a power of two first, so that no square overflows or underflows.
Vector unit_vector(const double* w, std::size_t n, Ball ball) {
    Vector out(w, w + n);
    double largest = 0.0, square = 0.0, total = 0.0;
    for (const double x : out) largest = std::max(largest, std::fabs(x));
    if (largest == 0.0) return out;
    const int exponent = std::ilogb(largest);
    for (double& x : out) {
        x = std::scalbn(x, -exponent);
        square += x * x;
        total += std::fabs(x);
    }
    const double norm = ball == Ball::l_1 ? total : std::sqrt(square);
    for (double& x : out) x /= norm;
    return out;
}

}  // namespace

RowAttack::RowAttack(const Problem& problem, const AttackSettings& settings, const Vector& u)
    : problem_(problem),
      settings_(settings),
      cols_(problem.layout().cols),
      direction_(unit_vector(u.data(), cols_, settings.ball)),
      starts_(settings, problem.rows(), cols_),
      single_(settings, u.data(), u[problem.layout().intercept], cols_),
      twice_(settings, u.data(), u[problem.layout().intercept], cols_) {
    if (settings.ball != Ball::l_1 || settings.method != AttackMethod::exact) return;
    heaviest_.resize(cols_);
    std::iota(heaviest_.begin(), heaviest_.end(), std::size_t{0});
    const auto weight = [&](std::size_t j) { return std::fabs(u[j]); };
    std::stable_sort(heaviest_.begin(), heaviest_.end(),
                     [&](std::size_t i, std::size_t j) { return weight(i) > weight(j); });
}

double RowAttack::into_box(double value, std::size_t j) const {
    if (!settings_.has_box()) return value;
    return std::min(std::max(value, settings_.lower[j]), settings_.upper[j]);
}

// s.row is the row, s.start where the attack starts: in the box, and in the ball around the row.
void RowAttack::put_start(std::size_t row, double radius, std::int64_t restart, Scratch& s) const {
    s.row.resize(cols_);
    problem_.copy_row(row, s.row.data());
    if (!settings_.random_start) {
        s.start = s.row;
        return;
    }
    s.start.resize(starts_.room());
    starts_.draw(row, restart, radius, s.start.data());
    for (std::size_t j = 0; j < cols_; ++j) s.start[j] = into_box(s.row[j] + s.start[j], j);
}

void RowAttack::move(std::size_t row, double radius, std::int64_t restart, Interrupt& interrupt,
                     Scratch& s, double* point) const {
    put_start(row, radius, restart, s);
    const double y = problem_.labels()[row];
    const double* start = settings_.random_start ? s.start.data() : nullptr;
    switch (settings_.method) {
        case AttackMethod::autodiff32:
            single_.move(problem_, row, radius, start, interrupt, s.single, point);
            return;
        case AttackMethod::autodiff64:
            twice_.move(problem_, row, radius, start, interrupt, s.twice, point);
            return;
        case AttackMethod::exact:
            if (settings_.ball == Ball::l_inf) return move_l_inf(y, radius, s, point);
            if (settings_.ball == Ball::l_1) return worst_in_l_1(y, radius, s, point);
            if (settings_.has_box()) return worst_in_ball_and_box(y, radius, s, point);
            return worst_in_ball(y, radius, s, point);
        case AttackMethod::pgd:
            if (settings_.ball == Ball::l_inf) return move_l_inf(y, radius, s, point);
            if (settings_.has_box() || settings_.ball == Ball::l_1)
                return iterate_in_ball_and_box(y, radius, interrupt, s, point);
            return iterate_in_ball(y, radius, interrupt, s, point);
    }
}

// Clipping a monotone motion after every step is clipping it once. The worst case is a motion
// without end.
void RowAttack::move_l_inf(double y, double radius, const Scratch& s, double* point) const {
    const bool exact = settings_.method == AttackMethod::exact;
    const double reach = settings_.reach();
    for (std::size_t j = 0; j < cols_; ++j) {
        const double push = -y * direction_[j];
        double x = s.start[j];
        if (push > 0.0) {
            const double end = into_box(s.row[j] + settings_.in_column(radius, j), j);
            x = exact ? end : std::min(x + reach, end);
        } else if (push < 0.0) {
            const double end = into_box(s.row[j] - settings_.in_column(radius, j), j);
            x = exact ? end : std::max(x - reach, end);
        }
        point[j] = x;
    }
}

void RowAttack::worst_in_ball(double y, double radius, const Scratch& s, double* point) const {
    for (std::size_t j = 0; j < cols_; ++j) point[j] = s.row[j] - y * radius * direction_[j];
}

// All of the radius goes where it counts most, and what the box leaves of it to the next column.
void RowAttack::worst_in_l_1(double y, double radius, const Scratch& s, double* point) const {
    std::copy(s.row.begin(), s.row.end(), point);
    double left = radius;
    for (const std::size_t j : heaviest_) {
        if (direction_[j] == 0.0 || left <= 0.0) return;
        const double ahead = y * direction_[j] > 0.0 ? -left : left;
        point[j] = into_box(s.row[j] + ahead, j);
        if (!settings_.has_box()) return;
        left -= std::fabs(point[j] - s.row[j]);
    }
}

// Water-filling: the worst move is min(room_j, t |w_j|) in every coordinate, with the t that makes
// its norm the radius. t only grows while coordinates reach their side of the box, so none of these
// ever comes back.
void RowAttack::worst_in_ball_and_box(double y, double radius, Scratch& s, double* point) const {
    std::copy(s.row.begin(), s.row.end(), point);
    if (radius == 0.0) return;
    s.room.resize(cols_);
    s.free.clear();
    const auto side = [&](std::size_t j) {
        return y * direction_[j] > 0.0 ? settings_.lower[j] : settings_.upper[j];
    };
    // In units of the radius.
    for (std::size_t j = 0; j < cols_; ++j) {
        if (direction_[j] == 0.0) continue;
        s.room[j] = std::fabs(side(j) - s.row[j]) / radius;
        s.free.push_back(j);
    }
    double left = 1.0;  // of the squared norm
    while (!s.free.empty()) {
        // Scaled, because those that are left may be tiny beside those that are done.
        double largest = 0.0, square = 0.0;
        for (const std::size_t j : s.free) largest = std::max(largest, std::fabs(direction_[j]));
        const double scale = std::scalbn(1.0, -std::ilogb(largest));
        for (const std::size_t j : s.free) {
            const double w = scale * direction_[j];
            square += w * w;
        }
        const double t = std::sqrt(std::max(left, 0.0) / square);
        std::size_t kept = 0;
        for (const std::size_t j : s.free) {
            if (t * (scale * std::fabs(direction_[j])) >= s.room[j]) {
                left -= s.room[j] * s.room[j];
                point[j] = side(j);
            } else {
                s.free[kept++] = j;
            }
        }
        if (kept == s.free.size()) {
            for (const std::size_t j : s.free)
                point[j] = into_box(s.row[j] - y * radius * (t * (scale * direction_[j])), j);
            return;
        }
        s.free.resize(kept);
    }
}

// Projection scales the part of the motion along w and the rest alike, so two numbers describe it.
void RowAttack::iterate_in_ball(double y, double radius, Interrupt& interrupt, const Scratch& s,
                                double* point) const {
    double along = 0.0, square = 0.0;
    for (std::size_t j = 0; j < cols_; ++j) {
        const double delta = s.start[j] - s.row[j];
        along -= y * direction_[j] * delta;
        square += delta * delta;
    }
    const bool still =
        std::all_of(direction_.begin(), direction_.end(), [](double w) { return w == 0.0; });
    if (still) {
        std::copy_n(s.start.begin(), cols_, point);
        return;
    }
    const double first_along = along;
    double rest = std::sqrt(std::max(square - along * along, 0.0)), shrunk = 1.0;
    if (!settings_.random_start) {
        along = std::min(settings_.reach(), radius);
    } else {
        for (std::int64_t k = 0; k < settings_.steps && !interrupt.due(k); ++k) {
            const double before = along, rest_before = rest;
            along += settings_.step_size;
            const double distance = norm(along, rest);
            if (distance > radius) {
                const double factor = radius / distance;
                along *= factor;
                rest *= factor;
                shrunk *= factor;
            }
            // The part across w goes on shrinking where the one along w stands still already.
            const bool settled = rest == rest_before || rest <= 0x1p-60 * radius;
            if (along == before && settled) break;
        }
    }
    for (std::size_t j = 0; j < cols_; ++j) {
        const double ahead = -y * direction_[j];
        const double across = (s.start[j] - s.row[j]) - first_along * ahead;
        point[j] = s.row[j] + (shrunk * across + along * ahead);
    }
}

void RowAttack::iterate_in_ball_and_box(double y, double radius, Interrupt& interrupt,
                                        const Scratch& s, double* point) const {
    std::copy_n(s.start.begin(), cols_, point);
    for (std::int64_t k = 0; k < settings_.steps && !interrupt.due(k); ++k) {
        const bool l_1 = settings_.ball == Ball::l_1;
        double sum = 0.0;
        const auto stepped = [&](std::size_t j) {
            return (point[j] - y * settings_.step_size * direction_[j]) - s.row[j];
        };
        for (std::size_t j = 0; j < cols_; ++j) {
            const double delta = stepped(j);
            sum += l_1 ? std::fabs(delta) : delta * delta;
        }
        const double norm = l_1 ? sum : std::sqrt(sum);
        const double factor = norm > radius ? radius / norm : 1.0;
        bool changed = false;
        for (std::size_t j = 0; j < cols_; ++j) {
            const double next = into_box(s.row[j] + factor * stepped(j), j);
            changed |= next != point[j];
            point[j] = next;
        }
        if (!changed) return;  // and so in all steps to come
    }
}

}  // namespace fastgrok
