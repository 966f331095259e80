// Every step that there is; runs that are kept half-way and gone on from; cycles.
#include "parts.hpp"
#include "runs.hpp"

namespace {

using namespace fastgrok;
using How = StepperOptions::Kind;

struct NamedStepper {
    std::string name;
    StepperOptions stepper;
};

std::vector<NamedStepper> all_steppers() {
    const std::pair<const char*, How> kinds[] = {
        {"plain", How::plain}, {"momentum", How::momentum},     {"nesterov", How::nesterov},
        {"sign", How::sign},   {"normalized", How::normalized}, {"adam", How::adam}};
    std::vector<NamedStepper> out;
    for (const auto& [name, kind] : kinds) {
        StepperOptions stepper;
        stepper.kind = kind;
        if (kind == How::momentum || kind == How::nesterov) stepper.momentum = 0.875;
        out.push_back({name, stepper});
        stepper.weight_decay = 0x1p-8;
        out.push_back({std::string(name) + " decay", stepper});
        stepper.decay_bias = true;
        stepper.decoupled = kind == How::adam;
        stepper.schedule.kind = Schedule::Kind::table;
        stepper.schedule.table = {0.25, 0.5, 2.0, 1.0, 0.75};
        out.push_back({std::string(name) + " decay table", stepper});
    }
    StepperOptions plain;
    plain.schedule.length = 64.0;
    plain.schedule.kind = Schedule::Kind::warmup;
    out.push_back({"plain warmup", plain});
    plain.schedule.kind = Schedule::Kind::cosine;
    plain.schedule.floor = 0.125;
    out.push_back({"plain cosine", plain});
    plain.schedule.kind = Schedule::Kind::power;
    plain.schedule.exponent = 0.5;
    out.push_back({"plain power", plain});
    return out;
}

// Whether threads, and a pause half-way of which another object goes on, change no bit.
bool print_steps(const std::shared_ptr<const Problem>& train,
                 const std::shared_ptr<const Problem>& test, const std::string& name, double last,
                 DescentOptions options, int threads) {
    const auto steps = sparser_steps(last);
    options.threads = 1;
    const Digest alone = finished(*make_run(train, {test}, steps, options));
    options.threads = threads;
    const auto begun = make_run(train, {test}, steps, options);
    const auto half = static_cast<std::int64_t>(last / 2.0) + 1;
    begun->run_to(half, [](std::int64_t) { return false; }, 1e9);
    begun->make_records([] {});
    const auto rest = make_run(train, {test}, steps, options);
    rest->restore(begun->state(), begun->records(), false);
    return print_same(name, finished(*rest), alone);
}

bool print_all_steps(std::size_t n, std::size_t d, bool single, double last, int threads) {
    const auto train = make_data(7, n, d, single), test = make_data(8, 33, d, single);
    bool same = true;
    for (const NamedStepper& one : all_steppers())
        for (const Loss loss : {Loss::logistic, Loss::squared_hinge}) {
            if (n > 1000 && loss != Loss::logistic) continue;
            DescentOptions options;
            options.loss = loss;
            options.scale = 1.0 / static_cast<double>(n);
            options.lr = 0x1p-4;
            options.stepper = one.stepper;
            same &= print_steps(train->problem, test->problem,
                                "steps " + one.name + " " + name_of(loss) +
                                    (single ? " float32" : " float64") + " d=" + std::to_string(d) +
                                    " n=" + std::to_string(n),
                                last, options, threads);
        }
    return same;
}

// A step so long that iterates go round, until their bits recur or for ever.
bool print_cycles(int threads) {
    bool same = true;
    for (const std::size_t d : {std::size_t{2}, std::size_t{20}}) {
        const auto train = make_data(5, 40, d, false, false);
        const auto test = make_data(6, 33, d, false, false);
        for (const How kind : {How::plain, How::sign, How::normalized})
            for (const double lr : {1.0, 8.0, 24.0, 64.0}) {
                DescentOptions options;
                options.scale = 1.0 / 40.0;
                options.lr = kind == How::plain ? lr : lr / 64.0;
                options.stepper.kind = kind;
                same &= print_steps(train->problem, test->problem,
                                    "cycle " + std::to_string(static_cast<int>(kind)) +
                                        " d=" + std::to_string(d) + " lr=" + std::to_string(lr),
                                    20000.0, options, threads);
            }
    }
    return same;
}

}  // namespace

namespace fastgrok {

bool print_optimizers(const Extent& extent) {
    const auto& [threads, shared] = extent;
    const double last = shared ? 16.0 : 40.0;
    bool same = print_all_steps(9000, 16, false, last, threads);  // several chunks
    same &= print_all_steps(1400, 100, false, last, threads);
    if (shared) return same;
    for (bool single : {false, true}) {
        same &= print_all_steps(101, 5, single, 300.0, threads);
        same &= print_all_steps(101, 33, single, 300.0, threads);
    }
    same &= print_cycles(threads);
    return same;
}

}  // namespace fastgrok
