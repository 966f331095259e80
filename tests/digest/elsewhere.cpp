// Rows that somebody else answers for, here two who share them: runs must be those of rows that are
// here, to the last bit.
#include "engines/leaping_descent.hpp"
#include "engines/row_server.hpp"
#include "parts.hpp"
#include "runs.hpp"

namespace {

using namespace fastgrok;

class Neighbours : public Elsewhere {
public:
    // `whole` outlives this.
    Neighbours(const Data& whole, std::size_t n, std::size_t d, bool single, int threads)
        : whole_(whole) {
        const Problem& problem = *whole.problem;
        const std::size_t chunks = problem.partition().count();
        for (const auto& [first, end] :
             {std::pair{std::size_t{0}, chunks / 2}, std::pair{chunks / 2, chunks}}) {
            if (first == end) continue;
            const std::size_t row = problem.first_row(first);
            const std::size_t rows = std::min(problem.first_row(end), n) - row;
            std::variant<const double*, const float*> x = whole.x64.data() + row * d;
            if (single) x = whole.x32.data() + row * d;
            auto part = std::make_shared<Problem>(x, whole.y.data() + row, rows, d, true);
            part->be_part(n, first, end);
            servers_.push_back(std::make_unique<RowServer>(std::move(part), threads));
        }
    }

    Vector ask(const Asked& asked, const Asked* beside) override {
        Vector out;
        for (const auto& server : servers_) {
            const Vector numbers = server->answer(asked, beside);
            out.insert(out.end(), numbers.begin(), numbers.end());
        }
        return out;
    }
    const Problem& gathered() override { return *whole_.problem; }
    void forget(std::uint64_t owner) noexcept override {
        for (const auto& server : servers_) server->forget(owner);
    }

private:
    const Data& whole_;
    std::vector<std::unique_ptr<RowServer>> servers_;
};

bool print_runs_of(std::size_t n, std::size_t d, bool single, Kind kind, int threads) {
    const auto data = make_data(7, n, d, single, true, kind);
    const auto there = std::make_shared<const Problem>(
        std::make_shared<Neighbours>(*data, n, d, single, threads), n, d, true);
    const std::string name = shape_name(n, d, single) + " " + name_of(kind);
    bool same = true;
    for (const Loss loss : {Loss::logistic, Loss::squared_hinge}) {
        DescentOptions options;
        options.loss = loss;
        options.scale = 1.0 / static_cast<double>(n);
        options.lr = kind == Kind::far ? 0x1p-10 : 0.25;
        options.threads = threads;
        const auto steps = sparser_steps(150);
        const auto here = make_run(data->problem, {data->problem}, steps, options);
        const auto run = make_run(there, {there}, steps, options);
        same &= print_same("steps elsewhere " + std::string(name_of(loss)) + " " + name,
                           finished(*run), finished(*here));
    }
    if (kind == Kind::far) return same;  // is not leaped soon
    for (const std::size_t paired : {std::size_t{1}, ~std::size_t{0}}) {
        DescentOptions options;
        options.scale = 1.0 / static_cast<double>(n);
        options.lr = kind == Kind::far ? 0x1p-10 : 1.0;
        options.threads = threads;
        const Vector steps = {0.0, 100.0, 3000.0, 1e5, 1e7};
        const auto here = make_run(data->problem, {data->problem}, steps, options);
        const auto run = make_run(there, {there}, steps, options);
        LeapingOptions leaping;
        leaping.paired_from = paired;
        leaping.rtol = 1e-6;
        LeapingDescent leap_here(*here, leaping), leap(*run, leaping);
        leap_here.run([](double) {}, 1e9);
        leap.run([](double) {}, 1e9);
        same &= print_same("leap elsewhere " + std::string(paired == 1 ? "paired " : "") + name,
                           digest_of(*run), digest_of(*here));
    }
    return same;
}

}  // namespace

namespace fastgrok {

bool print_elsewhere(const Extent& extent) {
    const auto& [threads, shared] = extent;
    bool same = print_runs_of(800, 60, true, Kind::even, threads);
    same &= print_runs_of(9000, 5, false, Kind::even, threads);
    if (shared) return same;
    for (bool single : {false, true}) {
        same &= print_runs_of(33, 2, single, Kind::even, threads);
        same &= print_runs_of(301, 33, single, Kind::far, threads);
    }
    return same;
}

}  // namespace fastgrok
