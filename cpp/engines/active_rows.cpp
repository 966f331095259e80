#include "engines/active_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engines/storage.hpp"
#include "norms.hpp"

namespace fastgrok {
namespace {

constexpr std::uint32_t kNoRow = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kMostLevels = 14;
// Fewer rows than this are not worth a list.
constexpr std::size_t kFewToLookAt = 64;
// A radius must be worth at least so many steps: of the present length, or, where they go to and
// fro, as far as the last so many have led away.
constexpr int kFewestSteps = 8;
constexpr std::uint32_t kLongestWait = 4096;
// Rows whose reach is looked at to choose a radius.
constexpr std::size_t kSample = 4096;

}  // namespace

ActiveRows::ActiveRows(const Problem& problem, Loss loss, Skip skip, int threads)
    : problem_(problem),
      loss_(loss),
      skip_(problem.elsewhere() == nullptr && problem.rows() < kNoRow && traits_of(loss).skippable()
                ? skip
                : Skip::never),
      error_(static_cast<double>(problem.layout().cols + 32) *
             std::numeric_limits<double>::epsilon()),
      norms_(problem.norms(threads)),
      patience_(kMostLevels),
      seen_(problem.partition().count()) {
    if (skip == Skip::always) check_needs("skipping rows at every step", needs, loss);
    levels_.reserve(kMostLevels);
    reset();
}

void ActiveRows::reset() {
    depth_ = 0;
    make_ = look_ = false;
    std::fill(patience_.begin(), patience_.end(), Patience{});
    spread_ = std::numeric_limits<double>::infinity();
    probe_.clear();
}

void ActiveRows::watch(const Vector& next) {
    if (!probe_.empty()) {
        widest_ = std::max(widest_, fastgrok::distance(next, probe_));
        if (++watched_ < kFewestSteps) return;
        spread_ = widest_;
    }
    probe_ = next;
    widest_ = 0.0;
    watched_ = 0;
}

std::size_t ActiveRows::places(std::size_t depth, std::size_t chunk) const {
    if (depth > 0) return levels_[depth - 1].chunks[chunk].rows.size();
    return std::min(problem_.first_row(chunk + 1), problem_.rows()) - problem_.first_row(chunk);
}

void ActiveRows::first_of_chunk(std::size_t chunk, const Vector& u, double most, double* out) {
    if (make_) fill(levels_[depth_ - 1].chunks[chunk], chunk);
    double* const bits = bits_of_chunk(chunk);
    const auto first = [&](auto rows) {
        kernels_for(rows).first(rows, u.data(), loss_, most, 0.0, bits, out);
    };
    if (depth_ == 0) {
        problem_.visit_chunk(chunk, first);
    } else {
        const List& list = levels_[depth_ - 1].chunks[chunk];
        if (problem_.packed()) {
            first(PackedRows{list.blocks.data(), list.rows.size() / kLanes, problem_.layout().cols,
                             problem_.weights() == nullptr ? nullptr : list.weights.data()});
        } else {
            problem_.visit_index(list.rows.data(), list.rows.size(), first);
        }
    }
}

RowPass ActiveRows::pass_of_block(std::size_t chunk, std::size_t first, const Vector& u,
                                  double most, double* out) {
    double* const bits = bits_of_chunk(chunk);
    return {.u = u.data(),
            .loss = loss_,
            .most = most,
            .bits = bits == nullptr ? bits : bits + first,
            .out = out};
}

// Where the pass keeps the margins of a chunk's places; null where it does not.
double* ActiveRows::bits_of_chunk(std::size_t chunk) {
    if (!look_) return nullptr;
    seen_[chunk].resize(whole_lanes(places(depth_, chunk)));
    return seen_[chunk].data();
}

// How far the parameters can move until the row's margin may be below `most`.
double ActiveRows::reach(double bits, std::size_t row, double most) const {
    const double reach = (bits - most) / norms_.bits[row];
    return reach == reach ? reach : -std::numeric_limits<double>::infinity();
}

bool ActiveRows::holds(Level& level, const Vector& next, double distance, double most) const {
    if (!(most <= level.most)) return false;
    // Rounded down, so that many short steps count as well.
    level.left = (level.left - distance * (1.0 + error_)) * (1.0 - error_);
    if (!(level.left > 0.0))
        level.left = level.radius - fastgrok::distance(next, level.u) * (1.0 + error_);
    return level.left >= 0.0;
}

std::size_t ActiveRows::size(std::size_t depth) const {
    return depth > 0 ? levels_[depth - 1].size : problem_.rows();
}

void ActiveRows::count_rows(Level& level) const {
    level.size = 0;
    for (const List& list : level.chunks)
        level.size += list.rows.size() - static_cast<std::size_t>(std::count(
                                             list.rows.begin(), list.rows.end(), kNoRow));
}

bool ActiveRows::give_up() {
    reset();
    levels_ = {};
    seen_ = std::vector<Vector>(problem_.partition().count());
    return std::exchange(skip_, Skip::never) != Skip::never;
}

void ActiveRows::fail(std::size_t depth) {
    if (skip_ != Skip::patiently) return;
    Patience& patience = patience_[depth];
    patience.wait = patience.next;
    patience.next = std::min(2 * patience.next, kLongestWait);
}

void ActiveRows::advance(const Vector& u, const Vector& next, double distance, double most) {
    if (make_) count_rows(levels_[depth_ - 1]);
    ++passes_;
    visits_ += size(depth_);
    if (skip_ == Skip::never) return;
    watch(next);
    if (make_ && 8 * size(depth_) > 7 * size(depth_ - 1)) {  // many rows of the same reach
        look_ = false;
        fail(--depth_);
    }
    make_ = false;
    std::size_t valid = 0;
    while (valid < depth_ && holds(levels_[valid], next, distance, most)) ++valid;
    if (valid < depth_) {
        const double life = static_cast<double>(passes_ - levels_[valid].made_at);
        if (life < static_cast<double>(kFewestSteps)) {
            fail(valid);
        } else {
            patience_[valid] = Patience{};
        }
        depth_ = valid;
    } else if (look_) {
        if (depth_ == levels_.size()) levels_.emplace_back();
        Level& level = levels_[depth_];
        level.u = u;
        // Outer levels are made for longer, where the bound moves.
        level.most = most;
        if (traits_of(loss_).exponential_tail())
            level.most += static_cast<double>(kMostLevels - depth_);
        if (choose_radius(level, size(depth_), distance) && holds(level, next, distance, most)) {
            level.made_at = passes_;
            level.chunks.resize(seen_.size());
            ++depth_;
            make_ = true;
        } else {
            fail(depth_);
        }
    }
    look_ = false;
    if (depth_ < kMostLevels && std::isfinite(distance)) {
        Patience& patience = patience_[depth_];
        if (patience.wait > 0) {
            --patience.wait;
        } else {
            look_ = size(depth_) >= kFewToLookAt;
        }
    }
}

bool ActiveRows::choose_radius(Level& level, std::size_t parent_size, double distance) {
    const std::size_t stride = parent_size / kSample + 1;
    Vector sample;
    sample.reserve(parent_size / stride + 1);
    std::size_t next = 0, before = 0;
    for (std::size_t c = 0; c < seen_.size(); ++c) {
        const std::size_t count = places(depth_, c);
        for (; next < before + count; next += stride) {
            const std::size_t row = row_at(depth_, c, next - before);
            if (row != kNoRow) sample.push_back(reach(seen_[c][next - before], row, level.most));
        }
        before += count;
    }
    // What rounding may take from a margin here and later, in terms of distance.
    const double blur = 2.0 * error_ * norm(level.u.data(), level.u.size());
    const double least = std::min(kFewestSteps * distance, spread_);
    const auto radius_of = [&](double reach) { return (reach - blur) / (1.0 + 2.0 * error_); };
    const auto too_short = [&](double reach) {
        const double radius = radius_of(reach);
        return !(radius >= least && radius > 0.0);
    };
    const auto short_ones =
        static_cast<std::size_t>(std::count_if(sample.begin(), sample.end(), too_short));
    std::size_t sixteenths = 4;
    while (sixteenths < 13 && sample.size() * sixteenths / 16 < short_ones) ++sixteenths;
    const std::size_t place = sample.size() * sixteenths / 16;
    if (sixteenths == 13 || place == sample.size()) return false;
    const auto at = sample.begin() + static_cast<std::ptrdiff_t>(place);
    std::nth_element(sample.begin(), at, sample.end());
    const double radius = radius_of(*at);
    if (!std::isfinite(radius)) return false;
    level.radius = level.left = radius;
    level.reach = radius * (1.0 + 2.0 * error_) + blur;
    level.size = parent_size * sixteenths / 16;
    return true;
}

std::size_t ActiveRows::row_at(std::size_t depth, std::size_t chunk, std::size_t place) const {
    if (depth == 0) return problem_.first_row(chunk) + place;
    return levels_[depth - 1].chunks[chunk].rows[place];
}

void ActiveRows::fill(List& list, std::size_t chunk) {
    const Level& level = levels_[depth_ - 1];
    const Vector& seen = seen_[chunk];
    const std::size_t count = places(depth_ - 1, chunk);
    list.rows.clear();
    if (!problem_.packed()) {
        for (std::size_t k = 0; k < count; ++k) {
            const std::size_t row = row_at(depth_ - 1, chunk, k);
            if (!(reach(seen[k], row, level.most) > level.reach))
                list.rows.push_back(static_cast<std::uint32_t>(row));
        }
        return;
    }
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::size_t place = lane;
        for (std::size_t k = lane; k < count; k += kLanes) {
            const std::size_t row = row_at(depth_ - 1, chunk, k);
            if (row == kNoRow || reach(seen[k], row, level.most) > level.reach) continue;
            if (place >= list.rows.size()) list.rows.resize(list.rows.size() + kLanes, kNoRow);
            list.rows[place] = static_cast<std::uint32_t>(row);
            place += kLanes;
        }
    }
    const std::size_t size = kLanes * (problem_.layout().cols + 1);
    list.blocks.assign(list.rows.size() / kLanes * size, 0.0);
    for (std::size_t k = 0; k < list.rows.size(); ++k) {
        if (list.rows[k] == kNoRow) continue;
        const double* from = problem_.block(list.rows[k] / kLanes) + list.rows[k] % kLanes;
        double* to = list.blocks.data() + k / kLanes * size + k % kLanes;
        for (std::size_t j = 0; j <= problem_.layout().cols; ++j) to[j * kLanes] = from[j * kLanes];
    }
    if (problem_.weights() == nullptr) return;
    list.weights.assign(list.rows.size(), 0.0);
    for (std::size_t k = 0; k < list.rows.size(); ++k)
        if (list.rows[k] != kNoRow) list.weights[k] = problem_.weight(list.rows[k]);
}

std::size_t ActiveRows::missed(const Vector& bits, double most) const {
    if (depth_ == 0) return 0;
    std::vector<bool> listed(problem_.rows(), false);
    for (const List& list : levels_[depth_ - 1].chunks)
        for (const std::uint32_t row : list.rows)
            if (row != kNoRow) listed[row] = true;
    std::size_t count = 0;
    for (std::size_t i = 0; i < listed.size(); ++i) count += !listed[i] && !(bits[i] > most);
    return count;
}

}  // namespace fastgrok
