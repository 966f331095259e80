// What is asked of rows beside descent: the largest curvature, sizes, the support of the maximum
// margin, margins under attack.
#include <cmath>
#include <limits>
#include <numeric>

#include "engines/attack.hpp"
#include "engines/cube_points.hpp"
#include "engines/curvature.hpp"
#include "engines/row_sizes.hpp"
#include "engines/support.hpp"
#include "parts.hpp"
#include "runs.hpp"

namespace {

using namespace fastgrok;

Vector drawn_parameters(const Problem& problem) {
    return problem.pack_parameters(drawn_weights(problem.layout().cols).data(), 0.25);
}

template <class Compute>
bool print_for(const std::string& name, int threads, Compute compute) {
    return print_same(name, compute(threads), compute(1));
}

bool print_curvatures(std::size_t n, std::size_t d, bool single, int threads) {
    const auto data = make_data(n + d, n, d, single);
    const Problem& problem = *data->problem;
    return print_for("curvature " + shape_name(n, d, single), threads, [&](int most) {
        Digest digest;
        Passes passes(problem, most);
        for (const Loss loss : kLosses) {
            std::vector<Vector> directions;
            double visited = 0.0;
            CurvatureSearch search;
            search.keep = 3;
            digest.add(largest_curvature(passes, drawn_parameters(problem), loss, search,
                                         directions, visited));
            for (const Vector& direction : directions) digest.add_all(direction);
            digest.add(static_cast<std::uint64_t>(std::ceil(visited)));
        }
        const RowSizes sizes = row_sizes(problem, most);
        digest.add_all(sizes.squares);
        digest.add_all(sizes.columns);
        return digest;
    });
}

// Rows that are separated by all columns together, so that margins are found.
bool print_support(std::size_t n, std::size_t d, bool bias, bool graded, int threads) {
    Generator random(n * d);
    Vector x(n * d), y(n);
    for (std::size_t i = 0; i < n; ++i) {
        y[i] = i % 3 == 0 ? -1.0 : 1.0;
        for (std::size_t j = 0; j < d; ++j) {
            const double unit = graded && j % 2 == 1 ? 0x1p-30 : 1.0;
            x[i * d + j] = unit * (random.uniform() + y[i] * 0.375);
        }
    }
    const auto problem = std::make_shared<const Problem>(x.data(), y.data(), n, d, bias);
    bool same = true;
    for (const bool free : {false, true}) {
        if (free && !bias) continue;
        MarginUnits units;
        units.free = free;
        if (graded)
            for (std::size_t j = 0; j < d; ++j) units.columns.push_back(j % 2 == 1 ? -30 : 0);
        same &= print_for(std::string("support ") + (bias ? (free ? "free bias " : "bias ") : "") +
                              (graded ? "graded " : "") + shape_name(n, d, false),
                          threads, [&](int most) {
                              const Support found = find_support(*problem, units, {}, most);
                              Digest digest;
                              digest.add(static_cast<std::uint64_t>(found.found));
                              digest.add(static_cast<std::uint64_t>(found.refined));
                              digest.add_all(found.rows);
                              digest.add_all(found.point.theta);
                              digest.add_all(found.point.alpha);
                              digest.add_all(found.point.rest);
                              return digest;
                          });
    }
    return same;
}

bool print_attacks(std::size_t n, std::size_t d, bool single, int threads) {
    const auto data = make_data(n + d, n, d, single);
    const Problem& problem = *data->problem;
    const Vector u = drawn_parameters(problem);
    bool same = true;
    for (const AttackMethod method : {AttackMethod::exact, AttackMethod::pgd,
                                      AttackMethod::autodiff32, AttackMethod::autodiff64})
        for (const Ball ball : {Ball::l_inf, Ball::l_2, Ball::l_1})
            for (const int how :
                 {0, 1, 2, 3}) {  // plain; a box; by row from a drawn start; by column
                const bool steps = method != AttackMethod::exact;
                if (steps && ball == Ball::l_1) continue;
                if (how == 3 && ball != Ball::l_inf) continue;
                AttackSettings settings;
                settings.method = method;
                settings.ball = ball;
                settings.radii = {0.0, 0.125, 0.5};
                settings.steps = 7;
                settings.step_size = 0.0625;
                if (how == 1) {
                    settings.lower.assign(d, -1.5);
                    settings.upper.assign(d, 1.25);
                    settings.lower[0] = -kInfinity;
                }
                if (how == 2) {
                    settings.radius_by_row = true;
                    settings.radii.assign(n, 0.25);
                    settings.random_start = steps;
                    settings.restarts = steps ? 3 : 1;
                    settings.seed = 5;
                }
                if (how == 3) {
                    settings.radius_by_column = true;
                    settings.radii.resize(d);
                    for (std::size_t j = 0; j < d; ++j)
                        settings.radii[j] = 0.0625 * static_cast<double>(j % 5);
                }
                const std::string name = "attack " + std::to_string(static_cast<int>(method)) +
                                         " " + std::to_string(static_cast<int>(ball)) + " " +
                                         std::to_string(how) + " " + shape_name(n, d, single);
                same &= print_for(name, threads, [&](int most) {
                    Attack attack(problem, settings, most);
                    Digest digest;
                    const auto add = [&](const std::vector<Evaluation>& evaluations) {
                        for (const Evaluation& e : evaluations) {
                            digest.add(e.loss_sum);
                            digest.add(e.correct);
                        }
                    };
                    add(attack.evaluate(u, Loss::logistic, Tie::wrong));
                    bool sound = false;
                    add(attack.evaluate_unchecked(u, Loss::hinge, Tie::negative, sound));
                    digest.add(static_cast<std::uint64_t>(sound));
                    Vector points(n * d);
                    attack.points(u, points.data());
                    digest.add_all(points);
                    return digest;
                });
            }
    return same;
}

template <class Real>
void print_cube_points(const char* name) {
    constexpr std::size_t kRows = 50, kCols = 5;
    Generator random(3);
    Vector lattice(kRows * kCols), drawn(kRows * 8);
    for (double& x : lattice) x = static_cast<double>(std::int64_t(random.bits() % 2001) - 1000);
    for (double& x : drawn) x = 0.5 * random.uniform() + 0.5;
    std::vector<Real> points(kRows * kCols);
    const std::size_t kept = keep_beyond<Real>({lattice.data(), kRows, kCols}, 300.0, 1.0,
                                               {points.data(), kRows, 0x1p-10});
    Digest digest;
    digest.add(static_cast<std::uint64_t>(kept));
    digest.add_all(points);
    std::vector<std::int64_t> rows(kept), excess(kept);
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
    for (std::size_t i = 0; i < kept; ++i) excess[i] = std::int64_t(i % 5) - 2;
    turn_signs<Real>({points.data(), kCols, Real{1}, rows.data(), excess.data(), kept},
                     drawn.data(), 8);
    digest.add_all(points);
    digest.add_all(excess);
    print(std::string("cube points ") + name, digest);
}

}  // namespace

namespace fastgrok {

bool print_questions(const Extent& extent) {
    const auto& [threads, shared] = extent;
    bool same = true;
    for (bool single : {false, true}) {
        same &= print_curvatures(9000, 16, single, threads);  // several chunks
        same &= print_curvatures(1400, 100, single, threads);
        same &= print_attacks(shared ? 700 : 1400, 100, single, threads);
        if (shared) return same & print_support(1500, 60, true, false, threads);
        for (std::size_t d : {1, 3, 16, 17, 60})
            for (std::size_t n : {1, 9, 33}) same &= print_curvatures(n, d, single, threads);
        for (std::size_t d : {2, 16, 17, 40}) same &= print_attacks(37, d, single, threads);
    }
    for (const bool bias : {false, true})
        for (const bool graded : {false, true})
            for (std::size_t d : {1, 2, 5, 17, 60})
                for (std::size_t n : {2, 40, 1500})
                    same &= print_support(n, d, bias, graded, threads);
    // Long rows, with a guess of their coefficients.
    for (const bool bias : {false, true})
        for (std::size_t n : {240, 700}) same &= print_support(n, 150, bias, false, threads);
    print_cube_points<double>("float64");
    print_cube_points<float>("float32");
    return same;
}

}  // namespace fastgrok
