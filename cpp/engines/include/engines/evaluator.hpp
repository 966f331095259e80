// What a run is evaluated on at every record.
#pragma once

#include <memory>
#include <vector>

#include "engines/attack.hpp"
#include "engines/passes.hpp"

namespace fastgrok {

class Evaluator {
public:
    virtual ~Evaluator() = default;
    virtual std::size_t rows() const = 0;
    virtual Evaluation evaluate(const Vector& u, Loss loss, Tie tie) = 0;
    // Whether many evaluations cost less together than one by one, and so these.
    virtual bool gathers() const { return false; }
    virtual std::vector<Evaluation> evaluate_all(const std::vector<Vector>& us, Loss loss, Tie tie);
};

// The rows as they are.
class PlainSet : public Evaluator {
public:
    PlainSet(std::shared_ptr<const Problem> problem, int threads)
        : problem_(std::move(problem)), passes_(*problem_, threads) {}
    std::size_t rows() const override { return problem_->rows(); }
    Evaluation evaluate(const Vector& u, Loss loss, Tie tie) override;
    bool gathers() const override { return true; }
    std::vector<Evaluation> evaluate_all(const std::vector<Vector>& us, Loss loss,
                                         Tie tie) override;

private:
    std::shared_ptr<const Problem> problem_;
    Passes passes_;
};

// The rows as an adversary who knows (w, b) moves them. With a random start it is the same start at
// every record.
class AttackedSet : public Evaluator {
public:
    AttackedSet(std::shared_ptr<const Problem> problem, AttackSettings settings, int threads)
        : problem_(std::move(problem)),
          settings_(std::move(settings)),
          attack_(*problem_, settings_, threads) {}
    std::size_t rows() const override { return problem_->rows(); }
    Evaluation evaluate(const Vector& u, Loss loss, Tie tie) override;

private:
    std::shared_ptr<const Problem> problem_;
    AttackSettings settings_;
    Attack attack_;
};

}  // namespace fastgrok
