// What drawing data sets does row by row.
#include <algorithm>

#include "arrays.hpp"
#include "engines/cube_points.hpp"

namespace fastgrok {
namespace {

using Whole = Array<std::int64_t>;

Proposals proposals_of(const Array<double>& x) {
    require(x.ndim() == 2, "x must have rows and columns");
    return {x.data(), static_cast<std::size_t>(x.shape(0)), static_cast<std::size_t>(x.shape(1))};
}

template <class Real>
Points<Real> points_of(Array<Real>& out, std::size_t cols, double step) {
    require(out.ndim() == 2 && static_cast<std::size_t>(out.shape(1)) == cols,
            "out must have rows of as many columns as the points");
    return {out.mutable_data(), static_cast<std::size_t>(out.shape(0)), step};
}

template <class T>
void require_entries(const Array<T>& x, std::size_t size, const char* message) {
    require(x.ndim() == 1 && static_cast<std::size_t>(x.size()) == size, message);
}

template <class Real>
std::size_t beyond(const Array<double>& x, double low, double side, double step, Array<Real> out) {
    const Proposals proposals = proposals_of(x);
    const Points<Real> points = points_of(out, proposals.cols, step);
    const Unlocked alone;
    return keep_beyond(proposals, low, side, points);
}

template <class Real>
std::size_t between(const Array<double>& x, const std::pair<Whole, Array<double>>& choices,
                    const std::pair<Array<double>, Array<double>>& law, std::int64_t half,
                    double step, Array<Real> out, Whole excess) {
    const Proposals proposals = proposals_of(x);
    const Points<Real> points = points_of(out, proposals.cols + 1, step);
    require_entries(choices.first, proposals.rows, "choices must have a sum a proposal");
    require_entries(choices.second, proposals.rows, "choices must have a chance a proposal");
    for (const Array<double>& odds : {law.first, law.second})
        require_entries(odds, proposals.cols + 4, "law must have entries for -2..n+1");
    require_entries(excess, points.capacity, "excess must have an entry a point");
    require(half > 0, "half must be positive");
    const Choices chosen{choices.first.data(), choices.second.data()};
    const SignLaw odds{law.first.data(), law.second.data()};
    std::int64_t* left = excess.mutable_data();
    const Unlocked alone;
    return keep_between(proposals, chosen, odds, half, points, left);
}

template <class Real>
void turn(Array<Real> x, double width, const Whole& rows, Whole excess,
          const Array<double>& drawn) {
    require(x.ndim() == 2 && x.shape(1) > 1, "x must have rows and at least two columns");
    const auto count = static_cast<std::size_t>(rows.size());
    require_entries(rows, count, "rows must have 1 dimension");
    require_entries(excess, count, "excess must have an entry a row");
    require(drawn.ndim() == 2 && static_cast<std::size_t>(drawn.shape(0)) == count,
            "drawn must have numbers for each row");
    const auto height = static_cast<std::int64_t>(x.shape(0));
    const auto picks = static_cast<std::size_t>(drawn.shape(1));
    const SignsInExcess<Real> signs{x.mutable_data(),         static_cast<std::size_t>(x.shape(1)),
                                    static_cast<Real>(width), rows.data(),
                                    excess.mutable_data(),    count};
    const double* numbers = drawn.data();
    const Unlocked alone;
    require(std::all_of(signs.rows, signs.rows + count,
                        [&](std::int64_t row) { return 0 <= row && row < height; }),
            "rows must be rows of x");
    require(
        std::all_of(numbers, numbers + count * picks, [](double u) { return 0.0 <= u && u < 1.0; }),
        "drawn must lie in [0, 1)");
    turn_signs(signs, numbers, picks);
}

template <class Real>
void define(py::module_& m) {
    m.def("keep_beyond", &beyond<Real>, py::arg("x"), py::arg("low"), py::arg("side"),
          py::arg("step"), py::arg("out").noconvert());
    m.def("keep_between", &between<Real>, py::arg("x"), py::arg("choices"), py::arg("law"),
          py::arg("half"), py::arg("step"), py::arg("out").noconvert(),
          py::arg("excess").noconvert());
    m.def("turn_signs", &turn<Real>, py::arg("x").noconvert(), py::arg("width"), py::arg("rows"),
          py::arg("excess").noconvert(), py::arg("drawn"));
}

}  // namespace

void register_draws(py::module_& m) {
    define<double>(m);
    define<float>(m);
}

}  // namespace fastgrok
