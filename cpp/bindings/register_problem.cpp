// Problem: margins, losses, gradients and curvature of a data set.
#include <pybind11/stl.h>

#include <algorithm>

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

const double* labels_of(std::size_t rows, const Array<double>& y) {
    require(y.ndim() == 1 && static_cast<std::size_t>(y.shape(0)) == rows,
            "y must have one label a row of X");
    return data_of<double>(y);
}

std::variant<const double*, const float*> numbers_of(const py::array& x) {
    if (x.dtype().equal(py::dtype::of<double>())) return data_of<double>(x);
    if (x.dtype().equal(py::dtype::of<float>())) return data_of<float>(x);
    throw py::type_error("X must be float64 or float32 in native byte order");
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
    const auto* end = begin + x.nbytes();  // which asks the dtype, and so needs the GIL
    const Unlocked alone;
    leave_pages(begin, end);
}

Problem make_problem(const py::array& x, const Array<double>& y, bool bias, bool align,
                     std::size_t kept) {
    require(x.ndim() == 2 && x.shape(0) > 0 && x.shape(1) > 0, "X must have rows and columns");
    require((x.flags() & py::array::c_style) != 0, "X must be C-contiguous");
    const auto rows = static_cast<std::size_t>(x.shape(0));
    const auto cols = static_cast<std::size_t>(x.shape(1));
    const double* labels = labels_of(rows, y);
    const auto data = numbers_of(x);
    if (!is_mapped(x)) kept = Problem::kKeepAll;
    const Unlocked alone;
    return Problem(data, labels, rows, cols, bias, align, kept);
}

// Whether the columns of every row increase.
bool increase(const std::int32_t* columns, const std::int64_t* begin, std::size_t rows) {
    bool out = true;
    for (std::size_t i = 0; i < rows; ++i) {
        stop_if_due(i);
        for (std::int64_t k = begin[i] + 1; k < begin[i + 1]; ++k)
            out &= columns[k - 1] < columns[k];
    }
    return out;
}

// Whether the rows follow each other from the first entry to the last.
bool cover(const std::int64_t* begin, std::size_t rows, py::ssize_t entries) {
    return begin[0] == 0 && begin[rows] == entries && std::is_sorted(begin, begin + rows + 1);
}

bool columns_increase(const Array<std::int32_t>& columns, const Array<std::int64_t>& begin) {
    const auto rows = static_cast<std::size_t>(begin.size()) - 1;
    require(begin.ndim() == 1 && begin.size() > 0 && columns.ndim() == 1 &&
                cover(begin.data(), rows, columns.size()),
            "begin must lead from row to row");
    const auto* of = columns.data();
    const auto* from = begin.data();
    const Unlocked alone;
    return increase(of, from, rows);
}

Problem make_sparse(const SparseArrays& sparse, std::size_t cols, const Array<double>& y,
                    bool bias) {
    const std::size_t rows = sparse.begin->size() - 1;
    require(rows > 0 && cols > 0, "X must have rows and columns");
    require(sparse.x.ndim() == 1 && sparse.columns.ndim() == 1 &&
                sparse.x.shape(0) == sparse.columns.shape(0) &&
                (sparse.x.flags() & py::array::c_style) != 0,
            "sparse rows must have a column for every entry");
    const double* labels = labels_of(rows, y);
    const auto data = numbers_of(sparse.x);
    const std::int32_t* columns = data_of<std::int32_t>(sparse.columns);
    const Unlocked alone;
    const std::int64_t* begin = sparse.begin->data();
    bool in_order = cover(begin, rows, sparse.columns.size()) && increase(columns, begin, rows);
    const std::int32_t last = static_cast<std::int32_t>(std::min<std::size_t>(cols, INT32_MAX)) - 1;
    for (std::size_t i = 0; in_order && i < rows; ++i)
        if (begin[i] < begin[i + 1])
            in_order = columns[begin[i]] >= 0 && columns[begin[i + 1] - 1] <= last;
    if (!in_order)
        throw std::invalid_argument("sparse rows must have their columns in order, none twice");
    // Which may be read as without a sign, since none is negative.
    return Problem(data, reinterpret_cast<const std::uint32_t*>(columns), begin, labels, rows, cols,
                   bias);
}

std::shared_ptr<BoundProblem> from_sparse(py::array x, Array<std::int32_t> columns,
                                          const Array<std::int64_t>& begin, std::size_t cols,
                                          Array<double> y, bool bias) {
    require(begin.ndim() == 1 && begin.shape(0) > 0, "sparse rows must begin somewhere");
    auto places =
        std::make_shared<std::vector<std::int64_t>>(begin.data(), begin.data() + begin.size());
    return std::make_shared<BoundProblem>(
        SparseArrays{std::move(x), std::move(columns), std::move(places)}, cols, std::move(y),
        bias);
}

Problem relabel(const BoundProblem& rows, const Array<double>& y, bool bias) {
    require_here(rows.problem);
    const double* labels = labels_of(rows.problem.rows(), y);
    const Unlocked alone;
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
    const Unlocked alone;
    Passes passes(self.problem, threads);
    const Vector& m = (passes.*pass)(u);
    std::copy(m.begin(), m.begin() + rows, to);
    return out;
}

