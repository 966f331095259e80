"""Whether a maximum margin is the only one, against the extent of all of them."""

from collections import Counter

import numpy as np
import pytest
from scipy.optimize import linprog

import fastgrok as fg

TIGHT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def extent(X, y, norm, bias, margin):
    """Widest range of a coordinate of theta = plus - minus over all that have this margin."""
    Z = y[:, None] * (X if bias == "none" else np.column_stack([X, np.ones(len(X))]))
    n, dim = Z.shape
    counted = np.eye(dim)[: dim - (bias == "free")]
    table, right = [np.hstack([-Z, Z])], [np.full(n, -margin * (1 - 1e-11))]
    if norm == "l1":
        table.append(np.tile(counted.sum(axis=0), 2)[None])
        right.append(np.ones(1))
    else:
        both = np.hstack([counted, -counted])
        table += [both, -both]
        right.append(np.ones(2 * len(counted)))
    rows = {"A_ub": np.vstack(table), "b_ub": np.concatenate(right), "options": TIGHT}
    widths = []
    for one in np.eye(dim):
        ends = [linprog(sign * np.append(one, -one), **rows) for sign in (1.0, -1.0)]
        assert all(end.status in (0, 3) for end in ends)
        widths.append(-sum(end.fun if end.status == 0 else -np.inf for end in ends))
    return max(widths)


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_points_on_a_grid(norm):
    """Small integers, for which several solutions are about as frequent as one."""
    said = Counter()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n, dim = rng.integers(2, 10), rng.integers(1, 6)
        X = rng.integers(-2, 3, size=(n, dim)).astype(float)
        y = np.where(X @ rng.normal(size=dim) + 0.1 > 0.0, 1.0, -1.0)
        for bias in ("none", "penalized", "free"):
            if bias == "free" and np.ptp(y) == 0.0:
                continue
            try:
                found = fg.max_margin(X, y, norm=norm, bias=bias)
            except fg.NotSeparableError:
                continue
            theta = np.append(found.w, found.b) if bias == "penalized" else found.w
            size = np.linalg.norm(theta, np.inf if norm == "linf" else 1)
            width = extent(X, y, norm, bias, 1.0 / size)
            assert width < 1e-6 or width > 1e-2
            said[found.unique] += 1
            if found.unique is not None:
                assert found.unique == (width < 1e-6)
    assert min(said[True], said[False]) > 10
    assert said[None] < 5
