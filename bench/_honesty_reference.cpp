// Gradient descent in long double, for _honesty_reference.py: every step, and far beyond in log(k).
// Nothing of fastgrok is used here. Rows are signed, margins are offset + row . u.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using Real = long double;
using Vector = std::vector<Real>;

constexpr int stages = 5;  // Radau IIA, order 9
constexpr int most_tries = 1000;
constexpr int exponential = 1, squared = 2;  // losses; any other number is the logistic one

struct Descent {
    std::int64_t n, d;
    const Real* rows;
    const Real* offset;
    Real rate;
    int loss;

    // The direction of F, some positive multiple of it: where all margins are large, as if the
    // least were 0, with slopes that are exponentials to the last bit.
    void direction(const Real* u, Real* F) const {
        constexpr Real large = 100;
        Vector m(offset, offset + n);
        for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j < d; ++j) m[i] += rows[i * d + j] * u[j];
        const Real least = *std::min_element(m.begin(), m.end());
        if (!(least > large) || loss == squared) return update(u, F, nullptr);
        std::fill(F, F + d, Real(0));
        for (std::int64_t i = 0; i < n; ++i) {
            const Real p = std::exp(least - m[i]);
            for (std::int64_t j = 0; j < d; ++j) F[j] += p * rows[i * d + j];
        }
    }

    // F(u) = -rate grad L, and if asked its Jacobian.
    void update(const Real* u, Real* F, Real* J) const {
        std::fill(F, F + d, Real(0));
        if (J) std::fill(J, J + d * d, Real(0));
        for (std::int64_t i = 0; i < n; ++i) {
            const Real* z = rows + i * d;
            Real m = offset[i];
            for (std::int64_t j = 0; j < d; ++j) m += z[j] * u[j];
            const Real p = loss == squared       ? 2 * (1 - m)
                           : loss == exponential ? std::exp(-m)
                                                 : 1 / (1 + std::exp(m));
            for (std::int64_t j = 0; j < d; ++j) F[j] += p * z[j];
            if (!J) continue;
            const Real q = loss == squared ? 2 : loss == exponential ? p : p / (1 + std::exp(-m));
            for (std::int64_t j = 0; j < d; ++j) {
                const Real s = q * z[j];
                for (std::int64_t l = 0; l <= j; ++l) J[j * d + l] -= s * z[l];
            }
        }
        for (std::int64_t j = 0; j < d; ++j) F[j] *= rate;
        if (!J) return;
        for (std::int64_t j = 0; j < d; ++j)
            for (std::int64_t l = 0; l <= j; ++l) J[l * d + j] = J[j * d + l] = J[j * d + l] * rate;
    }
};

Real norm(const Real* v, std::int64_t d) {
    Real most = 0, sum = 0;
    for (std::int64_t j = 0; j < d; ++j) most = std::max(most, std::fabs(v[j]));
    if (!(most > 0)) return most;
    for (std::int64_t j = 0; j < d; ++j) sum += (v[j] / most) * (v[j] / most);
    return most * std::sqrt(sum);
}

// Solves in place by elimination with partial pivoting; false if the matrix is singular.
bool solve(Vector& M, Vector& x) {
    const std::size_t n = x.size();
    for (std::size_t k = 0; k < n; ++k) {
        std::size_t p = k;
        for (std::size_t i = k + 1; i < n; ++i)
            if (std::fabs(M[i * n + k]) > std::fabs(M[p * n + k])) p = i;
        if (!(std::fabs(M[p * n + k]) > 0)) return false;
        if (p != k) {
            std::swap_ranges(&M[k * n], &M[k * n] + n, &M[p * n]);
            std::swap(x[k], x[p]);
        }
        for (std::size_t i = k + 1; i < n; ++i) {
            const Real f = M[i * n + k] / M[k * n + k];
            if (f == 0) continue;
            for (std::size_t j = k + 1; j < n; ++j) M[i * n + j] -= f * M[k * n + j];
            x[i] -= f * x[k];
        }
    }
    for (std::size_t k = n; k-- > 0;) {
        for (std::size_t j = k + 1; j < n; ++j) x[k] -= M[k * n + j] * x[j];
        x[k] /= M[k * n + k];
    }
    return true;
}

// Descent is a sum; by Euler and Maclaurin y = u + F/2 - F'/12 (+ F'''/720 - ...) has dy/dk = F(u).
// Collocation in s = log(k): F' is the derivative of the polynomial through F at both ends and
// the nodes between.
struct Integrator {
    Descent descent;
    const Real *nodes, *weights, *slopes;  // (5), (5, 5), (6, 6) with the left end

