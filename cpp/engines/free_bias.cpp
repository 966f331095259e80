#include "engines/free_bias.hpp"

#include <cstddef>
#include <utility>

#include "kernels/kernels.hpp"

namespace fastgrok {

void FreeBias::set(Vector lasts, Vector pull) {
    lasts_ = std::move(lasts);
    pull_ = std::move(pull);
    along_ = kernels().dot(lasts_.data(), pull_.data(), lasts_.size());
}

double FreeBias::balance(Vector& g) const {
    const double b = kernels().dot(lasts_.data(), g.data(), g.size()) / along_;
    for (std::size_t i = 0; i < g.size(); ++i) g[i] -= b * pull_[i];
    return b;
}

double FreeBias::take_from(Vector& margins) const {
    const double b = kernels().dot(pull_.data(), margins.data(), margins.size()) / along_;
    for (std::size_t i = 0; i < margins.size(); ++i) margins[i] -= b * lasts_[i];
    return b;
}

bool balance_classes(const Vector& labels, Vector& alpha) {
    double positive = 0.0, negative = 0.0;
    for (std::size_t i = 0; i < alpha.size(); ++i)
        (labels[i] > 0.0 ? positive : negative) += alpha[i];
    if (!(positive > 0.0) || !(negative > 0.0)) return false;
    const double less = positive > negative ? negative / positive : positive / negative;
    for (std::size_t i = 0; i < alpha.size(); ++i)
        if ((labels[i] > 0.0) == (positive > negative)) alpha[i] *= less;
    return true;
}

}  // namespace fastgrok
