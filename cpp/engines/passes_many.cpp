// Passes for many parameter vectors at once.
#include <algorithm>
#include <new>
#include <utility>

#include "engines/passes.hpp"
#include "engines/storage.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

// Margins that all threads together have at once, or that are foreseen; a thread has those of so
// many vectors at least.
constexpr std::size_t kMostMargins = std::size_t{1} << 23, kFewest = 8;
// A row has so many numbers for each product with it that is kept.
constexpr std::size_t kForKept = 16;

// Of vectors that lie `length` from each other; what is told of one lies `apart` from the next.
template <class Rows>
void many_margins(Rows rows, const Vector& us, std::size_t length, std::size_t count, double* out,
                  std::size_t apart, double* room) {
    if constexpr (ForMany<Rows>)
        kernels_for(rows).many_margins(rows, us.data(), count, out, apart, room);
    else
        for (std::size_t k = 0; k < count; ++k)
            kernels_for(rows).margins(rows, &us[k * length], out + k * apart);
}

}  // namespace

std::size_t Passes::foresee(std::vector<const Vector*> us) {
    foreseen_of_ = foreseen_ = Vector();
    if (!can_foresee() || us.size() < 2) return 0;
    const std::size_t apart = whole_lanes(problem_.rows());
    us.resize(std::min(us.size(), kMostMargins / apart));
    Vector together, work;
    try {
        for (const Vector* u : us) together.insert(together.end(), u->begin(), u->end());
        work.resize(static_cast<std::size_t>(threads_) * kManyRoom);
        foreseen_.resize(us.size() * apart);
    } catch (const std::bad_alloc&) {  // margins() does without
        foreseen_ = Vector();
        return 0;
    }
    for_chunks([&](std::size_t c, int thread) {
        double* const out = foreseen_.data() + problem_.first_row(c);
        double* const room = work.data() + static_cast<std::size_t>(thread) * kManyRoom;
        problem_.visit_chunk(c, [&](auto rows) {
            many_margins(rows, together, us[0]->size(), us.size(), out, apart, room);
        });
    });
    foreseen_of_ = std::move(together);
    return us.size();
}

bool Passes::can_foresee() const {
    return problem_.elsewhere() == nullptr && !problem_.packed() && !problem_.sparse() &&
           2 * whole_lanes(problem_.rows()) <= kMostMargins;
}

void Passes::forget() {
    foresee({});
    along_of_.clear();
    along_ = Vector();
}

bool Passes::recall(const Vector& u) {
    for (std::size_t k = 0; k * u.size() < foreseen_of_.size(); ++k) {
        if (!same_bits(u.data(), &foreseen_of_[k * u.size()], u.size())) continue;
        std::copy_n(&foreseen_[k * margins_.size()], margins_.size(), margins_.begin());
        margins_of_ = u;
        return true;
    }
    return false;
}

// Of one chunk: those of K vectors, whose products with its rows lie `apart`, with weights given by
// margins. There is `room` for two numbers a row.
void Passes::project_chunk(const double* m, const double* weights, std::size_t n, Loss loss,
                           const double* along, std::size_t apart, std::size_t vectors,
                           Vector& room, double* out) const {
    double* const q = room.data();
    double* const weighted = q + room.size() / 2;
    kernels().curvature(m, q, n, loss);
    for (std::size_t i = 0; weights != nullptr && i < n; ++i) q[i] *= weights[i];
    for (std::size_t a = 0; a < vectors; ++a) {
        for (std::size_t i = 0; i < n; ++i) weighted[i] = q[i] * along[a * apart + i];
        for (std::size_t b = 0; b <= a; ++b)
            out[a * vectors + b] = out[b * vectors + a] =
                kernels().dot(weighted, along + b * apart, n);
    }
}

std::vector<Evaluation> Passes::evaluate_all(const std::vector<Vector>& us, Loss loss, Tie tie,
                                             Projection* projection) {
    std::vector<Evaluation> out;
    const std::size_t vectors = projection == nullptr ? 0 : projection->on.size();
    const std::size_t pairs = vectors * vectors;
    const ByChunk by_chunk = evaluate_by_chunk(
        us, loss, tie, projection == nullptr ? std::vector<Vector>() : projection->on);
    for (std::size_t k = 0; k < us.size(); ++k) {
        out.push_back(sum_of(&by_chunk.of[k * chunks()]));
        if (projection == nullptr) continue;
        Vector& total = projection->hessians.emplace_back(pairs, 0.0);
        for (std::size_t c = 0; c < chunks(); ++c)
            for (std::size_t p = 0; p < pairs; ++p)
                total[p] += by_chunk.projected[(k * chunks() + c) * pairs + p];
    }
    return out;
}