    struct State {
        Vector u, y, F;
    };

    bool step(const State& from, Real s, Real h, Real floor, State& to) const {
        const auto d = static_cast<std::size_t>(descent.d);
        const std::size_t size = stages * d;
        Vector U(size), F(size), J(stages * d * d), M(size * size), R(size);
        Real at[stages], c[stages][stages + 1];
        for (int i = 0; i < stages; ++i) at[i] = std::exp(s + nodes[i] * h);
        for (int j = 0; j < stages; ++j) {
            for (int i = 0; i <= stages; ++i) {
                c[j][i] = -slopes[(j + 1) * (stages + 1) + i] / (12 * h * at[j]);
                if (i) c[j][i] -= h * weights[j * stages + i - 1] * at[i - 1];
                if (i == j + 1) c[j][i] += Real(0.5);
            }
            std::copy(from.u.begin(), from.u.end(), U.begin() + j * d);
        }
        const Real scale = std::max(norm(from.u.data(), descent.d), floor);
        Real before = HUGE_VALL;
        for (int turn = 0; turn < 15; ++turn) {
            for (int i = 0; i < stages; ++i) {
                descent.update(&U[i * d], &F[i * d], &J[i * d * d]);
            }
            std::fill(M.begin(), M.end(), Real(0));
            for (std::size_t j = 0; j < stages; ++j)
                for (std::size_t a = 0; a < d; ++a) {
                    Real r = U[j * d + a] - from.y[a] + c[j][0] * from.F[a];
                    for (std::size_t i = 0; i < stages; ++i) r += c[j][i + 1] * F[i * d + a];
                    R[j * d + a] = -r;
                    Real* row = &M[(j * d + a) * size];
                    for (std::size_t i = 0; i < stages; ++i)
                        for (std::size_t b = 0; b < d; ++b)
                            row[i * d + b] = c[j][i + 1] * J[i * d * d + a * d + b];
                    row[j * d + a] += 1;
                }
            if (!solve(M, R)) return false;
            const Real moved = norm(R.data(), static_cast<std::int64_t>(size));
            if (!(moved < 1e3L * scale)) return false;
            for (std::size_t k = 0; k < size; ++k) U[k] += R[k];
            // Newton's iterates come nearer until rounding errors are left.
            if (moved <= 1e-18L * scale || (moved <= 1e-15L * scale && moved > before / 4)) {
                finish(from, U, s, h, to);
                return true;
            }
            before = moved;
        }
        return false;
    }

    // y anew from u: the sum of what cancels would carry its rounding errors on.
    void finish(const State& from, const Vector& U, Real s, Real h, State& to) const {
        const auto d = static_cast<std::size_t>(descent.d);
        Vector F(stages * d);
        for (int i = 0; i < stages; ++i) descent.update(&U[i * d], &F[i * d], nullptr);
        to.u.assign(U.end() - static_cast<std::ptrdiff_t>(d), U.end());
        to.F.assign(F.end() - static_cast<std::ptrdiff_t>(d), F.end());
        to.y.resize(d);
        const Real* D = slopes + stages * (stages + 1);
        for (std::size_t a = 0; a < d; ++a) {
            Real slope = D[0] * from.F[a];
            for (int i = 0; i < stages; ++i) slope += D[i + 1] * F[i * d + a];
            to.y[a] = to.u[a] + to.F[a] / 2 - slope / (12 * h * std::exp(s + h));
        }
    }
};

}  // namespace

