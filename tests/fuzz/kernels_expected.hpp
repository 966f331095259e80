// Part of kernels.cpp: what results must be, in long double, and how far off they may be.

// Sums of terms, and of their sizes: rounding errors are shares of these.
struct Term {
    Real value = 0, size = 0;
    void add(Real x) {
        value += x;
        size += std::fabs(x);
    }
};

// One loss of a margin, its slope -l' and its curvature l''.
struct Shape {
    Real loss, slope, curvature;
};

Shape shape(Loss loss, Real m) {
    const Real e = std::exp(-m);
    switch (loss) {
        case Loss::logistic: {
            const Real p = 1 / (1 + std::exp(m));
            return {m > 0 ? std::log1p(e) : std::log1p(std::exp(m)) - m, p, p * (1 - p)};
        }
        case Loss::exponential: return {e, e, e};
        case Loss::squared_hinge:
            if (m >= 1) return {0, 0, 0};
            return {(1 - m) * (1 - m), 2 * (1 - m), 2};
        case Loss::hinge:
            if (m >= 1) return {0, 0, 0};
            return {1 - m, 1, 0};
        case Loss::squared: return {(1 - m) * (1 - m), 2 * (1 - m), 2};
    }
    return {0, 0, 0};
}

class Expected {
public:
    explicit Expected(const Case& c) : c_(c) {
        if (!c.moderate()) return;
        const std::size_t d = c.d, width = d + 1;
        const auto z = [&](std::size_t i, std::size_t j) {
            return c.y[i] * (j < d ? Real(c.x[i * d + j]) : Real(1));
        };
        const Real factor = std::ldexp(Real(1), static_cast<int>(c.shift));
        first_.resize(width);
        second_.resize(width);
        hessian_.resize(width * (width + 1) / 2);
        for (std::size_t i = 0; i < c.n; ++i) {
            Term m, t;
            for (std::size_t j = 0; j <= d; ++j) {
                m.add(z(i, j) * c.w[j]);
                t.add(z(i, j) * c.v[j]);
            }
            const Real rounding = 2 * kEps * static_cast<Real>(d + 2) * m.size;
            // Not known to be on one side of where the loss has a kink, or none at all.
            if (c.loss == Loss::hinge || c.loss == Loss::squared_hinge)
                unsure_ = unsure_ || std::fabs(m.value - 1) <= rounding;
            margins_.push_back(m);
            const Shape at = shape(c.loss, m.value);
            unsure_ = unsure_ || at.slope * factor > 1e300L;  // sums of infinities are left alone
            const Real weight = c.weight[i], p = weight * at.slope * factor;
            // A margin's rounding moves slopes by that times their own derivative, and a share.
            const Real share = 4 * rounding + 64 * kEps;
            slack_ = std::max(slack_, share);
            const Real move = weight * factor * (at.curvature * rounding);
            std::size_t at_pair = 0;
            for (std::size_t j = 0; j <= d; ++j) {
                first_[j].add(p * z(i, j));
                first_[j].size += std::fabs(move * z(i, j)) / kEps;
                second_[j].add(weight * t.value * z(i, j));
                second_[j].size += std::fabs(weight * t.size * z(i, j));
                for (std::size_t k = j; k <= d && d <= kMostPackedCols; ++k, ++at_pair) {
                    hessian_[at_pair].add(weight * factor * at.curvature * z(i, j) * z(i, k));
                    // Curvatures come from slopes, whose rounding errors they have.
                    hessian_[at_pair].size += std::fabs(p * z(i, j) * z(i, k));
                }
            }
        }
        known_ = true;
    }

    // What is wrong with a result of this name; empty if nothing is.
    std::string against(const char* name, std::size_t i, double value) const {
        const std::string what = name;
        const auto is = [&](const char* end) {
            return what.size() >= std::strlen(end) &&
                   what.compare(what.size() - std::strlen(end), std::string::npos, end) == 0;
        };
        if (what == "exp") return ulps(value, std::exp(Real(c_.x[i])));
        if (what == "sigmoid") return ulps(value, 1 / (1 + std::exp(-Real(c_.x[i]))));
        if (what == "softplus") {
            const Real x = c_.x[i];
            return ulps(value, x > 100 ? x + std::exp(-x) : std::log1p(std::exp(x)));
        }
        if (!known_) return "";
        const Real terms = static_cast<Real>(c_.d + c_.n + 2);
        if (is("many margins") || is("margins"))
            return near(value, margins_[i].value, 2 * kEps * terms * margins_[i].size);
        if (what == "accurate sums") return "";
        if (is("accurate")) {
            const Real of = std::fabs(margins_[i].value);
            return near(value, margins_[i].value,
                        kEps * of + terms * terms * kEps * kEps * margins_[i].size +
                            terms * 0x1p-63L * margins_[i].size);
        }
        if (is("second") || what == "second of both")
            return near(value, second_[i].value, 4 * kEps * terms * second_[i].size);
        if (unsure_) return "";
        if (is("first") || what == "first of both" || is("gradient"))
            return near(value, first_[i].value, (slack_ + 2 * kEps * terms) * first_[i].size);
        if (what == "hessian")
            return near(value, hessian_[i].value, (slack_ + 2 * kEps * terms) * hessian_[i].size);
        return "";
    }

private:
    static std::string near(double value, Real right, Real allowed) {
        allowed += 1e-290L;  // what is below the smallest numbers is none
        if (std::fabs(value - right) <= allowed) return "";
        return ", not " + std::to_string(static_cast<double>(right)) + ", off by " +
               std::to_string(static_cast<double>(std::fabs(value - right) / allowed)) +
               " times what is allowed";
    }

    static std::string ulps(double value, Real right) {
        if (right != right) return value != value ? "" : ", not NaN";
        if (std::fabs(right) > std::numeric_limits<double>::max()) right = 0x1p1024L;
        const Real found = std::isinf(value) ? 0x1p1024L : Real(value);
        const int exponent = right == 0 ? -1074 : std::max(std::ilogb(right) - 52, -1074);
        const Real ulp = std::ldexp(Real(1), std::min(exponent, 971));
        if (std::fabs(found - right) <= 2 * ulp) return "";
        return ", more than 2 ulps off";
    }

    const Case& c_;
    bool known_ = false, unsure_ = false;
    Real slack_ = 0;
    std::vector<Term> margins_, first_, second_, hessian_;
};
