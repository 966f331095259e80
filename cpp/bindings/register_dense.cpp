// Dense linear algebra for the geometry of few rows: see engines/dense.hpp.
#include <algorithm>

#include "arrays.hpp"
#include "engines/dense.hpp"

namespace fastgrok {
namespace {

using Strided = py::array_t<double>;

// A view of an array with two axes, or of one with one axis as a column.
MatrixView view(const Strided& array) {
    constexpr auto size = static_cast<py::ssize_t>(sizeof(double));
    require(array.ndim() == 1 || array.ndim() == 2, "a matrix or a vector is needed");
    for (py::ssize_t k = 0; k < array.ndim(); ++k)
        require(array.strides(k) % size == 0, "entries must be aligned");
    const bool one = array.ndim() == 1;
    return {const_cast<double*>(array.data()), static_cast<std::size_t>(array.shape(0)),
            one ? 1 : static_cast<std::size_t>(array.shape(1)), array.strides(0) / size,
            one ? 1 : array.strides(1) / size};
}

MatrixView square(const Array<double>& array) {
    require(array.ndim() == 2 && array.shape(0) == array.shape(1), "a square matrix is needed");
    return view(array);
}

Strided zeros(std::size_t rows, std::size_t cols) {
    Strided out({rows, cols});
    std::fill_n(out.mutable_data(), rows * cols, 0.0);
    return out;
}

Strided product(const Strided& a, const Strided& b) {
    require(a.ndim() == 2 && b.ndim() == 2, "two matrices are needed");
    const MatrixView left = view(a), right = view(b);
    require(left.cols == right.rows, "inner sizes must agree");
    Strided out = zeros(left.rows, right.cols);
    const MatrixView to = view(out);
    const Unlocked alone;
    add_product(1.0, left, right, to);
    return out;
}

// A matrix, contiguous in either order, times a vector.
Strided times(const Strided& a, const Array<double>& v) {
    require(a.ndim() == 2 && v.ndim() == 1, "a matrix and a vector are needed");
    const MatrixView left = view(a);
    require(left.cols == static_cast<std::size_t>(v.shape(0)), "sizes must agree");
    require(left.col == 1 || left.row == 1 || left.rows * left.cols == 0,
            "matrix must be contiguous");
    Strided out(a.shape(0));
    const double* from = v.data();
    double* to = out.mutable_data();
    std::fill_n(to, left.rows, 0.0);
    const Unlocked alone;
    add_product(left, from, to);
    return out;
}

// products += sign * rows rows^T, in the lower triangle.
void add_gram(const Array<double>& products, const Strided& rows, double sign) {
    require(rows.ndim() == 2, "rows must be a matrix");
    const MatrixView to = square(products), from = view(rows);
    require(to.rows == from.rows, "sizes must agree");
    require(products.writeable(), "products must be writeable");
    const Unlocked alone;
    add_product(sign, from, from.transposed(), to, Part::lower);
}

bool cholesky(const Array<double>& matrix) {
    const MatrixView a = square(matrix);
    require(matrix.writeable(), "matrix must be writeable");
    const Unlocked alone;
    return factorise(a);
}

// The lower triangle of l l^T + v^T v.
void add_columns(const Array<double>& l, const Array<double>& v) {
    const MatrixView triangle = square(l);
    require(l.writeable(), "l must be writeable");
    require(v.ndim() == 2 && static_cast<std::size_t>(v.shape(1)) == triangle.rows,
            "sizes must agree");
    const MatrixView from = view(v);
    py::gil_scoped_release release;
    Vector copy(from.at, from.at + from.rows * from.cols);
    add_to_factor(triangle, {copy.data(), from.rows, from.cols, from.row, 1});
}

Array<double> solve_triangular(const Array<double>& l, const Array<double>& right,
                               bool transposed) {
    const MatrixView triangle = square(l), from = view(right);
    require(triangle.rows == from.rows, "sizes must agree");
    Array<double> out(std::vector<py::ssize_t>(right.shape(), right.shape() + right.ndim()));
    const MatrixView to = view(out);
    const Unlocked alone;
    std::copy_n(from.at, from.rows * from.cols, to.at);
    solve_lower(triangle, to, transposed ? Side::transposed : Side::plain);
    return out;
}

// Without a basis there are no q.
py::tuple orthonormal_rows(const Array<double>& rows, bool basis) {
    require(rows.ndim() == 2 && rows.shape(0) <= rows.shape(1), "at most as many rows as columns");
    const MatrixView from = view(rows);
    Strided l = zeros(from.rows, from.rows), q = zeros(basis ? from.rows : 0, from.cols);
    const MatrixView triangle = view(l), out = view(q);
    {
        const Unlocked alone;
        Vector copy(from.at, from.at + from.rows * from.cols);
        orthonormalise({copy.data(), from.rows, from.cols, from.row, 1}, triangle, out);
    }
    return py::make_tuple(l, q);
}

py::tuple distances(const Array<double>& rows) {
    require(rows.ndim() == 2, "a matrix");
    const MatrixView from = view(rows);
    Vector distance;
    std::vector<std::size_t> order;
    {
        const Unlocked alone;
        Vector copy(from.at, from.at + from.rows * from.cols);
        order =
            fastgrok::order_by_distance({copy.data(), from.rows, from.cols, from.row, 1}, distance);
    }
    return py::make_tuple(py::array_t<double>(distance.size(), distance.data()),
                          py::array_t<std::size_t>(order.size(), order.data()));
}

}  // namespace

void register_dense(py::module_& m) {
    m.def("product", &product, py::arg("a").noconvert(), py::arg("b").noconvert());
    m.def("times", &times, py::arg("a").noconvert(), py::arg("v").noconvert());
    m.def("add_gram", &add_gram, py::arg("products").noconvert(), py::arg("rows").noconvert(),
          py::arg("sign"));
    m.def("cholesky", &cholesky, py::arg("matrix").noconvert());
    m.def("add_to_factor", &add_columns, py::arg("l").noconvert(), py::arg("v").noconvert());
    m.def("solve_triangular", &solve_triangular, py::arg("l").noconvert(),
          py::arg("right").noconvert(), py::arg("transposed") = false);
    m.def("orthonormal_rows", &orthonormal_rows, py::arg("rows").noconvert(),
          py::arg("basis") = true);
    m.def("order_by_distance", &distances, py::arg("rows").noconvert());
}

}  // namespace fastgrok
