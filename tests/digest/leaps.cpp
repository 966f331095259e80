// Runs that leap: of every kind of step that can be leaped, over rows of both layouts, to their end
// and kept on the way, over smooth motions and over cycles.
#include <cmath>

#include "engines/leaping_descent.hpp"
#include "parts.hpp"
#include "runs.hpp"

namespace {

using namespace fastgrok;
using How = StepperOptions::Kind;

Digest digest_of(const LeapingDescent& leaping) {
    Digest digest = digest_of(leaping.descent());
    digest.add(leaping.reached());
    digest.add(static_cast<std::uint64_t>(leaping.exact_steps()));
    for (const LeapReport& leap : leaping.leaps()) {
        for (const double x :
             {leap.first, leap.last, leap.tolerance, leap.overlap_until, leap.overlap_difference,
              leap.error, leap.rounding, leap.statistics.step_error, leap.statistics.model_error})
            digest.add(x);
        digest.add(static_cast<std::uint64_t>(leap.period));
        digest.add(static_cast<std::uint64_t>(leap.converged));
        digest.add(static_cast<std::uint64_t>(leap.statistics.accepted));
        digest.add(static_cast<std::uint64_t>(leap.statistics.rejected));
        digest.add_all(leap.statistics.of_order);
        digest.add(static_cast<std::uint64_t>(leap.costs.evaluations));
        for (const LeapReport::Check& check : leap.checks) {
            digest.add(check.step);
            digest.add(check.difference);
        }
    }
    return digest;
}

struct Kept {
    DescentState state;
    Records records;
    LeapingState leaping;
};

// Whether one thread, passes that are not made together, and going on from where a run was kept
// half-way, change no bit. The line says how the run ended, too.
bool print_leap(const std::string& name, const std::shared_ptr<const Problem>& train,
                const Vector& steps, DescentOptions options, int threads,
                LeapingOptions leaping = {}) {
    options.threads = 1;
    leaping.paired_from = ~std::size_t{0};
    const auto alone = make_run(train, {train}, steps, options);
    LeapingDescent leap_alone(*alone, leaping);
    std::vector<Kept> kept;
    const auto keep = [&](double) {
        if (!leap_alone.can_be_kept()) return;
        Kept now{alone->state(), alone->records(), leap_alone.state()};
        if (kept.size() < 2)
            kept.push_back(std::move(now));
        else
            kept[1] = std::move(now);  // the last one
    };
    const auto status = leap_alone.run(keep, 0.0);
    Digest digest = digest_of(leap_alone);
    digest.add(static_cast<std::uint64_t>(status));
    const std::string of = "leap " + name + " status=" + std::to_string(static_cast<int>(status)) +
                           " leaps=" + std::to_string(leap_alone.leaps().size());

    options.threads = threads;
    leaping.paired_from = 1;
    bool same = true;
    kept.insert(kept.begin(), Kept{});  // and from the beginning
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const auto run = make_run(train, {train}, steps, options);
        LeapingDescent leap(*run, leaping);
        if (i > 0) {
            const bool ahead =
                !kept[i].records.steps.empty() &&
                kept[i].records.steps.back() > static_cast<double>(kept[i].state.step);
            run->restore(kept[i].state, kept[i].records, ahead);
            leap.restore(kept[i].leaping);
        }
        const auto again = leap.run([](double) {}, 1e9);
        Digest other = digest_of(leap);
        other.add(static_cast<std::uint64_t>(again));
        if (i == 0) same &= print_same(of, other, digest);
        if (other.value() != digest.value()) {
            same = false;
            std::fprintf(stderr, "digest: other bits from kept state %zu: %s\n", i, of.c_str());
        }
    }
    return same;
}

Vector powers_of_ten(int last) {
    Vector steps = {0.0};
    for (int k = 1; k <= last; ++k) steps.push_back(std::pow(10.0, k));
    return steps;
}

struct NamedMotion {
    const char* name;
    StepperOptions stepper;
    Loss loss = Loss::logistic;
    double lr = 1.0;
};

