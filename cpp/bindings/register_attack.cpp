// Attack: adversarial attacks on the rows of a problem.
#include <pybind11/stl.h>

#include <optional>

#include "attack.hpp"
#include "engines/attack.hpp"

namespace fastgrok {
namespace {

Ball parse_ball(const std::string& name) {
    if (name == "l_inf") return Ball::l_inf;
    if (name == "l_2") return Ball::l_2;
    require(name == "l_1", "ball must be 'l_inf', 'l_2' or 'l_1', not '" + name + "'");
    return Ball::l_1;
}

AttackMethod parse_method(const std::string& name) {
    if (name == "exact") return AttackMethod::exact;
    if (name == "pgd") return AttackMethod::pgd;
    if (name == "autodiff32") return AttackMethod::autodiff32;
    require(name == "autodiff64", "unknown method '" + name + "'");
    return AttackMethod::autodiff64;
}

Vector to_vector(const Array<double>& array, std::size_t length, const char* message) {
    require(array.ndim() == 1 && static_cast<std::size_t>(array.size()) == length, message);
    return Vector(array.data(), array.data() + array.size());
}

using Sides = std::optional<std::pair<Array<double>, Array<double>>>;

BoundAttack make_attack(std::shared_ptr<BoundProblem> problem, const std::string& method,
                        const std::string& ball, const Array<double>& radii, bool radius_by_row,
                        bool radius_by_column, double step_size, std::int64_t steps,
                        bool random_start, std::int64_t restarts, std::uint64_t seed,
                        const Sides& box) {
    AttackSettings settings;
    settings.method = parse_method(method);
    settings.ball = parse_ball(ball);
    require(radii.size() > 0, "radii must not be empty");
    require(!(radius_by_row && radius_by_column), "radii are by row or by column");
    require(!radius_by_column || settings.ball == Ball::l_inf, "radii by column are of l_inf");
    const std::size_t length = radius_by_row      ? problem->problem.rows()
                               : radius_by_column ? problem->problem.layout().cols
                                                  : radii.size();
    settings.radii =
        to_vector(radii, length, "radii must have one axis, and one entry a row or column");
    settings.radius_by_row = radius_by_row;
    settings.radius_by_column = radius_by_column;
    settings.step_size = step_size;
    settings.steps = steps;
    settings.random_start = random_start;
    settings.restarts = restarts;
    settings.seed = seed;
    if (box) {
        const std::size_t cols = problem->problem.layout().cols;
        const char* message = "the sides of the box must have one entry a column of X";
        settings.lower = to_vector(box->first, cols, message);
        settings.upper = to_vector(box->second, cols, message);
    }
    return {std::move(problem), std::move(settings)};
}

// Runs work(Attack&) without the GIL.
template <class Work>
void attack_rows(const BoundAttack& self, int threads, Work work) {
    const Unlocked alone;
    Attack attack(self.problem->problem, self.settings, threads);
    work(attack);
}

py::tuple attacked_evaluation(const BoundAttack& self, const Array<double>& w, double b,
                              const std::string& loss, bool tie_negative, int threads) {
    const Vector u = self.problem->parameters(w, b);
    const Loss kind = parse_loss(loss);
    Vector sums;
    std::vector<std::int64_t> correct;
    bool sound = false;
    attack_rows(self, threads, [&](Attack& attack) {
        for (const Evaluation& e :
             attack.evaluate_unchecked(u, kind, parse_tie(tie_negative), sound)) {
            sums.push_back(e.loss_sum);
            correct.push_back(static_cast<std::int64_t>(e.correct));
        }
    });
    return py::make_tuple(to_array(sums), to_array(correct), sound);
}

Array<double> points(const BoundAttack& self, const Array<double>& w, double b, int threads) {
    const Vector u = self.problem->parameters(w, b);
    const Problem& problem = self.problem->problem;
    Array<double> out({static_cast<py::ssize_t>(problem.rows()),
                       static_cast<py::ssize_t>(problem.layout().cols)});
    double* to = out.mutable_data();
    attack_rows(self, threads, [&](Attack& attack) { attack.points(u, to); });
    return out;
}

}  // namespace

void register_attack(py::module_& m) {
    py::class_<BoundAttack, std::shared_ptr<BoundAttack>>(
        m, "Attack", "What an adversary may do to the rows of a problem.", py::is_final())
        .def(py::init(&make_attack), py::arg("problem"), py::kw_only(), py::arg("method"),
             py::arg("ball"), py::arg("radii").noconvert(), py::arg("radius_by_row"),
             py::arg("radius_by_column") = false, py::arg("step_size"), py::arg("steps"),
             py::arg("random_start"), py::arg("restarts"), py::arg("seed"), py::arg("box"))
        .def("evaluate", &attacked_evaluation, py::arg("w").noconvert(), py::arg("b"),
             py::arg("loss"), py::arg("tie_negative"), py::arg("threads"))
        .def("points", &points, py::arg("w").noconvert(), py::arg("b"), py::arg("threads"));
    m.def(
        "autodiff_gradient",
        [](double z, bool positive, bool single) {
            return single ? static_cast<double>(logit_gradient(static_cast<float>(z), positive))
                          : logit_gradient(z, positive);
        },
        py::arg("z"), py::arg("positive"), py::arg("single"));
}

}  // namespace fastgrok
