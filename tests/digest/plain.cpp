// The kernels, and runs of plain descent.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "drawn.hpp"
#include "engines/dense.hpp"
#include "engines/descent.hpp"
#include "engines/passes.hpp"
#include "engines/storage.hpp"
#include "kernels/kernels.hpp"
#include "many.hpp"
#include "parts.hpp"

namespace {

using namespace fastgrok;

void print_elementary() {
    Vector x = {0.0, -0.0, kInfinity, -kInfinity, kNan, -kNan};
    for (int sign = 0; sign < 2; ++sign)
        for (std::uint64_t exponent = 0; exponent < 2047; exponent += 3)
            for (std::uint64_t mantissa : {0x1ull, 0x8000000000000ull, 0xfffffffffffffull})
                x.push_back(
                    std::bit_cast<double>(std::uint64_t(sign) << 63 | exponent << 52 | mantissa));
    for (int k = -752 * 8; k <= 752 * 8; ++k) x.push_back(k / 8.0);
    Generator random(1);
    for (int k = 0; k < 4096; ++k) x.push_back(random.uniform() * (k % 2 == 0 ? 40.0 : 1.0));

    const Kernels& k = kernels();
    constexpr std::size_t kBlock = 1000;
    for (std::size_t begin = 0; begin < x.size(); begin += kBlock) {
        const std::size_t n = std::min(kBlock, x.size() - begin);
        const double* from = x.data() + begin;
        Vector out(n);
        const auto print_out = [&](const std::string& name) {
            Digest digest;
            digest.add_all(out);
            print(name + " " + std::to_string(begin), digest);
        };
        k.exp(from, out.data(), n);
        print_out("exp");
        k.softplus(from, out.data(), n);
        print_out("softplus");
        k.sigmoid(from, out.data(), n);
        print_out("sigmoid");
        for (Loss loss : kLosses) {
            k.curvature(from, out.data(), n, loss);
            print_out(std::string("curvature ") + name_of(loss));
        }
    }
    for (std::size_t n = 0; n <= 40; ++n) {
        Vector out(n);
        const double* from = x.data() + (x.size() - n);
        k.exp(from, out.data(), n);
        Digest digest;
        digest.add_all(out);
        digest.add(k.dot(from, from, n));
        print("exp dot n=" + std::to_string(n), digest);
        for (Loss loss : kLosses) {
            Digest sum;
            sum.add(k.loss_sum(from, nullptr, n, loss));
            sum.add(k.loss_sum(from, from, n, loss));
            print(std::string("loss_sum ") + name_of(loss) + " n=" + std::to_string(n), sum);
        }
    }
}

// How far attacks inside a box of which two sides are infinite lower each margin, for two radii.
Digest drops(const Problem& problem, const Vector& u) {
    const std::size_t n = whole_lanes(problem.rows());
    Vector magnitude(u.size()), positive(u.size(), -0.5), negative(u.size(), 0.75);
    for (std::size_t j = 0; j < problem.layout().cols; ++j) {
        magnitude[j] = u[j] < 0.0 ? -u[j] : u[j];
        if (u[j] < 0.0) std::swap(positive[j], negative[j]);
    }
    positive[0] = -kInfinity;
    negative[0] = kInfinity;
    Vector radius(2 * n, 0.25), out(2 * n);
    std::fill(radius.begin() + static_cast<std::ptrdiff_t>(n), radius.end(), 0x1p-3);
    Digest digest;
    for (std::size_t c = 0; c < problem.partition().count(); ++c) {
        const std::size_t row = problem.first_row(c);
        problem.visit_chunk(c, [&](auto rows) {
            if constexpr (Attackable<decltype(rows)>)
                kernels_for(rows).drop(rows, {magnitude.data(), positive.data(), negative.data()},
                                       radius.data() + row, 2, n, out.data() + row);
        });
    }
    for (std::size_t e = 0; e < 2; ++e)
        digest.add_all(std::span(out).subspan(e * n, problem.rows()));
    return digest;
}

void print_passes(std::size_t n, std::size_t d, bool single, Kind kind, bool bias) {
    const auto data = make_data(1000 * n + d, n, d, single, bias, kind);
    const Problem& problem = *data->problem;
    Passes passes(problem, 1);
    Generator random(n + d);
    Problem with_weights = problem;
    Vector times(n);
    for (std::size_t i = 0; i < n; ++i) times[i] = 0.3 + static_cast<double>(i % 7);
    with_weights.weigh(times.data());
    Passes weighted(with_weights, 1);
    Vector w(d), v(d);
    for (double& x : w) x = draw(random, kind) * (kind == Kind::tiny ? -0x1p-900 : 2.0);
    for (double& x : v) x = draw(random, kind);
    const double b = kind == Kind::even ? random.uniform() : -0.0;
    const Vector u = problem.pack_parameters(w.data(), b);
    const Vector direction = problem.pack_parameters(v.data(), b);

    const std::string name =
        shape_name(n, d, single) + " " + name_of(kind) + (bias ? "" : " no-bias");
    // The storage is padded; only rows and columns of the caller count.
    const auto rows_of = [&](const Vector& m) { return std::span(m).first(n); };
    const auto print_sum = [&](const std::string& what, const Vector& sum) {
        Vector inner(d);
        problem.unpack_weights(sum, inner.data());
        Digest digest;
        digest.add_all(inner);
        digest.add(sum[problem.layout().intercept]);
        print(what + name, digest);
    };
    Digest margins;
    margins.add_all(rows_of(passes.margins(u)));
    print("margins " + name, margins);
    Digest accurate;
    accurate.add_all(rows_of(passes.accurate_margins(u)));
    if (!single) {
        Vector sums(d);
        kernels().accurate_sums(data->x64.data(), n, d, data->x64.data(), sums.data());
        accurate.add_all(sums);
    }
    print("accurate " + name, accurate);
    print("drop " + name, drops(problem, u));
    Vector out(u.size());
    for (Loss loss : kLosses) {
        const std::string suffix = std::string(name_of(loss)) + " ";
        Digest evaluation;
        for (Tie tie : {Tie::wrong, Tie::negative}) {
            const Evaluation e = passes.evaluate(u, loss, tie);
            evaluation.add(e.loss_sum);
            evaluation.add(static_cast<std::uint64_t>(e.correct));
        }
        print("evaluate " + suffix + name, evaluation);
        if (!problem.packed()) {
            // As many as a tile has, and some.
            std::vector<Vector> us(8, u);
            for (std::size_t k = 1; k < us.size(); ++k)
                for (std::size_t j = 0; j < u.size(); ++j) us[k][j] = us[k - 1][j] + direction[j];
            Digest all;
            for (const Evaluation& e : passes.evaluate_all(us, loss, Tie::negative)) {
                all.add(e.loss_sum);
                all.add(static_cast<std::uint64_t>(e.correct));
            }
            print("evaluate all " + suffix + name, all);
        }
        passes.first(u, loss, out);
        print_sum("first " + suffix, out);
        Vector bits;
        if (traits_of(loss).takes_shift()) {
            passes.first(u, loss, out, 40.0, &bits);
            print_sum("shifted first " + suffix, out);
        }
        if (problem.packed()) {
            Vector hessian;
            passes.newton(u, loss, 0.0, bits, out, hessian);
            print_sum("newton " + suffix, out);
            Digest curvatures;
            curvatures.add_all(hessian);
            curvatures.add_all(rows_of(bits));
            print("hessian " + suffix + name, curvatures);
        }
        Vector weights;
        passes.curvature_weights(u, loss, weights);
        passes.second(weights, direction, out);
        print_sum("second " + suffix, out);
        weighted.first(u, loss, out);
        print_sum("weighted first " + suffix, out);
        Vector others;
        if (problem.packed()) weighted.newton(u, loss, 0.0, bits, out, others);
        others.push_back(weighted.evaluate(u, loss, Tie::wrong).loss_sum);
        Digest total;
        total.add_all(others);
        print("weighted " + suffix + name, total);
    }
}

struct Run {
    std::size_t n, d;
    bool single;
    Loss loss;
    bool mean;
    double lr;
    std::int64_t steps;
    bool bias = true;
    Kind kind = Kind::even;
};

// Digests of the weights, the losses and the curvatures of a run.
std::vector<Digest> run_descent(const Run& run, int threads, Skip skip) {
    const auto train = make_data(7, run.n, run.d, run.single, run.bias, run.kind);
    const auto test = make_data(8, 33, run.d, run.single, run.bias, run.kind);
    Vector steps;
    for (std::int64_t step = 0; step < run.steps; step += 1 + step / 4)
        steps.push_back(static_cast<double>(step));
    steps.push_back(static_cast<double>(run.steps));
    Generator random(9);
    Vector w(run.d);
    for (double& x : w) x = random.uniform();
    DescentOptions options;
    options.loss = run.loss;
    options.scale = run.mean ? 1.0 / static_cast<double>(run.n) : 1.0;
    options.lr = run.lr;
    options.keep_weights = true;
    options.threads = threads;
    options.skip = skip;
    std::vector<std::unique_ptr<Evaluator>> evals;
    evals.push_back(std::make_unique<PlainSet>(test->problem, threads));
    Descent descent(train->problem, std::move(evals), steps, w.data(), 0.25, options);
    const auto status = descent.run([](std::int64_t) { return false; }, 1e9);

    const Records& records = descent.records();
    std::vector<Digest> digests(3);
    digests[0].add(static_cast<std::uint64_t>(status));
    digests[0].add(static_cast<std::uint64_t>(descent.step()));
    digests[0].add_all(records.steps);
    digests[0].add_all(records.weights);
    digests[0].add_all(records.b);
    digests[0].add_all(records.norm_w);
    digests[0].add_all(records.regime);
    Vector last(run.d);
    train->problem->unpack_weights(descent.parameters(), last.data());
    digests[0].add_all(last);
    digests[1].add_all(records.loss_sum);
    digests[1].add_all(records.correct);
    digests[2].add_all(records.sharpness);
    digests[2].add_all(records.sharpness_mean);
    return digests;
}

// Returns whether all numbers of threads gave the same bits, and skipping rows or not.
bool print_run(const Run& run, int most_threads) {
    const std::string name = std::string(name_of(run.loss)) + (run.mean ? " mean " : " sum ") +
                             shape_name(run.n, run.d, run.single) +
                             " lr=" + std::to_string(run.lr) + (run.bias ? "" : " no-bias") +
                             (run.kind == Kind::even ? "" : std::string(" ") + name_of(run.kind));
    const char* const parts[] = {"weights", "losses", "sharpness"};
    std::vector<Digest> alone;
    bool same = true;
    const Skip skip = traits_of(run.loss).skippable() ? Skip::always : Skip::never;
    for (int threads = 1; threads <= most_threads; ++threads) {
        const std::vector<Digest> digests = run_descent(run, threads, skip);
        for (std::size_t i = 0; i < digests.size(); ++i)
            print("run " + name + " threads=" + std::to_string(threads) + " " + parts[i],
                  digests[i]);
        if (threads == 1) alone = run_descent(run, threads, Skip::never);
        for (std::size_t i = 0; i < digests.size(); ++i)
            same = same && digests[i].value() == alone[i].value();
    }
    std::fflush(stdout);
    return same;
}

// Of n x d rows a, and of a a^T + 1: products, factors and solutions.
void print_dense(std::size_t n, std::size_t d) {
    Generator random(n + d);
    Vector a(n * d), square(n * n, 0.0), l(n * n, 0.0), q(n * d), copy, sums(d, 0.0);
    for (double& x : a) x = draw(random, Kind::even);
    copy = a;
    for (std::size_t i = 0; i < n; ++i) square[i * n + i] = 1.0;
    const auto by_rows = [](Vector& entries, std::size_t rows, std::size_t cols) {
        return MatrixView{entries.data(), rows, cols, static_cast<std::ptrdiff_t>(cols), 1};
    };
    const MatrixView rows = by_rows(a, n, d), products = by_rows(square, n, n);
    const MatrixView solved = by_rows(copy, n, d);
    Digest digest;
    add_product(1.0, rows, rows.transposed(), products);
    digest.add_all(square);
    add_product(rows.transposed(), square.data(), sums.data());
    digest.add_all(sums);
    digest.add(static_cast<std::uint64_t>(factorise(products)));
    Vector more(5 * n);
    for (double& x : more) x = draw(random, Kind::even);
    add_to_factor(products, by_rows(more, 5, n));
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j <= i; ++j) digest.add(products(i, j));
    for (Side side : {Side::plain, Side::transposed}) {
        solve_lower(products, solved, side);
        digest.add_all(copy);
    }
    orthonormalise(rows, by_rows(l, n, n), by_rows(q, n, d));
    digest.add_all(l);
    digest.add_all(q);
    print("dense " + shape_name(n, d, false), digest);
}

}  // namespace