extern "C" {

// u after every step of `record` (increasing, from 0 on), (records, d).
void every_step(std::int64_t n, std::int64_t d, const Real* rows, const Real* offset, Real rate,
                int loss, const Real* u0, std::int64_t records, const std::int64_t* record,
                Real* out) {
    const Descent descent{n, d, rows, offset, rate, loss};
    Vector u(u0, u0 + d), F(static_cast<std::size_t>(d));
    std::int64_t k = 0;
    for (std::int64_t r = 0; r < records; ++r) {
        for (; k < record[r]; ++k) {
            descent.update(u.data(), F.data(), nullptr);
            for (std::int64_t j = 0; j < d; ++j) u[static_cast<std::size_t>(j)] += F[j];
        }
        std::copy(u.begin(), u.end(), out + r * d);
    }
}

// The same with other steps: `decay` (d) is the share of u that a step takes away, the learning
// rate in it; a velocity keeps `kept` of itself, and Nesterov's step looks ahead with it; the step
// that k others came before is (1 + k / length)^-exponent as long; and where `size` is not 0 all
// are of that size.
void every_other_step(std::int64_t n, std::int64_t d, const Real* rows, const Real* offset,
                      Real rate, int loss, const Real* decay, Real kept, int nesterov,
                      Real exponent, Real length, Real size_of_step, const Real* u0,
                      std::int64_t records, const std::int64_t* record, Real* out) {
    const Descent descent{n, d, rows, offset, rate, loss};
    const auto size = static_cast<std::size_t>(d);
    const bool decays = std::any_of(decay, decay + d, [](Real x) { return x > 0; });
    Vector u(u0, u0 + d), F(size), v(size);
    std::int64_t k = 0;
    for (std::int64_t r = 0; r < records; ++r) {
        for (; k < record[r]; ++k) {
            if (size_of_step > 0 && !decays)
                descent.direction(u.data(), F.data());
            else
                descent.update(u.data(), F.data(), nullptr);
            const Real pace =
                exponent > 0 ? std::pow(1 + static_cast<Real>(k) / length, -exponent) : Real(1);
            for (std::size_t j = 0; j < size; ++j) {
                F[j] -= decay[j] * u[j];
            }
            if (size_of_step > 0) {
                const Real norm_of_step = norm(F.data(), d);
                for (std::size_t j = 0; j < size; ++j)
                    F[j] *= norm_of_step > 0 ? size_of_step / norm_of_step : 0;
            }
            for (std::size_t j = 0; j < size; ++j) {
                v[j] = kept * v[j] + F[j];
                u[j] += pace * (nesterov ? F[j] + kept * v[j] : v[j]);
            }
        }
        std::copy(u.begin(), u.end(), out + r * d);
    }
}

// The same as `every_step` from the iterates k0 - 1, k0, k0 + 1 on (3, d), with the share
// `tolerance` of max(||u||, floor) as the error of an integrator's step. Returns how many records
// were reached.
std::int64_t far_steps(std::int64_t n, std::int64_t d, const Real* rows, const Real* offset,
                       Real rate, int loss, Real k0, const Real* start, std::int64_t records,
                       const Real* record, Real floor, Real tolerance, const Real* nodes,
                       const Real* weights, const Real* slopes, Real* out) {
    const Descent descent{n, d, rows, offset, rate, loss};
    const Integrator integrator{descent, nodes, weights, slopes};
    const auto size = static_cast<std::size_t>(d);
    Integrator::State now, whole, half, fine;
    Vector before(size), after(size);
    now.u.assign(start + d, start + 2 * d);
    now.F.resize(size);
    now.y.resize(size);
    descent.update(start, before.data(), nullptr);
    descent.update(now.u.data(), now.F.data(), nullptr);
    descent.update(start + 2 * d, after.data(), nullptr);
    for (std::size_t a = 0; a < size; ++a)
        now.y[a] = now.u[a] + now.F[a] / 2 - (after[a] - before[a]) / 24;
    Real s = std::log(k0), h = 0.05L;
    int tries = 0;
    for (std::int64_t r = 0; r < records; ++r) {
        const Real end = std::log(record[r]);
        while (end - s > 1e-15L) {
            const bool last = s + h >= end * (1 - 1e-17L);
            const Real used = last ? end - s : h;
            bool good = integrator.step(now, s, used, floor, whole) &&
                        integrator.step(now, s, used / 2, floor, half) &&
                        integrator.step(half, s + used / 2, used / 2, floor, fine);
            Real error = 0;
            if (good) {
                for (std::size_t a = 0; a < size; ++a) after[a] = fine.u[a] - whole.u[a];
                // Of order 9: both halves together are off by 2^-8 of that at most.
                error = norm(after.data(), d) / std::max(norm(fine.u.data(), d), floor) / 256;
                good = error <= tolerance;
            }
            if (good) {
                now = fine;
                s = last ? end : s + used;
            }
            const Real factor =
                error > 0 ? 0.8L * std::pow(tolerance / error, 1.0L / 10) : (good ? 2.0L : 0.25L);
            const Real next = used * std::clamp(factor, 0.1L, 2.0L);
            h = good && last ? std::max(h, next) : next;
            h = std::min(h, 2.0L);
            if (!(h > 1e-7L) || ++tries > most_tries) return r;
        }
        std::copy(now.u.begin(), now.u.end(), out + r * d);
    }
    return records;
}
}
