// What searches for the sharpness have left, as arrays by name.
#pragma once

#include "arrays.hpp"
#include "engines/sharpness.hpp"

namespace fastgrok {

// put(name, array)
template <class Put>
void put_sharpness(const SharpnessState& state, Put put) {
    const auto joined = [](const SharpnessState::Found& found) {
        Vector values;
        for (const Vector& direction : found.directions)
            values.insert(values.end(), direction.begin(), direction.end());
        return to_array(values);
    };
    put("top_direction", joined(state.at));
    put("top_direction_mean", joined(state.mean));
    put("sharpness_search",
        to_array(Vector{static_cast<double>(state.passes), state.at.step, state.mean.step}));
}

// get(name) -> array of float64, of no axis if there is none. Earlier files have one direction
// each, from which the next search begins, and the number of passes.
template <class Get>
SharpnessState get_sharpness(std::size_t length, Get get) {
    const auto directions = [&](const char* name) {
        const Array<double> values = get(name);
        require(values.ndim() > 0, std::string("the state's ") + name + " is missing");
        require(values.ndim() == 1 && values.size() % static_cast<py::ssize_t>(length) == 0,
                std::string("the state's ") + name + " must be of the parameters' length");
        std::vector<Vector> out;
        for (const double* next = values.data(); next != values.data() + values.size();
             next += length)
            out.emplace_back(next, next + length);
        return out;
    };
    const auto numbers = [&](const char* name, py::ssize_t size) {
        const Array<double> values = get(name);
        require(values.ndim() == 0 || (values.ndim() == 1 && values.size() == size),
                std::string("the state's ") + name + " has another shape");
        return values.ndim() == 0 ? Vector() : Vector(values.data(), values.data() + size);
    };
    SharpnessState state;
    state.at.directions = directions("top_direction");
    state.mean.directions = directions("top_direction_mean");
    Vector search = numbers("sharpness_search", 3);
    if (search.empty()) {
        search = numbers("sharpness_passes", 1);
        require(!search.empty(), "the state's sharpness_search is missing");
    }
    require(search[0] >= 0.0 && search[0] <= 0x1p60, "a number of passes is out of range");
    state.passes = static_cast<std::int64_t>(search[0]);
    if (search.size() == 3) {
        state.at.step = search[1];
        state.mean.step = search[2];
    }
    return state;
}

}  // namespace fastgrok