namespace fastgrok {

bool print_kernels(const Extent& extent) {
    if (extent.shared) return true;
    print_elementary();
    const std::size_t sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 18, 20, 31, 33, 63, 65};
    for (bool single : {false, true}) {
        for (std::size_t d : sizes)
            for (std::size_t n : sizes) print_passes(n, d, single, Kind::even, true);
        for (std::size_t d : sizes)
            for (Kind kind : {Kind::wild, Kind::tiny}) print_passes(33, d, single, kind, true);
        for (std::size_t d : {std::size_t{2}, std::size_t{17}})
            print_passes(33, d, single, Kind::even, false);
        // Rows of every width that is taken in another way.
        for (std::size_t d : {160, 161, 511, 512, 515})
            for (std::size_t n : {1, 4, 7, 8, 9, 13, 33})
                print_passes(n, d, single, Kind::even, true);
        // Several chunks of rows.
        print_passes(43700, 2, single, Kind::even, true);
        print_passes(7300, 17, single, Kind::even, true);
        print_passes(2600, 100, single, Kind::even, true);
        print_passes(single ? 4203 : 2103, 1003, single, Kind::even, true);  // beyond the caches
    }
    std::fflush(stdout);

    for (std::size_t n : {1, 7, 17, 33, 70}) print_dense(n, 3 * n / 2);

