#include "engines/sharpness.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "engines/curvature.hpp"
#include "engines/small_matrix.hpp"
#include "vectors.hpp"

namespace fastgrok {
namespace {

constexpr double kNotWatched = std::numeric_limits<double>::quiet_NaN();
// A search serves for the steps up to so many times its own, and leaves so many directions.
constexpr double kServes = 5.0;
constexpr std::size_t kDirections = 4;
// What of the curvature along the first of them may point to others, where a search is not due.
constexpr double kTurned = 0.05;
// The step of directions that have turned, until those of two searches in turn lie so close.
constexpr double kUnsteady = -1.0, kStays = 0.95;
// A search that ends with its tolerance may end with another eigenvalue than the largest, of which
// its start had little. Of so many entries all go on as far as they can, and of so many the first,
// which starts anywhere.
constexpr std::size_t kFewEntries = std::size_t{1} << 13, kFewAtFirst = std::size_t{1} << 20;
constexpr double kToTheEnd = 1e-7;
// While searches have visited fewer entries than that every record has one of its own.
constexpr double kFreeEntries = 2e8;
// All searches together may cost so many passes and this share of the steps; beyond that every
// search gets the fewest.
constexpr double kFreePasses = 12.0, kShareOfSteps = 0.1, kFewestPasses = 4.0;
constexpr int kMostProducts = 40;
// A search takes up to so many times what the last one took.
constexpr double kSpread = 2.0;

// What products of the directions found before tell; nothing where they no longer do.
std::optional<double> curvature_within(const double* projected, std::size_t apart, std::size_t n) {
    double across = 0.0, largest = 0.0;
    for (std::size_t k = 1; k < n; ++k) across += projected[k] * projected[k];
    for (std::size_t k = 0; k < n; ++k) largest = std::max(largest, projected[k * (apart + 1)]);
    if (projected[0] == 0.0 && largest == 0.0 && across == 0.0) return 0.0;  // nothing bends
    if (!(std::sqrt(across) <= kTurned * projected[0] && std::isfinite(largest)))
        return std::nullopt;
    Matrix span(n), vectors(n);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) span(i, j) = projected[i * apart + j] / largest;
    Vector values;
    diagonalize(std::move(span), values, vectors);
    return largest * values[0];
}

}  // namespace

Sharpness::Sharpness(Passes& passes, Loss loss, bool watched)
    : passes_(passes), loss_(loss), watched_(watched), last_search_(kMostProducts) {}

std::size_t Sharpness::entries() const {
    return passes_.problem().rows() * passes_.problem().row_entries();
}

bool Sharpness::few() const {
    const std::size_t length = passes_.problem().layout().length;  // of sparse rows may be more
    return passes_.problem().layout().cols <= kMostPackedCols ||
           std::max(entries(), length) <= kFewEntries;
}

double Sharpness::free_passes() const {
    return kFreeEntries / static_cast<double>(entries());
}

bool Sharpness::is_due(const SharpnessState& state, const Found& found, double step) const {
    return few() || found.step < 0.0 || static_cast<double>(state.passes) < free_passes() ||
           step >= kServes * found.step + 1.0;
}

int Sharpness::due(const SharpnessState& state, const Point& point) const {
    if (!watched_) return 0;
    const bool mean = !point.middle.empty() && is_due(state, state.mean, point.step);
    return (is_due(state, state.at, point.step) ? 1 : 0) + (mean ? 1 : 0);
}

double Sharpness::expected_passes(const Point& point) const {
    return due(state_, point) * std::min<double>(kSpread * last_search_, kMostProducts);
}

double Sharpness::search(const Vector& u, std::int64_t counted, std::vector<Vector>& directions,
                         std::int64_t& spent, const std::function<void()>& between_passes) {
    CurvatureSearch search;
    search.most_products = kMostProducts;
    if (few()) {  // it ends by itself when there are as many products as eigenvalues
        search.tolerance = kToTheEnd;
    } else {
        const double credit = std::max(kFreePasses, free_passes()) +
                              kShareOfSteps * static_cast<double>(counted) -
                              static_cast<double>(spent);
        search.most_passes = std::max(credit, kFewestPasses);
        if (directions.empty() && entries() <= kFewAtFirst) {
            search.most_passes = kMostProducts;
            search.tolerance = kToTheEnd;
        }
        search.keep = kDirections;
    }
    double visited = 0.0;
    const double out =
        largest_curvature(passes_, u, loss_, search, directions, visited, between_passes);
    spent += static_cast<std::int64_t>(std::ceil(visited));
    // The margins are those of the evaluation where they are foreseen.
    last_search_ = visited + (passes_.can_foresee() ? 0.0 : 1.0);
    return out;
}

