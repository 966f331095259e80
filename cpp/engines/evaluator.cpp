#include "engines/evaluator.hpp"

namespace fastgrok {

Evaluation PlainSet::evaluate(const Vector& u, Loss loss, Tie tie) {
    return passes_.evaluate(u, loss, tie);
}

Evaluation AttackedSet::evaluate(const Vector& u, Loss loss, Tie tie) {
    return attack_.evaluate(u, loss, tie).front();
}

}  // namespace fastgrok
