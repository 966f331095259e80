// Passes over rows that lie elsewhere.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "asked.hpp"
#include "engines/paired_passes.hpp"
#include "engines/passes.hpp"

namespace fastgrok {

Vector Passes::ask(const Asked& asked, Answer answer) {
    return paired_ != nullptr ? paired_->ask(*this, asked, answer) : ask_alone(asked, answer);
}

void Passes::ask_both(const Asked& asked, Passes& other, const Asked& others) {
    const Vector all = problem_.elsewhere()->ask(asked, &others);
    const std::size_t length = problem_.layout().length;
    if (all.size() != 2 * length * chunks())
        throw std::logic_error("an answer about rows elsewhere is of another length");
    const double* next = all.data();
    for (std::size_t c = 0; c < chunks(); ++c)
        for (Passes* const of : {this, &other}) {
            std::copy_n(next, length, of->partial(c));
            next += length;
        }
}

Vector Passes::ask_alone(const Asked& asked, Answer answer) {
    Vector all = problem_.elsewhere()->ask(asked);
    if (answer == Answer::numbers) return all;
    const std::size_t length = problem_.layout().length, width = all.size() / chunks();
    if (width < length || width * chunks() != all.size())
        throw std::logic_error("an answer about rows elsewhere is of another length");
    Vector rest;
    for (std::size_t c = 0; c < chunks(); ++c) {
        const double* const of_chunk = all.data() + c * width;
        std::copy_n(of_chunk, length, partial(c));
        rest.insert(rest.end(), of_chunk + length, of_chunk + width);
    }
    return rest;
}

double Passes::least_margin_elsewhere(const Vector& u) {
    const Vector least = ask({Question::least_margin, About().add(u).done()}, Answer::numbers);
    return *std::min_element(least.begin(), least.end());
}

void Passes::first_elsewhere(const Vector& u, Loss loss, Vector& out, double shift) {
    ask({Question::first, About(loss).add(shift).add(u).done()}, Answer::sums);
    add_chunks(out);
}

Passes::ByChunk Passes::evaluate_elsewhere(const std::vector<Vector>& us, Loss loss, Tie tie,
                                           const std::vector<Vector>& on) {
    const std::size_t pairs = on.size() * on.size(), each = 2 + pairs;
    ByChunk out{std::vector<Evaluation>(us.size() * chunks()),
                Vector(us.size() * chunks() * pairs)};
    const Vector told =
        ask({Question::evaluate, About(loss, tie).add(us).add(on).done()}, Answer::numbers);
    if (told.size() != out.of.size() * each)
        throw std::logic_error("an answer about rows elsewhere is of another length");
    const double* next = told.data();
    for (std::size_t c = 0; c < chunks(); ++c)
        for (std::size_t k = 0; k < us.size(); ++k, next += each) {
            const std::size_t place = k * chunks() + c;
            out.of[place] = {next[0], next[1]};
            std::copy_n(next + 2, pairs, out.projected.data() + place * pairs);
        }
    return out;
}

}  // namespace fastgrok