// Margins for the searches that are due from a point on, as far as is known before they are made;
// up to which point.
std::size_t Sharpness::foresee(const SharpnessState& state, const std::vector<const Point*>& points,
                               std::size_t first) {
    std::vector<const Vector*> us;
    std::vector<std::size_t> ends;
    // Where a search ends with steady directions others are due much later.
    const bool each =
        few() || state.at.step < 0.0 || static_cast<double>(state.passes) < free_passes();
    for (std::size_t k = first; k < points.size() && due(state, *points[k]) > 0; ++k) {
        if (k > first && !each) break;
        us.push_back(&points[k]->u);
        if (!points[k]->middle.empty()) us.push_back(&points[k]->middle);
        ends.push_back(us.size());
    }
    const std::size_t made = us.size() < 2 ? 0 : passes_.foresee(std::move(us));
    const auto beyond = std::upper_bound(ends.begin(), ends.end(), made);
    return first + std::max<std::size_t>(static_cast<std::size_t>(beyond - ends.begin()), 1);
}

std::vector<Sharpness::Told> Sharpness::look(const std::vector<const Point*>& points, Tie tie,
                                             const std::function<void()>& between_passes) {
    std::vector<Told> out;
    SharpnessState state = state_;  // which is as it was if a pass throws
    struct Forget {
        Passes& passes;
        ~Forget() { passes.foresee({}); }
    } const forget{passes_};
    std::size_t end = 0, foreseen = 0;
    for (std::size_t first = 0; first < points.size(); first = end) {
        std::optional<double> at, mean;
        const Point& leading = *points[first];
        if (first >= foreseen && due(state, leading) > 0) foreseen = foresee(state, points, first);
        const auto renew = [&](Found& found, const Point& point, const Vector& u, bool turned) {
            const Vector before = found.directions.empty() ? Vector() : found.directions[0];
            const double largest =
                search(u, point.counted, found.directions, state.passes, between_passes);
            // Where it overflows there are no directions to go on with.
            if (std::isnan(largest)) return largest;
            const bool goes_on = found.step < 0.0 && !before.empty() && !few() &&
                                 std::abs(dot(before, found.directions[0])) < kStays;
            found.step = turned || goes_on ? kUnsteady : point.step;
            return largest;
        };
        // The mean first: the margins that are known then are those that are to be evaluated.
        if (watched_ && !leading.middle.empty() && is_due(state, state.mean, leading.step))
            mean = renew(state.mean, leading, leading.middle, false);
        if (watched_ && is_due(state, state.at, leading.step))
            at = renew(state.at, leading, leading.u, false);
        if (!watched_) at = kNotWatched;
        if (!watched_ || leading.middle.empty()) mean = kNotWatched;
        end = first + 1;  // all points to the next search
        while (end < points.size() && due(state, *points[end]) == 0) ++end;

        std::vector<Vector> us;
        for (std::size_t k = first; k < end; ++k) us.push_back(points[k]->u);
        Passes::Projection projection;
        // Without what a search has told already.
        const bool projects = watched_ && !few() && (end - first > 1 || !at || !mean);
        if (projects) {
            projection.on = state.at.directions;
            for (std::size_t k = first; k < end; ++k)
                if (!points[k]->middle.empty()) us.push_back(points[k]->middle);
            if (us.size() > end - first)
                projection.on.insert(projection.on.end(), state.mean.directions.begin(),
                                     state.mean.directions.end());
        }
        const auto evaluations =
            passes_.evaluate_all(us, loss_, tie, projects ? &projection : nullptr);
        between_passes();
        const std::size_t apart = projection.on.size(), offset = state.at.directions.size();
        std::size_t place = end - first;  // of the next mean
        for (std::size_t k = first; k < end; ++k) {
            const Point& point = *points[k];
            const auto told = [&](Found& found, std::size_t directions, const Vector& u,
                                  std::size_t number, std::size_t from,
                                  const std::optional<double>& leads) {
                if (leads && (k == first || !projects)) return *leads;
                const auto curvature = curvature_within(
                    &projection.hessians[number][from * (apart + 1)], apart, directions);
                if (curvature) return *curvature;
                end = k + 1;  // what follows meets other directions
                return renew(found, point, u, true);
            };
            Told one{evaluations[k - first], told(state.at, offset, point.u, k - first, 0, at),
                     kNotWatched};
            if (point.middle.empty())
                one.mean = one.at;
            else
                one.mean = told(state.mean, apart - offset, point.middle, projects ? place++ : 0,
                                offset, mean);
            out.push_back(one);
        }
    }
    state_ = std::move(state);
    return out;
}

}  // namespace fastgrok
