"""Solvers of quadratic programs, and a support vector machine, set up for maximum margins."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

Solver = Callable[[np.ndarray, np.ndarray, str], tuple[np.ndarray, float]]

_FAR = 1e30


def _vectors(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    return y[:, None] * np.column_stack([X, np.ones(len(X))])


def _penalties(dim: int, bias: str) -> np.ndarray:
    return np.append(np.ones(dim), float(bias == "penalized"))


def _split(theta: np.ndarray) -> tuple[np.ndarray, float]:
    return theta[:-1], float(theta[-1])


def _by_rows(X: np.ndarray, bias: str) -> bool:
    """Whether the dual is the smaller problem; that with a free bias has an equation more."""
    return bias == "penalized" and len(X) < X.shape[1]


def daqp_primal(X: np.ndarray, y: np.ndarray, bias: str) -> tuple[np.ndarray, float]:
    import daqp  # noqa: PLC0415

    Z = _vectors(X, y)
    n, dim = Z.shape
    # It wants a definite Hessian: a bias next to free.
    H = np.diag(np.maximum(_penalties(dim - 1, bias), 1e-9))
    theta, _, flag, _ = daqp.solve(
        H, np.zeros(dim), Z, np.full(n, _FAR), np.ones(n), np.zeros(n, dtype=np.int32)
    )
    return _split(theta) if flag > 0 else (np.zeros(dim - 1), 0.0)


def daqp_dual(X: np.ndarray, y: np.ndarray, bias: str) -> tuple[np.ndarray, float]:
    import daqp  # noqa: PLC0415

    if bias != "penalized":
        raise ValueError("the dual is that of a penalised bias")
    Z = _vectors(X, y)
    n = len(Z)
    alpha, _, flag, _ = daqp.solve(
        Z @ Z.T, -np.ones(n), np.zeros((0, n)), np.full(n, _FAR), np.zeros(n),
        np.zeros(n, dtype=np.int32),
    )  # fmt: skip
    return _split(Z.T @ alpha) if flag > 0 else (np.zeros(X.shape[1]), 0.0)


def piqp(X: np.ndarray, y: np.ndarray, bias: str) -> tuple[np.ndarray, float]:
    import piqp as package  # noqa: PLC0415

    Z = _vectors(X, y)
    n, dim = Z.shape
    solver = package.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = 1e-12
    if _by_rows(X, bias):
        solver.setup(
            Z @ Z.T, -np.ones(n), None, None, None, None, None, np.zeros(n), np.full(n, _FAR)
        )
        solver.solve()
        return _split(Z.T @ solver.result.x)
    H = np.diag(_penalties(dim - 1, bias))
    solver.setup(H, np.zeros(dim), None, None, Z, np.ones(n), np.full(n, _FAR), None, None)
    solver.solve()
    return _split(solver.result.x)


def proxqp(X: np.ndarray, y: np.ndarray, bias: str) -> tuple[np.ndarray, float]:
    from proxsuite import proxqp as package  # noqa: PLC0415

    Z = _vectors(X, y)
    n, dim = Z.shape
    rows = _by_rows(X, bias)
    H = Z @ Z.T if rows else np.diag(_penalties(dim - 1, bias))
    A, g, least = (np.eye(n), -np.ones(n), np.zeros(n)) if rows else (Z, np.zeros(dim), np.ones(n))
    solver = package.dense.QP(len(H), 0, n)
    solver.settings.eps_abs, solver.settings.eps_rel = 1e-11, 0.0
    solver.init(H, g, None, None, A, least, np.full(n, _FAR))
    solver.solve()
    return _split(Z.T @ solver.results.x if rows else solver.results.x)


def clarabel(X: np.ndarray, y: np.ndarray, bias: str) -> tuple[np.ndarray, float]:
    from clarabel import DefaultSettings, DefaultSolver, NonnegativeConeT  # noqa: PLC0415

    Z = _vectors(X, y)
    n, dim = Z.shape
    settings = DefaultSettings()
    settings.verbose = False
    if _by_rows(X, bias):
        P, q = sparse.csc_matrix(np.triu(Z @ Z.T)), -np.ones(n)
        A, b = -sparse.identity(n, format="csc"), np.zeros(n)
    else:
        P, q = sparse.diags(_penalties(dim - 1, bias), format="csc"), np.zeros(dim)
        A, b = sparse.csc_matrix(-Z), -np.ones(n)
    solved = DefaultSolver(P, q, A, b, [NonnegativeConeT(n)], settings).solve()
    x = np.array(solved.x)
    return _split(Z.T @ x if _by_rows(X, bias) else x)


def svc(X: np.ndarray, y: np.ndarray, bias: str) -> tuple[np.ndarray, float]:
    from sklearn.svm import SVC  # noqa: PLC0415

    if bias != "free":
        raise ValueError("libsvm knows a free bias alone")
    model = SVC(kernel="linear", C=1e10, cache_size=1000).fit(X, y)
    return model.coef_[0], float(model.intercept_[0])


PEERS: dict[str, Solver] = {
    "DAQP primal": daqp_primal,
    "DAQP dual": daqp_dual,
    "PIQP": piqp,
    "ProxQP": proxqp,
    "Clarabel": clarabel,
    "SVC": svc,
}
