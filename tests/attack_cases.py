"""Attacks to be tested, and what holds of all of them."""

import numpy as np
from hypothesis import strategies as st

import fastgrok as fg
from cases import point, problem
from fastgrok import _core

METHODS = ("exact", "pgd", "autodiff32", "autodiff64")
NORMS = (np.inf, 2, 1)
COLUMNS = st.sampled_from((1, 2, 3, 8, 15, 16, 17, 33, 40))


@st.composite
def attacks(draw, most_columns=40, dtypes=(np.float64, np.float32)):
    """Rows, a hyperplane (some weights may be 0) and what an adversary may do."""
    n, d = draw(st.integers(1, 35)), draw(COLUMNS.filter(lambda d: d <= most_columns))
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    X, y = problem(n, d, seed)
    X = X.astype(draw(st.sampled_from(dtypes)))
    w, b = point(d, seed)
    w[rng.random(d) < draw(st.sampled_from((0.0, 0.0, 0.3, 1.0)))] = 0.0
    w *= draw(st.sampled_from((1e-3, 1.0, 30.0)))
    eps = draw(st.sampled_from((0.0, 0.1, 0.7, 3.0)))
    norm = draw(st.sampled_from(NORMS))
    along = draw(st.sampled_from(("all", "row", "row", "column" if norm == np.inf else "row")))
    if along == "row":
        eps = eps * rng.random((n, 1) if n == d or draw(st.booleans()) else n)
    elif along == "column":
        eps = eps * rng.random((1, d))
    bounds = draw(st.sampled_from((None, "data", "numbers", "arrays", "half")))
    if bounds == "numbers":
        bounds = (float(X.min()) - 0.3, float(X.max()))
    elif bounds == "arrays":
        bounds = (X.min(axis=0) - 0.2 * rng.random(d), X.max(axis=0) + 0.2 * rng.random(d))
    elif bounds == "half":
        bounds = (-np.inf, X.max(axis=0))
    return X, y, w, b, {"norm": norm, "eps": eps, "bounds": bounds}


@st.composite
def iterations(draw):
    restarts = draw(st.sampled_from((0, 0, 1, 3)))
    return {
        "step_size": draw(st.sampled_from((0.25, 0.1, 0.03))),
        "steps": draw(st.sampled_from((1, 2, 7, 20))),
        "restarts": max(restarts, 1),
        "random_start": restarts > 0,
        "random_state": draw(st.integers(0, 2**64)),
    }


def box_of(X, bounds):
    if bounds == "data":
        return X.min(), X.max()
    return bounds


def radii(X, eps):
    """Radius of every row in every column."""
    eps = np.asarray(eps, dtype=np.float64)
    by_row = eps.ndim == 1
    return np.broadcast_to(eps[:, None] if by_row else eps, X.shape)


def assert_inside(X_adv, X, norm, eps, bounds):
    radius = radii(X, eps)
    rounding = 1e-14 * (1 + np.abs(X).max())
    if norm == np.inf:
        assert (np.abs(X_adv - X) <= radius + rounding).all()
    else:
        away = np.linalg.norm(X_adv - X, ord=norm, axis=1)
        assert (away <= radius[:, 0] + rounding * X.shape[1]).all()
    if bounds is not None:
        low, high = box_of(X, bounds)
        assert (X_adv >= low).all()
        assert (X_adv <= high).all()


def losses(X, y, w, b, loss="logistic", **settings):
    """Sum of the losses at the attacked rows, by the way that stores nothing."""
    attack = fg.Pgd(X, y, **settings)._evaluator(_core.Problem(np.ascontiguousarray(X), y, True))
    return attack.evaluate(w, b, loss, False, 1)[0]
