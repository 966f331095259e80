// What the last solves by conjugate gradients have seen of a Hessian that changes slowly, as a
// preconditioner of the next (Gratton, Sartenaer and Tshimanga, SIAM J. Optim. 21, 2011): on the
// span of their directions it is the inverse, on the rest what it is given.
#pragma once

#include <cstddef>
#include <deque>

#include "core/problem.hpp"
#include "engines/small_matrix.hpp"

namespace fastgrok {

class RecycledDirections {
public:
    explicit RecycledDirections(const Layout& layout);

    // What each solve with (of_w + factor H) is preconditioned with, the intercept's diagonal being
    // of_bias and H's trace `trace`; keep() takes its directions and H's products with them, for
    // later solves: all curvatures may have become smaller until then.
    struct Of {
        double factor, of_w, of_bias, trace;
    };
    void begin(const Of& of);
    void keep(const Vector& direction, const Vector& product);

    // z <- the preconditioned r, inner(r, z) being what there is beside.
    template <class Inner>
    void operator()(const Vector& r, Vector& z, const Inner& inner) {
        if (used_ == 0) return inner(r, z);
        // z = S a + (1 - S G^-1 Y') inner(r - Y a), where Y is what the matrix makes of S,
        // G = S' Y and a = G^-1 S' r.
        Vector shares = of_directions(r);
        rest_ = r;
        subtract_products(rest_, shares);
        inner(rest_, z);
        const Vector twice = of_products(z);
        for (std::size_t i = 0; i < used_; ++i) shares[i] -= twice[i];
        add_directions(z, shares);
    }

private:
    // A direction of length 1, and its scalar products with the one at place i, of w and of the
    // intercept, and that of its product with that one.
    struct Kept {
        Vector direction, product;
        double trace = 0.0;
        std::deque<double> of_w{}, of_bias{}, of_product{};
    };

    void take_over(Kept kept);
    bool factorise_all();
    double curvature(const Kept& kept) const { return of_.factor * of_.trace / kept.trace; }
    double diagonal(std::size_t j) const { return j == layout_.intercept ? of_.of_bias : of_.of_w; }
    Vector of_directions(const Vector& r) const;  // G^-1 S' r
    Vector of_products(const Vector& z) const;    // G^-1 Y' z
    void subtract_products(Vector& from, const Vector& shares) const;
    void add_directions(Vector& to, const Vector& shares) const;

    Layout layout_;
    std::size_t most_;  // of either list
    Of of_{};
    std::deque<Kept> kept_, new_;  // the latest first; those of the solve under way
    std::size_t used_ = 0;         // of kept_
    Matrix gram_{0};               // the factor of G
    Vector rest_;
};

}  // namespace fastgrok
