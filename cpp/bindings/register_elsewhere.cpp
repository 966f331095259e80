// Rows on other machines: a problem of them here, and there what answers for some of its chunks.
#include <pybind11/stl.h>

#include <algorithm>

#include "engines/row_server.hpp"
#include "problem.hpp"

namespace fastgrok {
namespace {

using Shared = std::shared_ptr<BoundProblem>;

// Asks Python functions. What these raise comes out.
class AskedElsewhere : public Elsewhere {
public:
    // ask([(what, about, owner, place), or two of these], owners to be forgotten) -> numbers;
    // gather() -> Problem.
    AskedElsewhere(py::function ask, py::function gather)
        : ask_(std::move(ask)), gather_(std::move(gather)) {}

    ~AskedElsewhere() override {
        const py::gil_scoped_acquire acquire;
        ask_ = py::function();
        gather_ = py::function();
        gathered_.reset();
    }

    Vector ask(const Asked& asked, const Asked* beside) override {
        const py::gil_scoped_acquire acquire;
        py::list questions;
        for (const Asked* const one : {&asked, beside})
            if (one != nullptr)
                questions.append(py::make_tuple(static_cast<int>(one->what), to_array(one->about),
                                                one->owner, one->place));
        const py::object answer = ask_(questions, std::move(forgotten_));
        forgotten_.clear();
        require(py::isinstance<Array<double>>(answer), "an answer must be an array of float64");
        const auto numbers = py::reinterpret_borrow<Array<double>>(answer);
        return {numbers.data(), numbers.data() + numbers.size()};
    }

    const Problem& gathered() override {
        const py::gil_scoped_acquire acquire;
        if (!gathered_) gathered_ = gather_().cast<Shared>();
        return gathered_->problem;
    }

    void forget(std::uint64_t owner) noexcept override {
        try {
            forgotten_.push_back(owner);
        } catch (...) {  // it is kept for nothing
        }
    }

private:
    py::function ask_, gather_;
    Shared gathered_;
    std::vector<std::uint64_t> forgotten_;  // with the next question
};

Shared make_elsewhere(std::size_t rows, std::size_t cols, bool bias, py::function ask,
                      py::function gather) {
    require(rows > 0 && cols > 0, "there must be rows and columns");
    return std::make_shared<BoundProblem>(
        std::make_shared<AskedElsewhere>(std::move(ask), std::move(gather)), rows, cols, bias);
}

// A part of the chunks of a larger problem.
class Server {
public:
    Server(Shared problem, std::size_t rows, std::size_t first, std::size_t end, int threads)
        : problem_(std::move(problem)) {
        auto part = std::make_shared<Problem>(problem_->problem);
        require(!part->sparse(), "rows elsewhere are dense");
        const std::size_t all =
            Problem(nullptr, rows, part->layout().cols, true).partition().count();
        require(first < end && end <= all, "there are no such chunks");
        part->be_part(rows, first, end);
        const std::size_t reach = part->first_row(part->partition().count());
        require(reach == part->rows() || (end == all && reach >= part->rows() &&
                                          reach - part->rows() < kLanes && part->packed()),
                "the rows are not those of the chunks");
        server_ = std::make_unique<RowServer>(std::move(part), threads);
    }

    // What, whose question, about what.
    using One = std::tuple<int, std::uint64_t, Array<double>>;

    Array<double> answer(const std::vector<One>& questions) {
        require(questions.size() == 1 || questions.size() == 2,
                "one question is asked at a time, or two");
        std::vector<Asked> asked;
        for (const auto& [what, owner, about] : questions) {
            require(what >= 0 && what <= static_cast<int>(Question::last),
                    "there is no such question");
            asked.push_back(
                {static_cast<Question>(what), {about.data(), about.data() + about.size()}, owner});
        }
        Vector out;
        {
            const Unlocked alone;
            out = server_->answer(asked[0], asked.size() == 2 ? &asked[1] : nullptr);
        }
        return to_array(out);
    }
    void forget(std::uint64_t owner) { server_->forget(owner); }

private:
    Shared problem_;
    std::unique_ptr<RowServer> server_;
};

// The first row of every chunk, and the number of rows.
std::vector<std::size_t> chunk_rows(std::size_t rows, std::size_t cols) {
    require(rows > 0 && cols > 0, "there must be rows and columns");
    const Problem problem(nullptr, rows, cols, true);
    const std::size_t unit = cols <= kMostPackedCols ? kLanes : 1;
    std::vector<std::size_t> out;
    for (std::size_t c = 0; c <= problem.partition().count(); ++c)
        out.push_back(std::min(problem.partition().begin(c) * unit, rows));
    return out;
}

}  // namespace

BoundProblem::BoundProblem(std::shared_ptr<Elsewhere> elsewhere, std::size_t rows, std::size_t cols,
                           bool bias)
    : problem(std::move(elsewhere), rows, cols, bias) {}

void register_elsewhere(py::module_& m) {
    m.def("problem_elsewhere", &make_elsewhere, py::arg("rows"), py::arg("cols"), py::arg("bias"),
          py::arg("ask"), py::arg("gather"), "A problem whose rows lie on other machines.");
    m.def("chunk_rows", &chunk_rows, py::arg("rows"), py::arg("cols"),
          "The first row of every chunk of a problem of this shape, and the number of its rows.");
    py::class_<Server>(m, "RowServer", "Answers for chunks of a problem elsewhere.", py::is_final())
        .def(py::init<Shared, std::size_t, std::size_t, std::size_t, int>(), py::arg("problem"),
             py::arg("rows"), py::arg("first"), py::arg("end"), py::arg("threads"))
        .def("answer", &Server::answer, py::arg("questions"))
        .def("forget", &Server::forget, py::arg("owner"));
}

}  // namespace fastgrok