std::vector<NamedMotion> all_motions() {
    std::vector<NamedMotion> out(9);
    out[0].name = "plain";
    out[1] = {"exponential", {}, Loss::exponential, 0x1p-4};
    out[2] = {"squared", {}, Loss::squared, 0x1p-6};
    out[3].name = "momentum";
    out[3].stepper.kind = How::momentum;
    out[3].stepper.momentum = 0.875;
    out[3].lr = 0.125;
    out[4] = out[3];
    out[4].name = "nesterov decay";
    out[4].stepper.kind = How::nesterov;
    out[4].stepper.weight_decay = 0x1p-10;
    out[4].stepper.decay_bias = true;
    out[5].name = "decay";
    out[5].stepper.weight_decay = 0x1p-10;
    out[6].name = "power";
    out[6].stepper.schedule.kind = Schedule::Kind::power;
    out[6].stepper.schedule.exponent = 0.5;
    out[6].stepper.schedule.length = 100.0;
    out[7].name = "cosine";
    out[7].stepper.schedule.kind = Schedule::Kind::cosine;
    out[7].stepper.schedule.length = 1000.0;
    out[7].stepper.schedule.floor = 0.25;
    out[8].name = "normalized";
    out[8].stepper.kind = How::normalized;
    out[8].lr = 0x1p-6;
    return out;
}

// Rows of one class: points on a line along which a step goes round, and others, whose margins grow
// for ever, slower and slower.
struct Drifting {
    Vector x, y;
    std::shared_ptr<const Problem> problem;
    std::size_t rows = 0;

    Drifting(const std::vector<int>& points, double lr, std::size_t d) {
        Generator random(d);
        for (const int point : points) {
            x.push_back(point);
            x.insert(x.end(), d - 1, 0.0);
        }
        const double size = 1.5 / std::sqrt(lr / static_cast<double>(points.size()));
        for (int i = 0; i < 12; ++i) {
            x.push_back(0.05 * size * random.uniform());
            for (std::size_t j = 1; j < d; ++j)
                x.push_back(size / static_cast<double>(d) * (random.uniform() + 1.25));
        }
        rows = points.size() + 12;
        y.assign(rows, 1.0);
        problem = std::make_shared<const Problem>(x.data(), y.data(), rows, d, false);
    }
};

bool print_leaped_cycles(int threads) {
    const struct {
        int period;
        std::vector<int> points;
        double lr;
    } cycles[] = {
        {2, {1, -1}, 10.0}, {3, {2, 1, -5}, 3.0}, {4, {1, 1, 1, -4}, 8.0}, {7, {1, 2, -4}, 24.0}};
    bool same = true;
    for (const auto& cycle : cycles)
        for (const std::size_t d : {std::size_t{3}, std::size_t{20}}) {
            const Drifting data(cycle.points, cycle.lr, d);
            DescentOptions options;
            options.lr = cycle.lr / static_cast<double>(cycle.points.size());
            same &= print_leap(
                "cycle of " + std::to_string(cycle.period) + " d=" + std::to_string(d),
                data.problem, {0.0, 100.0, 1e5, 1e6, 1e9, 1e9 + 1, 1e9 + 2}, options, threads);
        }
    return same;
}

}  // namespace

namespace fastgrok {

bool print_leaps(const Extent& extent) {
    const auto& [threads, shared] = extent;
    bool same = true;
    for (const std::size_t d : {std::size_t{8}, std::size_t{100}}) {  // several chunks
        const std::size_t n = d == 8 ? (shared ? 9000 : 15000) : (shared ? 700 : 1400);
        const auto data = make_data(3, n, d, false);
        DescentOptions options;
        options.scale = 1.0 / static_cast<double>(n);
        LeapingOptions leaping;
        leaping.rtol = 1e-6;
        same &= print_leap("in chunks d=" + std::to_string(d), data->problem,
                           powers_of_ten(shared ? 4 : 8), options, threads, leaping);
    }
    if (shared) return same;
    const struct {
        std::size_t n, d;
        bool single;
        const char* name;
    } sets[] = {
        {60, 3, false, "touching"}, {40, 30, true, "barely apart"}, {40, 100, false, "apart"}};
    for (const auto& set : sets) {
        const auto data = make_data(3, set.n, set.d, set.single);
        for (const NamedMotion& motion : all_motions()) {
            DescentOptions options;
            options.loss = motion.loss;
            options.scale = 1.0 / static_cast<double>(set.n);
            options.lr = motion.lr;
            options.stepper = motion.stepper;
            LeapingOptions leaping;
            leaping.exact_limit = 1e5;
            same &= print_leap(std::string(motion.name) + " " + set.name, data->problem,
                               powers_of_ten(12), options, threads, leaping);
        }
    }
    return same & print_leaped_cycles(threads);
}

}  // namespace fastgrok