    bool same = true;
    for (bool single : {false, true}) {
        for (std::size_t count : {1, 2, 3, 4, 5, 6, 7, 11, 13, 50})
            same &= print_many(39, 21, single, count, Kind::wild);
        same &= print_many(150, 1100, single, 50, Kind::even);  // several panels
        same &= print_many(8700, 520, single, 7, Kind::even);   // several blocks of rows
    }
    return same;
}

bool print_runs(const Extent& extent) {
    bool same = true;
    if (extent.shared) return same;
    for (std::size_t d : {2, 16, 17, 100})
        for (bool single : {false, true})
            for (Loss loss : kLosses)
                for (bool mean : {false, true}) {
                    const double lr = loss == Loss::logistic ? 2.0 : 0.125;
                    const std::int64_t steps = d <= 16 ? 2000 : 600;
                    same &= print_run({101, d, single, loss, mean, mean ? lr : lr / 32, steps}, 1);
                }
    for (std::size_t d : {2, 100})
        same &= print_run({101, d, false, Loss::logistic, true, 2.0, 300, false}, 1);
    // A step too long: the run diverges.
    same &= print_run({101, 2, false, Loss::exponential, false, 8.0, 300}, 1);
    same &= print_run({101, 17, false, Loss::exponential, false, 8.0, 300}, 1);

    for (std::size_t d : {2, 16, 17, 100})
        same &= print_run({301, d, false, Loss::logistic, true, 2.0, 2000, true, Kind::far}, 1);
    for (std::size_t d : {300, 700})
        for (bool single : {false, true})
            same &= print_run({301, d, single, Loss::logistic, true, 0.5, 300, true, Kind::far}, 2);

    // Rows beyond margin 1 are left out exactly, however large the others' share is.
    for (Loss loss : {Loss::squared_hinge, Loss::hinge})
        for (std::size_t d : {2, 16, 17, 100, 300})
            same &= print_run({301, d, d == 17, loss, true, 1e-6, 2000, true, Kind::far},
                              d == 300 ? 2 : 1);

    // Slopes of both signs.
    for (std::size_t d : {2, 16, 17, 100, 300})
        same &= print_run({301, d, d == 17, Loss::squared, true, d < 20 ? 1e-2 : 1e-3, 600},
                          d == 300 ? 2 : 1);

    const struct {
        std::size_t n, d;
        bool single;
        std::int64_t steps;
    } in_chunks[] = {
        {43700, 2, false, 60},
        {7720, 16, false, 100},
        {7300, 17, true, 100},
        {2600, 100, false, 200},
    };
    for (const auto& c : in_chunks) {
        for (Kind kind : {Kind::even, Kind::far})
            same &=
                print_run({c.n, c.d, c.single, Loss::logistic, true, 4.0, c.steps, true, kind}, 3);
        same &= print_run({c.n, c.d, c.single, Loss::exponential, true, 0.125, c.steps / 2}, 3);
    }
    return same;
}

}  // namespace fastgrok
