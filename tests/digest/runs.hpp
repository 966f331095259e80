// Runs, and digests of all that they leave.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "drawn.hpp"
#include "engines/descent.hpp"

namespace fastgrok {

// Steps to record: as many as there are fingers at first, and then ever fewer.
inline Vector sparser_steps(double last) {
    Vector steps;
    for (double step = 0.0; step < last; step += 1.0 + static_cast<double>(std::int64_t(step / 4)))
        steps.push_back(step);
    steps.push_back(last);
    return steps;
}

inline Vector drawn_weights(std::size_t cols) {
    Generator random(9);
    Vector w(cols);
    for (double& x : w) x = random.uniform();
    return w;
}

// From drawn weights and a bias of 1/4, or of 0 where there is none.
inline std::unique_ptr<Descent> make_run(const std::shared_ptr<const Problem>& train,
                                         const std::vector<std::shared_ptr<const Problem>>& tests,
                                         const Vector& steps, DescentOptions options) {
    options.keep_weights = true;
    std::vector<std::unique_ptr<Evaluator>> evals;
    for (const auto& test : tests)
        evals.push_back(std::make_unique<PlainSet>(test, options.threads));
    const Vector w = drawn_weights(train->layout().cols);
    return std::make_unique<Descent>(train, std::move(evals), steps, w.data(),
                                     train->bias() ? 0.25 : 0.0, options);
}

inline void add_records(Digest& digest, const Records& records) {
    digest.add_all(records.steps);
    digest.add_all(records.weights);
    digest.add_all(records.b);
    digest.add_all(records.norm_w);
    digest.add_all(records.regime);
    digest.add_all(records.loss_sum);
    digest.add_all(records.correct);
    digest.add_all(records.sharpness);
    digest.add_all(records.sharpness_mean);
}

inline Digest digest_of(const Descent& run) {
    Digest digest;
    add_records(digest, run.records());
    digest.add(static_cast<std::uint64_t>(run.step()));
    Vector last(run.problem().layout().cols);
    run.problem().unpack_weights(run.parameters(), last.data());
    digest.add_all(last);
    return digest;
}

// To its end, without a pause.
inline Digest finished(Descent& run) {
    run.run([](std::int64_t) { return false; }, 1e9);
    return digest_of(run);
}

// Prints the digest; whether it is the same as another.
inline bool print_same(const std::string& name, const Digest& digest, const Digest& other) {
    print(name, digest);
    if (digest.value() == other.value()) return true;
    std::fprintf(stderr, "digest: other bits: %s\n", name.c_str());
    return false;
}

}  // namespace fastgrok
