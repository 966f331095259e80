// What is made together must be what it is alone: two passes for one reading of the rows, and runs
// beside each other.
#include <span>

#include "engines/ensemble.hpp"
#include "engines/leaping_descent.hpp"
#include "engines/storage.hpp"
#include "parts.hpp"
#include "runs.hpp"

namespace {

using namespace fastgrok;

bool same_bits(const Vector& one, const Vector& other) {
    Digest of_one, of_other;
    of_one.add_all(one);
    of_other.add_all(other);
    return of_one.value() == of_other.value();
}

// Gradients and products with curvatures, in all pairs, over rows that caches hold and over those
// that they do not, all and a list of them, with the rows' own weights and without.
bool print_pair(std::size_t n, std::size_t d, bool single, Kind kind) {
    const auto data = make_data(n + d, n, d, single, true, kind);
    Problem problem = *data->problem;
    Generator random(n * d);
    Vector w(d), v(d), times(n), weight(whole_lanes(n), 0.0);
    for (double& x : w) x = draw(random, kind);
    for (double& x : v) x = draw(random, kind);
    for (std::size_t i = 0; i < n; ++i) times[i] = 0.3 + static_cast<double>(i % 7);
    for (std::size_t i = 0; i < n; ++i) weight[i] = random.uniform();
    const Vector u = problem.pack_parameters(w.data(), 0.25);
    const Vector direction = problem.pack_parameters(v.data(), -0.5);
    std::vector<std::uint32_t> odd;
    for (std::uint32_t i = 1; i < n; i += 2) odd.push_back(i);
    const std::size_t length = u.size();
    const std::string name = shape_name(n, d, single) + " " + name_of(kind);
    bool same = true;
    for (const bool weighted : {false, true}) {
        if (weighted) problem.weigh(times.data());
        const RowPass passes[] = {
            {.u = u.data(), .loss = Loss::logistic, .most = traits_of(Loss::logistic).zero_above},
            {.u = direction.data(), .loss = Loss::squared_hinge, .most = 1.0},
            {.u = direction.data(), .weight = weight.data()},
        };
        Digest alone, far, together, listed;
        std::vector<Vector> sums;
        problem.visit_chunk(0, [&](auto rows) {
            if constexpr (ForPassesTogether<decltype(rows)>) {
                const auto& kernels = kernels_for(rows);
                const auto make = [&](auto of, const RowPass& pass, Digest& digest) {
                    Vector out(length, 0.0), bits(whole_lanes(n), 0.0);
                    if (pass.weight != nullptr)
                        kernels.second(of, pass.weight, pass.u, out.data());
                    else
                        kernels.first(of, pass.u, pass.loss, pass.most, 0.0, bits.data(),
                                      out.data());
                    digest.add_all(out);
                    digest.add_all(std::span(bits).first(of.count));
                    return out;
                };
                for (const RowPass& pass : passes) sums.push_back(make(rows, pass, alone));
                rows.far = true;
                for (const RowPass& pass : passes) make(rows, pass, far);
                for (const bool away : {false, true}) {
                    rows.far = away;
                    for (std::size_t i = 0; i < 3; ++i)
                        for (std::size_t k = 0; k < 3; ++k) {
                            Vector one(length, 0.0), two(length, 0.0);
                            RowPass both[] = {passes[i], passes[k]};
                            both[0].out = one.data();
                            both[1].out = two.data();
                            kernels.together(rows, both, 2);
                            together.add_all(one);
                            together.add_all(two);
                            same &= same_bits(one, sums[i]) && same_bits(two, sums[k]);
                        }
                    for (const std::size_t count : {3u, 4u}) {
                        RowPass all[kMostTogether];
                        std::vector<Vector> out(count, Vector(length, 0.0));
                        for (std::size_t k = 0; k < count; ++k) {
                            all[k] = passes[k % 3];
                            all[k].out = out[k].data();
                        }
                        kernels.together(rows, all, count);
                        for (std::size_t k = 0; k < count; ++k)
                            same &= same_bits(out[k], sums[k % 3]);
                    }
                }
            }
        });
        // Of a list a row's curvature stands at its place in the list.
        problem.visit_index(odd.data(), odd.size(), [&](auto rows) {
            Vector out(length, 0.0);
            kernels_for(rows).second(rows, weight.data(), direction.data(), out.data());
            kernels_for(rows).first(rows, u.data(), Loss::logistic, 1100.0, 0.0, nullptr,
                                    out.data());
            listed.add_all(out);
        });
        const std::string of = (weighted ? "weighted " : "") + name;
        same &= print_same("passes far " + of, far, alone);
        print("passes together " + of, together);
        print("passes of a list " + of, listed);
    }
    return same;
}

std::vector<DescentOptions> different_runs(std::size_t n, int threads) {
    std::vector<DescentOptions> out;
    for (const double lr : {0.25, 1.0, 3.0})
        for (const Loss loss : {Loss::logistic, Loss::exponential, Loss::hinge}) {
            DescentOptions options;
            options.loss = loss;
            options.lr = loss == Loss::logistic ? lr * 0x1p-8 : lr * 0x1p-16;
            options.scale = 1.0 / static_cast<double>(n);
            options.threads = threads;
            options.skip = out.size() % 2 == 0 ? Skip::always : Skip::patiently;
            if (loss == Loss::hinge) options.stepper.kind = StepperOptions::Kind::adam;
            out.push_back(options);
        }
    return out;
}

// A group of runs over the same rows, and an ensemble of it, a run that leaps, and runs that a
// thread takes each by itself.
bool print_runs_beside(std::size_t n, std::size_t d, bool single, int threads, bool brief = false) {
    const auto data = make_data(7, n, d, single, true, Kind::far);
    const auto test = make_data(8, 33, d, single, true, Kind::far);
    const auto steps = sparser_steps(brief ? 24.0 : 120.0);
    const auto make_all = [&](int of_each) {
        std::vector<std::unique_ptr<Descent>> runs;
        for (const DescentOptions& options : different_runs(n, of_each))
            runs.push_back(make_run(data->problem, {test->problem}, steps, options));
        return runs;
    };
    const auto pointers = [](const auto& runs) {
        std::vector<Descent*> out;
        for (const auto& run : runs) out.push_back(run.get());
        return out;
    };
    const auto add_all = [](const auto& runs) {
        Digest digest;
        for (const auto& run : runs) digest.add(digest_of(*run).value());
        return digest;
    };

    Digest alone;
    for (const auto& run : make_all(1)) alone.add(finished(*run).value());
    const auto beside = make_all(threads);
    Lockstep lockstep(pointers(beside), threads);
    lockstep.run([] { return false; }, 1e9);

    const auto group = make_all(threads), single_runs = make_all(1);
    DescentOptions options = different_runs(n, threads)[0];
    const Vector far = {0.0, 10.0, 1e3, 1e5};
    const auto leaped = make_run(data->problem, {test->problem}, far, options);
    const auto leaped_alone = make_run(data->problem, {test->problem}, far, options);
    LeapingOptions few_steps;
    few_steps.exact_limit = brief ? 300.0 : 2e3;
    LeapingDescent leaping(*leaped, few_steps), leaping_alone(*leaped_alone, few_steps);
    std::vector<Ensemble::Runs> by_thread;
    for (Descent* const run : pointers(single_runs))
        by_thread.emplace_back(std::vector<Descent*>{run});
    Ensemble ensemble({Ensemble::Runs(pointers(group)), Ensemble::Runs(&leaping)}, by_thread,
                      threads);
    ensemble.run([](double) { return false; }, 1e-3);
    leaping_alone.run([](double) {}, 1e9);

    const std::string name = shape_name(n, d, single);
    bool same = print_same("runs beside each other " + name, add_all(beside), alone);
    same &= print_same("runs of a team " + name, add_all(group), alone);
    same &= print_same("runs by a thread each " + name, add_all(single_runs), alone);
    same &= print_same("a leap among them " + name, digest_of(*leaped), digest_of(*leaped_alone));
    return same;
}

}  // namespace

namespace fastgrok {

bool print_pairs(const Extent& extent) {
    bool same = true;
    if (extent.shared) return same;
    for (bool single : {false, true}) {
        for (std::size_t d : {17, 33, 160, 161, 511, 512, 515, 1040})
            for (std::size_t n : {1, 3, 4, 5, 7, 8, 9, 13})
                same &= print_pair(n, d, single, Kind::even);
        same &= print_pair(13, 100, single, Kind::wild);
        same &= print_pair(13, 100, single, Kind::tiny);
    }
    return same;
}

bool print_company(const Extent& extent) {
    const auto& [threads, shared] = extent;
    bool same = print_runs_beside(2600, 60, false, threads, shared);  // several chunks
    for (bool single : {false, true}) {
        if (shared) break;
        same &= print_runs_beside(101, 8, single, threads);
        same &= print_runs_beside(301, 40, single, threads);
    }
    return same;
}

}  // namespace fastgrok