std::pair<double, double> evaluate(const BoundProblem& self, const Array<double>& w, double b,
                                   const std::string& loss, bool tie_negative, int threads) {
    const Vector u = self.parameters(w, b);
    const Loss kind = parse_loss(loss);
    const Unlocked alone;
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
        const Unlocked alone;
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
    const Unlocked alone;
    Passes passes(self.problem, threads);
    std::vector<Vector> directions;
    double visited = 0.0;
    const CurvatureSearch search{.tolerance = 1e-9, .most_passes = 500.0, .most_products = 500};
    return largest_curvature(passes, u, kind, search, directions, visited);
}

// Squares of the rows' norms, and the largest magnitude in every column.
py::tuple sizes(const BoundProblem& self, int threads) {
    require_here(self.problem);
    RowSizes found;
    {
        const Unlocked alone;
        found = row_sizes(self.problem, threads);
    }
    return py::make_tuple(to_array(found.squares), to_array(found.columns));
}

// The rows on the largest margin, or None: see engines/support.hpp. A tuple of their indices, their
// vectors, theta, alpha, what float64 leaves of alpha, and the error of the bias; the last is None
// if digits have not been refined. `most`, where more rows than that would have to be held.
py::object support(const BoundProblem& self, int exponent, double feature, double tol, bool refine,
                   bool free, const std::vector<int>& columns,
                   const std::optional<std::pair<Array<double>, double>>& start, std::size_t most,
                   int threads) {
    require_here(self.problem);
    require(most > 0, "most must be at least 1");
    require(columns.empty() || columns.size() == self.problem.layout().cols,
            "columns must have one entry a column of X");
    const Vector first = start ? self.parameters(start->first, start->second) : Vector();
    Support found;
    {
        const Unlocked alone;
        found = find_support(self.problem, {exponent, feature, tol, refine, free, columns, most},
                             first, threads);
    }
    if (found.full) return py::int_(most);
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

BoundProblem::BoundProblem(SparseArrays sparse_, std::size_t cols, Array<double> y_, bool bias)
    : x(sparse_.x),
      sparse(std::move(sparse_)),
      y(std::move(y_)),
      problem(make_sparse(sparse, cols, y, bias)) {}

BoundProblem::BoundProblem(const BoundProblem& rows, Array<double> y_, bool bias)
    : x(rows.x), sparse(rows.sparse), y(std::move(y_)), problem(relabel(rows, y, bias)) {}

BoundProblem::BoundProblem(const BoundProblem& rows, const Array<double>& weights)
    : x(rows.x), sparse(rows.sparse), y(rows.y), problem(rows.problem) {
    require_here(problem);
    require(weights.ndim() == 1 && static_cast<std::size_t>(weights.shape(0)) == problem.rows(),
            "weights must have one entry a row of X");
    problem.weigh(weights.data());
}

Vector BoundProblem::parameters(const Array<double>& w, double b) const {
    require(w.ndim() == 1 && static_cast<std::size_t>(w.shape(0)) == problem.layout().cols,
            "w must have one entry a column of X");
    return problem.pack_parameters(w.data(), b);
}

void register_problem(py::module_& m) {
    m.def("leave", &leave, py::arg("array").noconvert(),
          "Give back the memory of an array that lies in a read-only map of a file.");
    m.def("columns_increase", &columns_increase, py::arg("columns").noconvert(),
          py::arg("begin").noconvert(),
          "Whether the columns of every sparse row increase, and so none is there twice.");
    py::class_<BoundProblem, Shared>(
        m, "Problem", "Rows and labels, checked by the caller, ready for the kernels.",
        py::is_final())
        .def(py::init<py::array, Array<double>, bool, bool, std::size_t>(),
             py::arg("X").noconvert(), py::arg("y").noconvert(), py::arg("bias"),
             py::arg("align") = true, py::arg("kept") = kKept)
        .def_static("sparse", &from_sparse, py::arg("values").noconvert(),
                    py::arg("columns").noconvert(), py::arg("begin").noconvert(), py::arg("cols"),
                    py::arg("y").noconvert(), py::arg("bias"))
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
        .def(
            "weighted",
            [](const BoundProblem& self, const Array<double>& weights) {
                return std::make_shared<BoundProblem>(self, weights);
            },
            py::arg("weights").noconvert())
        .def_property_readonly("total_weight",
                               [](const BoundProblem& p) { return p.problem.total_weight(); })
        .def("margins", &by_row<&Passes::margins>, py::arg("w").noconvert(), py::arg("b"),
             py::arg("threads"))
        .def("accurate_margins", &by_row<&Passes::accurate_margins>, py::arg("w").noconvert(),
             py::arg("b"), py::arg("threads"))
        .def("sizes", &sizes, py::arg("threads"))
        .def("support", &support, py::arg("exponent"), py::arg("feature"), py::arg("tol"),
             py::arg("refine"), py::arg("free"), py::arg("columns"), py::arg("start"),
             py::arg("most"), py::arg("threads"))
        .def("evaluate", &evaluate, py::arg("w").noconvert(), py::arg("b"), py::arg("loss"),
             py::arg("tie_negative"), py::arg("threads"))
        .def("gradient", &gradient, py::arg("w").noconvert(), py::arg("b"), py::arg("loss"),
             py::arg("threads"))
        .def("curvature", &curvature, py::arg("w").noconvert(), py::arg("b"), py::arg("loss"),
             py::arg("threads"));
}

}  // namespace fastgrok
