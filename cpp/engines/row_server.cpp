#include "engines/row_server.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <new>

#include "asked.hpp"
#include "curvature_work.hpp"
#include "leap_work.hpp"
#include "norms.hpp"

namespace fastgrok {

RowServer::RowServer(std::shared_ptr<const Problem> rows, int threads)
    : rows_(std::move(rows)),
      threads_(threads),
      passes_(*rows_, threads),
      beside_(*rows_, threads),
      ignored_(rows_->layout().length),
      curvature_(std::make_unique<CurvatureWork>(passes_)) {}

RowServer::~RowServer() = default;

void RowServer::forget(std::uint64_t owner) {
    leaps_.erase(owner);
}

Vector RowServer::answer(const Asked& asked, const Asked* beside) {
    if (beside != nullptr) return answer_both(asked, *beside);
    const auto& [what, about, owner, place, whole] = asked;
    Heard heard(about);
    const std::size_t length = rows_->layout().length;
    switch (what) {
        case Question::largest_norm: {
            const RowNorms& norms = rows_->norms(threads_);
            return Vector(passes_.chunks(), norms.largest);
        }
        case Question::row_sizes: return row_sizes();
        case Question::first: {
            const Loss loss = heard.loss();
            const double shift = heard.number();
            passes_.first(heard.vector(length), loss, ignored_, shift);
            return with_sums({});
        }
        case Question::least_margin: {
            const Vector& m = passes_.margins(heard.vector(length));
            Vector out;
            for (std::size_t c = 0; c < passes_.chunks(); ++c)
                out.push_back(
                    *std::min_element(m.data() + rows_->first_row(c),
                                      m.data() + std::min(rows_->first_row(c + 1), rows_->rows())));
            return out;
        }
        case Question::evaluate: return evaluate(about);
        case Question::step: return step(about);
        case Question::weigh: {
            const Loss loss = heard.loss();
            return curvature_->weigh(heard.vector(length), loss);
        }
        case Question::list_weights: return curvature_->list(heard.number());
        case Question::second: {
            const bool listed = heard.count() != 0;
            curvature_->second(listed, heard.vector(length), ignored_);
            return with_sums({});
        }
        default: break;
    }
    const Loss loss = heard.loss();
    Vector numbers = leap(owner, loss).answer(what, {about.begin() + 1, about.end()});
    return LeapWork::has_sums(what) ? with_sums(numbers) : numbers;
}

LeapWork& RowServer::leap(std::uint64_t owner, Loss loss) {
    std::unique_ptr<LeapWork>& work = leaps_[owner];
    if (!work) work = std::make_unique<LeapWork>(passes_, loss);
    return *work;
}

Vector RowServer::answer_both(const Asked& asked, const Asked& other) {
    if (!rows_->plain() || asked.owner == other.owner)
        throw std::invalid_argument("these questions are not answered together");
    const auto whole = [this](const Asked& one) {
        const Loss loss = Heard(one.about).loss();
        return leap(one.owner, loss).whole(one.what, {one.about.begin() + 1, one.about.end()});
    };
    const RowPass pass = whole(asked), others = whole(other);
    passes_.make_both(pass, beside_, others);
    const std::size_t length = rows_->layout().length;
    Vector out;
    out.reserve(passes_.chunks() * 2 * length);
    for (std::size_t c = 0; c < passes_.chunks(); ++c)
        for (Passes* const of : {&passes_, &beside_})
            out.insert(out.end(), of->partial(c), of->partial(c) + length);
    return out;
}

// Of all chunks, behind the sums that the last pass has left for each.
Vector RowServer::with_sums(const Vector& numbers) {
    const std::size_t length = rows_->layout().length, each = numbers.size() / passes_.chunks();
    Vector out;
    out.reserve(passes_.chunks() * (length + each));
    for (std::size_t c = 0; c < passes_.chunks(); ++c) {
        const double* const sums = passes_.partial(c);
        out.insert(out.end(), sums, sums + length);
        const auto from = numbers.begin() + static_cast<std::ptrdiff_t>(c * each);
        out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(each));
    }
    return out;
}

Vector RowServer::row_sizes() {
    const RowNorms& norms = rows_->norms(threads_);
    Vector out;
    for (std::size_t c = 0; c < passes_.chunks(); ++c) {
        double squares = 0.0, largest = 0.0, plain = 0.0;
        const std::size_t end = std::min(rows_->first_row(c + 1), rows_->rows());
        for (std::size_t i = rows_->first_row(c); i < end; ++i) {
            const double size = row_norm(*rows_, i);
            squares += norms.bits[i] * norms.bits[i] * (kLogOf2 * kLogOf2);
            largest = std::max(largest, size);
            plain += size * size;
        }
        out.insert(out.end(), {squares, largest, plain});
    }
    return out;
}

Vector RowServer::evaluate(const Vector& about) {
    Heard heard(about);
    const Loss loss = heard.loss();
    const Tie tie = heard.tie();
    const std::vector<Vector> us = heard.vectors(rows_->layout().length);
    const std::vector<Vector> on = heard.vectors(rows_->layout().length);
    const Passes::ByChunk told = passes_.evaluate_by_chunk(us, loss, tie, on);
    const std::size_t pairs = on.size() * on.size(), chunks = passes_.chunks();
    Vector out;
    for (std::size_t c = 0; c < chunks; ++c)
        for (std::size_t k = 0; k < us.size(); ++k) {
            const std::size_t place = k * chunks + c;
            out.push_back(told.of[place].loss_sum);
            out.push_back(told.of[place].correct);
            const auto from = told.projected.begin() + static_cast<std::ptrdiff_t>(place * pairs);
            out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(pairs));
        }
    return out;
}

// Rows are skipped by what is known of these alone, which changes no bit.
Vector RowServer::step(const Vector& about) {
    Heard heard(about);
    const Loss loss = heard.loss();
    const auto skip = static_cast<Skip>(std::min<std::size_t>(heard.count(), 2));
    const double most = heard.number();
    const Vector u = heard.vector(rows_->layout().length);
    if (!active_ || loss != active_loss_ || skip != active_skip_) {
        active_ = std::make_unique<ActiveRows>(*rows_, loss, skip, threads_);
        active_loss_ = loss;
        active_skip_ = skip;
        last_.clear();
    }
    if (!last_.empty()) active_->advance(last_, u, distance(u, last_), most);
    last_.clear();
    const auto pass = [&] {
        std::atomic<bool> failed = false;
        passes_.for_all_chunks([&](std::size_t c) {
            try {
                active_->first_of_chunk(c, u, most, passes_.zero_partial(c));
            } catch (const std::bad_alloc&) {
                failed = true;
            }
        });
        return !failed;
    };
    if (!pass()) {  // without memory for lists
        active_->give_up();
        if (!pass()) throw std::bad_alloc();
    }
    last_ = u;
    Vector visited(passes_.chunks(), 0.0);
    visited[0] = static_cast<double>(active_->rows_of_pass());
    return with_sums(visited);
}

}  // namespace fastgrok
