// Digests of the margins of many parameters at once.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "drawn.hpp"
#include "engines/passes.hpp"
#include "engines/storage.hpp"
#include "kernels/kernels.hpp"

namespace fastgrok {

// Margins of many parameters at once. Returns whether they have the bits of one after the other.
inline bool print_many(std::size_t n, std::size_t d, bool single, std::size_t count, Kind kind) {
    const auto data = make_data(n + d, n, d, single, true, kind);
    const Problem& problem = *data->problem;
    Passes passes(problem, 1);
    Generator random(count);
    std::vector<Vector> us;
    Vector together;
    for (std::size_t k = 0; k < count; ++k) {
        Vector w(d);
        for (double& x : w) x = draw(random, kind);
        us.push_back(problem.pack_parameters(w.data(), k % 3 == 0 ? -0.0 : random.uniform()));
        together.insert(together.end(), us[k].begin(), us[k].end());
    }
    Vector out(count * n);
    Blocks<double> room(kManyRoom);
    for (std::size_t c = 0; c < problem.partition().count(); ++c)
        problem.visit_chunk(c, [&](auto rows) {
            if constexpr (ForMany<decltype(rows)>)
                kernels_for(rows).many_margins(rows, together.data(), count,
                                               out.data() + problem.first_row(c), n, room.data());
        });
    Digest all, one_by_one;
    all.add_all(out);
    for (const Vector& u : us) one_by_one.add_all(std::span(passes.margins(u)).first(n));
    const std::string of =
        std::string(single ? " float32" : " float64") + " d=" + std::to_string(d);
    print("many" + of + " n=" + std::to_string(n) + " count=" + std::to_string(count), all);
    return all.value() == one_by_one.value();
}

}  // namespace fastgrok
