#include "engines/lockstep.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "engines/storage.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// The clock is read, and the caller asked, between blocks of steps of about this length.
constexpr double kBlockSeconds = 0.02;

// What is read once for all runs: half of a small second-level cache, which holds the parameters
// and sums of the runs as well.
constexpr std::size_t kBlockBytes = std::size_t{1} << 17;
// The kernels take so many rows together.
constexpr std::size_t kFewestRows = 8;

std::size_t rows_of_a_block(const Problem& problem) {
    const std::size_t entry = problem.entry_bytes();
    const std::size_t rows =
        problem.sparse() ? kBlockBytes / ((entry + sizeof(std::uint32_t)) * problem.row_entries())
                         : kBlockBytes / (entry * problem.layout().cols);
    return std::max(kFewestRows, rows / kFewestRows * kFewestRows);
}

// Whether passes over both find the same beside the rows; packed ones have all of it in them.
bool is_same_beside_rows(const Problem& a, const Problem& b) {
    if (a.packed() || a.elsewhere() != nullptr) return true;
    const auto same = [&](const double* one, const double* other) {
        return one == other ||
               (one != nullptr && other != nullptr && same_bits(one, other, a.rows()));
    };
    return same(a.labels(), b.labels()) && same(a.weights(), b.weights());
}

}  // namespace

Lockstep::Lockstep(const std::vector<Descent*>& runs, int threads)
    : runs_(runs.size()), threads_(threads), rows_at_once_(rows_of_a_block(runs[0]->problem())) {
    std::vector<const Problem*> companies;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const Problem& problem = runs[i]->problem();
        const auto found = std::find_if(
            companies.begin(), companies.end(),
            [&](const Problem* other) { return is_same_beside_rows(problem, *other); });
        runs_[i].descent = runs[i];
        runs_[i].company = found - companies.begin();
        if (found == companies.end()) companies.push_back(&problem);
    }
}

std::int64_t Lockstep::steps() const {
    std::int64_t sum = 0;
    for (const Run& run : runs_) sum += run.descent->step();
    return sum;
}

bool Lockstep::run(const Poll& poll, double poll_seconds) {
    const Clock::time_point began = Clock::now();
    Clock::time_point last_poll = began;
    bool pause = false, polling = false;
    const auto poll_if_due = [&] {
        if (seconds_since(last_poll) < poll_seconds) return;
        polling = true;
        pause |= poll();
        polling = false;
        last_poll = Clock::now();
    };
    const auto end = [&](Run& run, Status status) {
        run.ending = {status, seconds_since(began), run.failure};
    };
    // False, and the run at its end, if that fails.
    const auto recorded = [&](Run& run, const auto& record) {
        try {
            record();
        } catch (const Interrupted&) {
            throw;
        } catch (...) {
            if (polling) throw;
            run.failure = std::current_exception();
            end(run, Status::failed);
            return false;
        }
        poll_if_due();
        return true;
    };
    // Records that wait for others, which do not come any more.
    const auto made = [&](Run& run) {
        return recorded(run, [&] { run.descent->make_records(poll_if_due); });
    };

    going_.clear();
    for (Run& run : runs_)
        if (run.ending.status == Status::going) going_.push_back(&run);
    std::stable_sort(going_.begin(), going_.end(),
                     [](const Run* a, const Run* b) { return a->company < b->company; });
    std::int64_t block = 1;
    while (true) {
        for (Run* run : going_) {
            Descent& descent = *run->descent;
            descent.skip_rounds();
            if (descent.record_is_due() && !recorded(*run, [&] { descent.record(poll_if_due); }))
                continue;
            if (pause) return false;
            if (descent.at_end() && (std::isfinite(descent.next_record()) || made(*run)))
                end(*run, Status::done);
            if (pause) return false;
        }
        drop_ended();
        if (going_.empty()) return true;

        std::int64_t rounds = block;
        for (const Run* run : going_) rounds = std::min(rounds, run->descent->steps_to_stop());
        const Clock::time_point start = Clock::now();
        const std::int64_t taken = take_steps(rounds);
        if (const Interrupt* interrupt = Interrupt::here(); interrupt && interrupt->was_due()) {
            for (Run* run : going_) {
                run->failed = false;
                run->descent->recall_rows();  // some of which were visited
            }
            throw Interrupted();
        }
        for (Run* run : going_) {
            if (run->failed.exchange(false)) {
                if (run->descent->recover(run->failure))
                    run->failure = nullptr;
                else
                    end(*run, Status::failed);
            } else if (run->descent->diverged_ && made(*run)) {
                end(*run, Status::diverged);
            }
        }
        drop_ended();
        const double seconds = seconds_since(start);
        if (seconds < 0.5 * kBlockSeconds && rounds == block) block *= 2;
        if (seconds > 2.0 * kBlockSeconds)
            block = std::max<std::int64_t>(1, std::min(block / 2, taken));
        if (!going_.empty()) poll_if_due();
        if (pause) return false;
    }
}

void Lockstep::drop_ended() {
    std::erase_if(going_, [](const Run* run) { return run->ending.status != Status::going; });
}

