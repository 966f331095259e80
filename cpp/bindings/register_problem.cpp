// Problem: margins, losses, gradients and curvature of a data set.
#include <pybind11/stl.h>

#include "engines/curvature.hpp"
#include "engines/row_sizes.hpp"
#include "engines/support.hpp"
#include "problem.hpp"

namespace fastgrok {
namespace {

// Of a read-only map of up to so many bytes all pages stay. To leave one and come back costs passes
// over 4 GB in the page cache two to three times their time, though little beside a disk's.
constexpr std::size_t kKept = std::size_t{1} << 30;

template <class Real>
const Real* data_of(const py::array& x) {
    const auto* data = static_cast<const Real*>(x.data());
    require(reinterpret_cast<std::uintptr_t>(data) % alignof(Real) == 0, "X must be aligned");
    return data;
}

const double* labels_of(const py::array& x, const Array<double>& y) {
    require(y.ndim() == 1 && y.shape(0) == x.shape(0), "y must have one label a row of X");
    return data_of<double>(y);
}

// Whether an array lies in a mapping that nobody can write to through it: mmap.mmap with
// ACCESS_READ, as that of numpy.memmap with mode="r", is shared with its file. Pages of others may
// hold what is in no file.
bool is_mapped(const py::array& x) {
    py::object base = x.attr("base");
    while (py::isinstance<py::array>(base)) base = base.attr("base");
    if (py::isinstance<py::memoryview>(base)) base = base.attr("obj");
    if (base.is_none() || !py::isinstance(base, py::module_::import("mmap").attr("mmap")))
        return false;
    return py::reinterpret_borrow<py::buffer>(base).request().readonly;
}

void require_here(const Problem& problem) {
    require(problem.elsewhere() == nullptr, "the rows lie on other machines");
}

void leave(const py::array& x) {
    if ((x.flags() & py::array::c_style) == 0 || !is_mapped(x)) return;
    const auto* begin = static_cast<const char*>(x.data());
    py::gil_scoped_release release;
    leave_pages(begin, begin + x.nbytes());
}

Problem make_problem(const py::array& x, const Array<double>& y, bool bias, bool align,
                     std::size_t kept) {
    require(x.ndim() == 2 && x.shape(0) > 0 && x.shape(1) > 0, "X must have rows and columns");
    require((x.flags() & py::array::c_style) != 0, "X must be C-contiguous");
    const double* labels = labels_of(x, y);
    const auto rows = static_cast<std::size_t>(x.shape(0));
    const auto cols = static_cast<std::size_t>(x.shape(1));
    std::variant<const double*, const float*> data;
    if (x.dtype().equal(py::dtype::of<double>())) {
        data = data_of<double>(x);
    } else if (x.dtype().equal(py::dtype::of<float>())) {
        data = data_of<float>(x);
    } else {
        throw py::type_error("X must be float64 or float32 in native byte order");
    }
    if (!is_mapped(x)) kept = Problem::kKeepAll;
    py::gil_scoped_release release;
    return Problem(data, labels, rows, cols, bias, align, kept);
}

Problem relabel(const BoundProblem& rows, const Array<double>& y, bool bias) {
    require_here(rows.problem);
    const double* labels = labels_of(rows.x, y);
    py::gil_scoped_release release;
    return Problem(rows.problem, labels, bias);
}

using Shared = std::shared_ptr<BoundProblem>;

// Of a pass that returns a value for every row.
template <const Vector& (Passes::*pass)(const Vector&)>
Array<double> by_row(const BoundProblem& self, const Array<double>& w, double b, int threads) {
    require_here(self.problem);
    const Vector u = self.parameters(w, b);
    const auto rows = static_cast<py::ssize_t>(self.problem.rows());
    Array<double> out(rows);
    double* to = out.mutable_data();
    py::gil_scoped_release release;
    Passes passes(self.problem, threads);
    const Vector& m = (passes.*pass)(u);
    std::copy(m.begin(), m.begin() + rows, to);
    return out;
}

std::pair<double, std::int64_t> evaluate(const BoundProblem& self, const Array<double>& w, double b,
                                         const std::string& loss, bool tie_negative, int threads) {
    const Vector u = self.parameters(w, b);
    const Loss kind = parse_loss(loss);
    py::gil_scoped_release release;
    const Evaluation e = Passes(self.problem, threads).evaluate(u, kind, parse_tie(tie_negative));
    return {e.loss_sum, e.correct};
}

py::tuple gradient(const BoundProblem& self, const Array<double>& w, double b,
                   const std::string& loss, int threads) {
    const Vector u = self.parameters(w, b);
    const Loss kind = parse_loss(loss);
    Vector out(u.size());
    Vector g(self.problem.layout().cols);
    {
        py::gil_scoped_release release;
        Passes(self.problem, threads).first(u, kind, out);
        for (double& x : out) x = -x;
        self.problem.unpack_weights(out, g.data());
    }
    return py::make_tuple(to_array(g), out[self.problem.layout().intercept]);
}

double curvature(const BoundProblem& self, const Array<double>& w, double b,
                 const std::string& loss, int threads) {
    const Vector u = self.parameters(w, b);
    const Loss kind = parse_loss(loss);
    py::gil_scoped_release release;
    Passes passes(self.problem, threads);
    std::vector<Vector> directions;
    std::int64_t spent = 0;
    const CurvatureSearch search{.tolerance = 1e-9, .most_passes = 500.0, .most_products = 500};
    return largest_curvature(passes, u, kind, search, directions, spent);
}

// Squares of the rows' norms, and the largest magnitude in every column.
py::tuple sizes(const BoundProblem& self, int threads) {
    require_here(self.problem);
    RowSizes found;
    {
        py::gil_scoped_release release;
        found = row_sizes(self.problem, threads);
    }
    return py::make_tuple(to_array(found.squares), to_array(found.columns));
}

// The rows on the largest margin, or None: see engines/support.hpp. A tuple of their indices, their
// vectors, theta, alpha, what float64 leaves of alpha, and the error of the bias; the last is None
// if digits have not been refined.
py::object support(const BoundProblem& self, int exponent, double feature, double tol, bool refine,
                   bool free, const std::vector<int>& columns,
                   const std::optional<std::pair<Array<double>, double>>& start, int threads) {
    require_here(self.problem);
    require(columns.empty() || columns.size() == self.problem.layout().cols,
            "columns must have one entry a column of X");
    const Vector first = start ? self.parameters(start->first, start->second) : Vector();
    Support found;
    {
        py::gil_scoped_release release;
        found = find_support(self.problem, {exponent, feature, tol, refine, free, columns}, first,
                             threads, signal_raised);
    }
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    if (!found.found) return py::none();
    const auto count = static_cast<py::ssize_t>(found.rows.size());
    const auto dim = static_cast<py::ssize_t>(found.point.theta.size());
    return py::make_tuple(to_array(std::vector<std::int64_t>(found.rows.begin(), found.rows.end())),
                          into_array(std::move(found.vectors), {count, dim}),
                          to_array(found.point.theta), to_array(found.point.alpha),
                          to_array(found.point.rest),
                          found.refined ? py::cast(found.point.off) : py::none());
}

}  // namespace

BoundProblem::BoundProblem(py::array x_, Array<double> y_, bool bias, bool align, std::size_t kept)
    : x(std::move(x_)), y(std::move(y_)), problem(make_problem(x, y, bias, align, kept)) {}

BoundProblem::BoundProblem(const BoundProblem& rows, Array<double> y_, bool bias)
    : x(rows.x), y(std::move(y_)), problem(relabel(rows, y, bias)) {}

Vector BoundProblem::parameters(const Array<double>& w, double b) const {
    require(w.ndim() == 1 && static_cast<std::size_t>(w.shape(0)) == problem.layout().cols,
            "w must have one entry a column of X");
    return problem.pack_parameters(w.data(), b);
}

void register_problem(py::module_& m) {
    m.def("leave", &leave, py::arg("array").noconvert(),
          "Give back the memory of an array that lies in a read-only map of a file.");
    py::class_<BoundProblem, Shared>(
        m, "Problem", "Rows and labels, checked by the caller, ready for the kernels.",
        py::is_final())
        .def(py::init<py::array, Array<double>, bool, bool, std::size_t>(),
             py::arg("X").noconvert(), py::arg("y").noconvert(), py::arg("bias"),
             py::arg("align") = true, py::arg("kept") = kKept)
        .def_property_readonly("rows", [](const BoundProblem& p) { return p.problem.rows(); })
        .def_property_readonly("cols",
                               [](const BoundProblem& p) { return p.problem.layout().cols; })
        .def_property_readonly("bias", [](const BoundProblem& p) { return p.problem.bias(); })
        .def_property_readonly("packed", [](const BoundProblem& p) { return p.problem.packed(); })
        .def_property_readonly("chunks",
                               [](const BoundProblem& p) { return p.problem.partition().count(); })
        .def(
            "relabelled",
            [](const BoundProblem& self, Array<double> y, bool bias) {
                return std::make_shared<BoundProblem>(self, std::move(y), bias);
            },
            py::arg("y").noconvert(), py::arg("bias"))
        .def("margins", &by_row<&Passes::margins>, py::arg("w").noconvert(), py::arg("b"),
             py::arg("threads"))
        .def("accurate_margins", &by_row<&Passes::accurate_margins>, py::arg("w").noconvert(),
             py::arg("b"), py::arg("threads"))
        .def("sizes", &sizes, py::arg("threads"))
        .def("support", &support, py::arg("exponent"), py::arg("feature"), py::arg("tol"),
             py::arg("refine"), py::arg("free"), py::arg("columns"), py::arg("start"),
             py::arg("threads"))
        .def("evaluate", &evaluate, py::arg("w").noconvert(), py::arg("b"), py::arg("loss"),
             py::arg("tie_negative"), py::arg("threads"))
        .def("gradient", &gradient, py::arg("w").noconvert(), py::arg("b"), py::arg("loss"),
             py::arg("threads"))
        .def("curvature", &curvature, py::arg("w").noconvert(), py::arg("b"), py::arg("loss"),
             py::arg("threads"));
}

}  // namespace fastgrok
