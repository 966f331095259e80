#include "engines/evaluator.hpp"

namespace fastgrok {

std::vector<Evaluation> Evaluator::evaluate_all(const std::vector<Vector>& us, Loss loss, Tie tie) {
    std::vector<Evaluation> out;
    for (const Vector& u : us) out.push_back(evaluate(u, loss, tie));
    return out;
}

std::vector<Evaluation> PlainSet::evaluate_all(const std::vector<Vector>& us, Loss loss, Tie tie) {
    return passes_.evaluate_all(us, loss, tie);
}

Evaluation PlainSet::evaluate(const Vector& u, Loss loss, Tie tie) {
    return passes_.evaluate(u, loss, tie);
}

Evaluation AttackedSet::evaluate(const Vector& u, Loss loss, Tie tie) {
    return attack_.evaluate(u, loss, tie).front();
}

}  // namespace fastgrok