Passes::ByChunk Passes::evaluate_by_chunk(const std::vector<Vector>& us, Loss loss, Tie tie,
                                          const std::vector<Vector>& on) {
    if (problem_.elsewhere() != nullptr) return evaluate_elsewhere(us, loss, tie, on);
    const std::size_t vectors = on.size(), pairs = vectors * vectors;
    ByChunk out{std::vector<Evaluation>(us.size() * chunks()),
                Vector(us.size() * chunks() * pairs)};
    if (problem_.packed() || (us.size() < 2 && vectors == 0)) {
        for (std::size_t k = 0; k < us.size(); ++k) {
            const double* m = margins(us[k]).data();
            for_chunks([&](std::size_t c) {
                out.of[k * chunks() + c] = evaluate_chunk(c, m + problem_.first_row(c), loss, tie);
            });
        }
        return out;
    }
    const std::size_t length = problem_.layout().length;
    const std::size_t rows = whole_lanes(problem_.rows() / chunks() + 1) + kLanes;
    const std::size_t room = kMostMargins / (rows * static_cast<std::size_t>(threads_));
    const std::size_t at_once = std::min(us.size(), std::max(room, kFewest));
    const std::size_t most = at_once + vectors, apart = whole_lanes(problem_.rows());
    bool keeps = vectors > 0 && vectors <= kMostMargins / apart &&
                 vectors * kForKept <= problem_.row_entries();
    const auto threads = static_cast<std::size_t>(threads_);
    std::vector<Vector> margins(threads, Vector(most * rows));
    std::vector<Vector> rooms(threads, Vector(vectors > 0 ? 2 * rows : 0));
    Blocks<double> work(threads * kManyRoom);
    Vector together(most * length);
    for (std::size_t first = 0; first < us.size(); first += at_once) {
        const std::size_t count = std::min(at_once, us.size() - first);
        const bool known = vectors > 0 && on == along_of_;
        const std::size_t beside = known ? 0 : vectors;
        if (keeps && !known) {
            along_of_.clear();
            try {
                along_.resize(vectors * apart);
            } catch (const std::bad_alloc&) {
                keeps = false;
            }
        }
        const auto column = [&](std::size_t k) -> const Vector& {
            return k < count ? us[first + k] : on[k - count];
        };
        for (std::size_t k = 0; k < count + beside; ++k)
            std::copy(column(k).begin(), column(k).end(),
                      together.begin() + static_cast<std::ptrdiff_t>(k * length));
        for_chunks([&](std::size_t c, int thread) {
            const auto t = static_cast<std::size_t>(thread);
            double* const m = margins[t].data();
            problem_.visit_chunk(c, [&](auto of_chunk) {
                many_margins(of_chunk, together, length, count + beside, m, rows,
                             work.data() + t * kManyRoom);
            });
            const std::size_t n =
                std::min(problem_.first_row(c + 1), problem_.rows()) - problem_.first_row(c);
            const double* const of_them = m + count * rows;
            for (std::size_t a = 0; keeps && a < beside; ++a)
                std::copy_n(of_them + a * rows, n, &along_[a * apart + problem_.first_row(c)]);
            const double* const along = known ? &along_[problem_.first_row(c)] : of_them;
            for (std::size_t k = 0; k < count; ++k) {
                const std::size_t place = (first + k) * chunks() + c;
                out.of[place] = evaluate_chunk(c, m + k * rows, loss, tie);
                if (vectors > 0)
                    project_chunk(m + k * rows, weights_from(problem_.first_row(c)), n, loss, along,
                                  known ? apart : rows, vectors, rooms[t],
                                  out.projected.data() + place * pairs);
            }
        });
        if (keeps && !known) along_of_ = on;
    }
    return out;
}

}  // namespace fastgrok
