// What the losses are and what the engines need of them, for what Python says of both.
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "engines/active_rows.hpp"
#include "engines/leap_field.hpp"

namespace fastgrok {
namespace {

// Of each loss by name, whether it has each of the properties, and the bounds on it.
py::dict losses() {
    py::dict out;
    for (const Loss loss : kLosses) {
        const LossTraits& traits = traits_of(loss);
        py::dict values;
        for (const LossProperty& property : kLossProperties)
            values[property.name] = property.of(traits);
        values["lipschitz"] = traits.lipschitz;
        values["most_curvature"] = traits.most_curvature;
        out[name_of(loss)] = values;
    }
    return out;
}

std::vector<std::string> names_of(LossNeeds needs) {
    std::vector<std::string> names;
    for (const LossProperty& need : needs) names.emplace_back(need.name);
    return names;
}

}  // namespace

void register_losses(py::module_& m) {
    m.def("losses", &losses);
    m.def("loss_needs", [] {
        return std::map<std::string, std::vector<std::string>>{
            {"leaping", names_of(LeapField::needs)},
            {"skipping", names_of(ActiveRows::needs)},
        };
    });
}

}  // namespace fastgrok