// A round takes a step of every run: the chunks of all passes first, then the ends of the steps.
std::int64_t Lockstep::take_steps(std::int64_t rounds) {
    if (going_[0]->descent->problem().elsewhere() != nullptr) return take_steps_elsewhere(rounds);
    const std::size_t runs = going_.size(), chunks = going_[0]->descent->passes_.chunks();
    const auto most = static_cast<std::size_t>(threads_);
    // Where there are fewer chunks than threads, several threads take a chunk, for some runs each.
    const std::size_t parts = std::min(runs, (most + chunks - 1) / chunks);
    const int threads = static_cast<int>(std::min(most, chunks * parts));
    Shares pieces(chunks * parts, threads), ends(runs, threads);
    // Of rounds that may take longer than those before, because fewer rows can be left out now.
    const std::int64_t asked = rounds, between_looks = std::max<std::int64_t>(1, rounds / 64);
    const Clock::time_point start = Clock::now();
    // Within a round only where it takes long beside a look at the clock.
    Interrupt* const interrupt = between_looks == 1 ? Interrupt::here() : nullptr;
    bool over = false;
    run_team(threads, [&](const Member& me) {
        const auto finish = [&](Run& run) { guarded(run, [&] { run.descent->finish_step(); }); };
        const auto told = [&] { return interrupt != nullptr && interrupt->was_due(); };
        const auto end_round = [&] {
            --rounds;
            over = rounds == 0 ||
                   (rounds % between_looks == 0 && seconds_since(start) > 2.0 * kBlockSeconds);
            over |= told();
            for (const Run* run : going_)
                over |= run->failed || run->descent->diverged_ || run->descent->may_skip();
            pieces.refill();
            if (runs > 1) ends.refill();
        };
        while (!over) {
            std::size_t k;
            while ((interrupt == nullptr || !interrupt->due()) && pieces.take(me.index, k)) {
                const std::size_t part = k % parts;
                pass(k / parts, runs * part / parts, runs * (part + 1) / parts);
            }
            if (runs == 1) {
                me.meeting.arrive([&] {
                    if (!told()) finish(*going_[0]);
                    end_round();
                });
            } else {
                me.meeting.arrive([&] { over = told(); });
                while (!over && ends.take(me.index, k)) finish(*going_[k]);
                me.meeting.arrive(end_round);
            }
        }
    });
    return asked - rounds;
}

std::int64_t Lockstep::take_steps_elsewhere(std::int64_t rounds) {
    const std::int64_t asked = rounds;
    const Clock::time_point start = Clock::now();
    for (bool over = false; !over && rounds > 0; --rounds) {
        over = seconds_since(start) > 2.0 * kBlockSeconds;
        for (Run* run : going_) {
            guarded(*run, [&] {
                run->descent->pass_elsewhere();
                run->descent->finish_step();
            });
            over |= run->failed || run->descent->diverged_ || run->descent->may_skip();
        }
    }
    return asked - rounds;
}

// One chunk for the runs going_[begin], ..., going_[end - 1].
void Lockstep::pass(std::size_t chunk, std::size_t begin, std::size_t end) {
    const Problem& problem = going_[begin]->descent->problem();
    std::size_t sharing = 0, companies = 0;
    // A chunk of packed rows is short enough for the caches.
    if (end - begin > 1 && !problem.packed()) {
        std::ptrdiff_t last = -1;
        for (std::size_t k = begin; k < end; ++k) {
            if (!going_[k]->descent->sees_all_rows()) continue;
            ++sharing;
            companies += going_[k]->company != std::exchange(last, going_[k]->company);
        }
    }
    const bool by_blocks = sharing > 1;
    if (by_blocks) {
        const std::size_t rows = problem.first_row(chunk + 1) - problem.first_row(chunk);
        const bool at_once = companies == 1 && sharing <= kMostTogether && problem.plain();
        const std::size_t most = at_once ? rows : rows_at_once_;
        for (std::size_t first = 0; first < rows; first += most)
            for (std::size_t k = begin, next; k < end; k = next) {
                next = next_company(k, end);
                pass_block(chunk, first, std::min(most, rows - first), k, next);
            }
        if (at_once) problem.leave_chunk(chunk);
    }
    for (std::size_t k = begin; k < end; ++k) {
        Descent& descent = *going_[k]->descent;
        if (by_blocks && descent.sees_all_rows()) continue;
        guarded(*going_[k], [&] { descent.pass_chunk(chunk); });
    }
}

std::size_t Lockstep::next_company(std::size_t k, std::size_t end) const {
    std::size_t next = k + 1;
    while (next < end && going_[next]->company == going_[k]->company) ++next;
    return next;
}

// Some rows of a chunk for those runs of a company that see them all.
void Lockstep::pass_block(std::size_t chunk, std::size_t first, std::size_t count,
                          std::size_t begin, std::size_t end) {
    const Problem& problem = going_[begin]->descent->problem();
    const std::size_t row = problem.first_row(chunk) + first;
    for (std::size_t k = begin; k < end;) {
        RowPass passes[kMostTogether];
        std::size_t n = 0;
        for (; k < end && n < kMostTogether; ++k) {
            Run& run = *going_[k];
            if (!run.descent->sees_all_rows()) continue;
            guarded(run, [&] {
                passes[n] = run.descent->pass_of_block(chunk, first);
                ++n;
            });
        }
        problem.visit_rows(row, count, [&](auto rows) {
            if constexpr (ForPassesTogether<decltype(rows)>)
                if (n > 1) return kernels_for(rows).together(rows, passes, n);
            for (std::size_t i = 0; i < n; ++i) make_pass(rows, passes[i]);
        });
    }
}

// Nothing may leave a team but by its end.
template <class Work>
void Lockstep::guarded(Run& run, Work work) {
    if (run.failed) return;
    try {
        work();
    } catch (...) {
        if (!run.failed.exchange(true)) run.failure = std::current_exception();
    }
}

}  // namespace fastgrok
