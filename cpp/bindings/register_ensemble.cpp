// Ensemble: many runs at once.
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "engines/ensemble.hpp"

namespace fastgrok {
namespace {

using Groups = std::vector<Ensemble::Runs>;

std::unique_ptr<Ensemble> make_ensemble(const Groups& by_team, const Groups& by_thread,
                                        int threads) {
    for (const Groups* groups : {&by_team, &by_thread})
        for (const Ensemble::Runs& group : *groups) {
            const auto* runs = std::get_if<std::vector<Descent*>>(&group);
            if (runs == nullptr) {
                require(std::get<LeapingDescent*>(group) != nullptr, "a run must not be None");
                continue;
            }
            require(!runs->empty(), "a group must not be empty");
            const Problem& first = (*runs)[0]->problem();
            for (const Descent* run : *runs)
                require(run->problem().shares_storage(first), "a group must have rows in common");
        }
    require(threads >= 1, "threads must be at least 1");
    return std::make_unique<Ensemble>(by_team, by_thread, threads);
}

bool run_all(Ensemble& self, const py::function& poll, double poll_seconds) {
    const Unlocked alone;
    return self.run(polled(poll), poll_seconds);
}

py::tuple ending(const Ensemble& self, std::size_t group, std::size_t run) {
    const Lockstep::Ending& ending = self.ending(group, run);
    const char* const names[] = {"going", "done", "diverged", "failed", "lost"};
    return py::make_tuple(names[static_cast<int>(ending.status)], ending.seconds);
}

}  // namespace

void register_ensemble(py::module_& m) {
    py::class_<Ensemble>(m, "Ensemble", "Many runs at once.", py::is_final())
        .def(py::init(&make_ensemble), py::arg("by_team"), py::arg("by_thread"), py::arg("threads"),
             py::keep_alive<1, 2>(), py::keep_alive<1, 3>())
        .def("run", &run_all, py::arg("poll"), py::arg("poll_seconds") = 0.1)
        .def("ending", &ending, py::arg("group"), py::arg("run"))
        .def(
            "raise_failure",
            [](const Ensemble& self, std::size_t group, std::size_t run) {
                if (const auto failure = self.ending(group, run).failure)
                    std::rethrow_exception(failure);
            },
            py::arg("group"), py::arg("run"));
}

}  // namespace fastgrok
