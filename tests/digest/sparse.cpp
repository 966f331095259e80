// Passes and runs over sparse rows.
#include <span>

#include "engines/storage.hpp"
#include "parts.hpp"
#include "runs.hpp"

namespace {

using namespace fastgrok;

struct SparseData {
    Vector x64, y;
    std::vector<float> x32;
    std::vector<std::uint32_t> column;
    std::vector<std::int64_t> begin = {0};
    std::shared_ptr<const Problem> problem;
};

// About a quarter of the entries are there, never next to one row in nine; labels as of make_data.
std::unique_ptr<SparseData> make_sparse(std::uint64_t seed, std::size_t n, std::size_t d,
                                        bool single, bool bias, Kind kind) {
    auto data = std::make_unique<SparseData>();
    Generator random(seed);
    for (std::size_t i = 0; i < n; ++i) {
        double sign = random.uniform();
        const bool drawn = kind != Kind::far && random.bits() % 4 == 0;
        for (std::size_t j = 0; i % 9 != 4 && j < d; ++j) {
            if (random.bits() % 4 != 0 && j != i % d) continue;
            data->x32.push_back(static_cast<float>(draw(random, kind)));
            data->column.push_back(static_cast<std::uint32_t>(j));
            if (!drawn && j == i % d) sign = static_cast<double>(data->x32.back());
        }
        data->begin.push_back(static_cast<std::int64_t>(data->x32.size()));
        data->y.push_back(sign < 0.0 ? -1.0 : 1.0);
    }
    data->x64.assign(data->x32.begin(), data->x32.end());
    std::variant<const double*, const float*> x = data->x64.data();
    if (single) x = data->x32.data();
    data->problem = std::make_shared<const Problem>(x, data->column.data(), data->begin.data(),
                                                    data->y.data(), n, d, bias);
    return data;
}

// Of lists of every other row, and of all rows with weights of their own.
void print_sparse_passes(std::size_t n, std::size_t d, bool single, Kind kind, int threads) {
    const auto data = make_sparse(n + 1000 * d, n, d, single, true, kind);
    const Problem& problem = *data->problem;
    Passes passes(problem, threads);
    Problem with_weights = problem;
    Vector times(n);
    for (std::size_t i = 0; i < n; ++i) times[i] = 0.3 + static_cast<double>(i % 7);
    with_weights.weigh(times.data());
    Passes weighted(with_weights, threads);
    Generator random(n + d);
    Vector w(d), v(d);
    for (double& x : w) x = draw(random, kind) * 2.0;
    for (double& x : v) x = draw(random, kind);
    const Vector u = problem.pack_parameters(w.data(), random.uniform());
    const Vector direction = problem.pack_parameters(v.data(), random.uniform());
    std::vector<std::uint32_t> listed;
    std::vector<std::size_t> begin = {0};
    for (std::size_t c = 0; c < passes.chunks(); ++c) {
        const std::size_t end = std::min(problem.first_row(c + 1), n);
        for (std::size_t i = problem.first_row(c); i < end; i += 2)
            listed.push_back(static_cast<std::uint32_t>(i));
        begin.push_back(listed.size());
    }

    const std::string name = shape_name(n, d, single) + " " + name_of(kind);
    Digest margins;
    margins.add_all(std::span(passes.margins(u)).first(n));
    margins.add_all(std::span(passes.accurate_margins(u)).first(n));
    print("sparse margins " + name, margins);
    const auto add_sum = [&](Digest& digest, const Vector& sum) {
        Vector inner(d);
        problem.unpack_weights(sum, inner.data());
        digest.add_all(inner);
        digest.add(sum[problem.layout().intercept]);
    };
    Vector out(u.size()), weights, bits;
    for (Loss loss : kLosses) {
        const std::string of = std::string(name_of(loss)) + " " + name;
        Digest evaluation, first, second;
        for (Passes* const by : {&passes, &weighted}) {
            for (Tie tie : {Tie::wrong, Tie::negative})
                for (const Evaluation& e : by->evaluate_all({u, direction}, loss, tie)) {
                    evaluation.add(e.loss_sum);
                    evaluation.add(e.correct);
                }
            by->first(u, loss, out, 0.0, &bits);
            add_sum(first, out);
            first.add_all(std::span(bits).first(n));
            if (traits_of(loss).takes_shift()) {
                by->first(u, loss, out, 40.0);
                add_sum(first, out);
            }
            by->curvature_weights(u, loss, weights);
            by->second(weights, direction, out);
            add_sum(second, out);
        }
        if (!problem.packed()) {
            passes.second_of(listed, begin, weights, direction, out);
            add_sum(second, out);
        }
        print("sparse evaluate " + of, evaluation);
        print("sparse first " + of, first);
        print("sparse second " + of, second);
    }
}

bool print_sparse_run(std::size_t n, std::size_t d, bool single, Loss loss, double lr,
                      int threads) {
    const auto data = make_sparse(7, n, d, single, true, Kind::far);
    const auto test = make_sparse(8, 33, d, single, true, Kind::far);
    DescentOptions options;
    options.loss = loss;
    options.scale = 1.0 / static_cast<double>(n);
    options.lr = lr;
    options.skip = Skip::never;
    const auto steps = sparser_steps(300);
    const auto all = make_run(data->problem, {test->problem}, steps, options);
    options.skip = traits_of(loss).skippable() ? Skip::always : Skip::never;
    options.threads = threads;
    const auto skipping = make_run(data->problem, {test->problem}, steps, options);
    const std::string name =
        std::string(name_of(loss)) + " " + shape_name(n, d, single) + " " + name_of(Kind::far);
    return print_same("sparse run " + name, finished(*skipping), finished(*all));
}

}  // namespace

namespace fastgrok {

bool print_sparse(const Extent& extent) {
    const auto& [threads, shared] = extent;
    bool same = true;
    for (bool single : {false, true}) {
        print_sparse_passes(12000, 60, single, Kind::even, threads);  // several chunks
        same &= print_sparse_run(12000, 60, single, Loss::logistic, 0.5, threads);
        if (shared) break;
        for (std::size_t d : {17, 33, 64, 200})
            for (std::size_t n : {1, 7, 8, 9, 33})
                print_sparse_passes(n, d, single, Kind::even, threads);
        for (Kind kind : {Kind::wild, Kind::tiny})
            print_sparse_passes(33, 50, single, kind, threads);
        print_sparse_passes(33, 5, single, Kind::even, threads);
        for (Loss loss : kLosses) {
            const double lr = traits_of(loss).bounded_curvature() ? 0x1p-12 : 0x1p-14;
            same &= print_sparse_run(301, 40, single, loss, lr, threads);
        }
    }
    return same;
}

}  // namespace fastgrok
