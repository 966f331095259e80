"""What fastgrok's geometry claims, held against rational arithmetic, HiGHS and long runs."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.optimize import linprog

import fastgrok as fg
from _designs import KINDS
from _rational import balance_slack, balances, maximum_margin, proves, separates
from fastgrok.theory import bias as biases
from fastgrok.theory import edge

Row = tuple[str, str, str]
"""What was measured, the figure, and the figure asked for."""

BIASES = ("none", "penalized", "free")


def timed(call: Callable[[], Any]) -> tuple[Any, str]:
    """Result, and the wall and processor seconds that it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    out = call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return out, f"{wall:.2f} s (processor {cpu:.2f} s)"


def error(found: fg.MaxMargin, X: np.ndarray, y: np.ndarray) -> float:
    """Relative error of w, against the solution in fractions."""
    exact = maximum_margin(X, y, found.bias, np.flatnonzero(found.dual))
    if exact is None:
        return math.inf
    w = exact[: X.shape[1]]
    off = sum(float(u - type(u)(float(v))) ** 2 for u, v in zip(w, found.w, strict=True))
    size = sum(float(u) ** 2 for u in w)
    return math.sqrt(off / size) if size else math.sqrt(off)


def small_sets(sets: int = 300) -> Iterator[Row]:
    """Integers over 7 in up to 4 dimensions, every bias."""
    rng = np.random.default_rng(0)
    worst, count = 0.0, 0
    while count < sets:
        n, d = int(rng.integers(1, 13)), int(rng.integers(1, 5))
        X, y = rng.integers(-9, 10, size=(n, d)) / 7, rng.choice([-1.0, 1.0], size=n)
        kind = BIASES[count % 3]
        if kind == "free" and abs(y.sum()) == n:
            continue
        try:
            worst = max(worst, error(fg.max_margin(X, y, bias=kind), X, y))
        except fg.NotSeparableError:
            continue
        count += 1
    yield f"w against rational KKT, {sets} small sets", f"{worst:.1e}", "1e-9"


def cubes() -> Iterator[Row]:
    """gamma = 1e-3, planted and not, d = 2 and 32."""
    for dim in (2, 32):
        worst = 0.0
        for support in ((0, 0), (350, 35)):
            data = fg.datasets.margin_cube((1000, 1000), dim, gamma=1e-3, support=support, seed=1)
            for kind in BIASES:
                found = fg.max_margin(data.X, data.y, bias=kind)
                worst = max(worst, error(found, data.X, data.y))
        yield f"w, cubes of gamma 1e-3, d = {dim}, rational KKT", f"{worst:.1e}", "1e-8"


def sizes() -> Iterator[Row]:
    """The two sizes that are to be fast, and the gaps there."""
    data = fg.datasets.margin_cube((50_000, 50_000), 2, gamma=1e-3, seed=0)
    for kind in BIASES:
        found, text = timed(lambda kind=kind: fg.max_margin(data.X, data.y, bias=kind))
        yield f"max_margin 100000 x 2, {kind}: time", text, "1 s"
        yield f"max_margin 100000 x 2, {kind}: gap", f"{found.gap:.1e}", "1e-10"
    # Without bias 2000 dimensions are the edge itself, with a margin in every second draw; this
    # is one that has one.
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(4000, 2000)), np.where(rng.random(4000) < 0.5, 1.0, -1.0)
    for kind in BIASES:
        try:
            found, text = timed(lambda kind=kind: fg.max_margin(X, y, bias=kind))
            gap = f"{found.gap:.1e}"
        except fg.NotSeparableError as no:
            text, gap = "no margin", no.certificate.proof
        yield f"max_margin 4000 x 2000, {kind}: time", text, "30 s"
        yield f"max_margin 4000 x 2000, {kind}: gap", gap, "1e-10"


def by_linear_program(Z: np.ndarray) -> bool:
    """Whether max t with Z u >= t and |u_j| <= 1 is positive, as HiGHS sees it."""
    n, d = Z.shape
    answer = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.column_stack([-Z, np.ones(n)]),
        b_ub=np.zeros(n),
        bounds=[*[(-1.0, 1.0)] * d, (0.0, 1.0)],
    )
    return bool(answer.status == 0 and answer.x[-1] > 1e-9)


def linear_programs(sets: int = 1000) -> Iterator[Row]:
    """Random sets around lambda = 1/2; disagreements are settled in rational arithmetic."""
    rng = np.random.default_rng(0)
    verdicts: Counter[str] = Counter()
    disagreements, settled = 0, 0
    for _ in range(sets):
        n = int(rng.integers(60, 401))
        d = int(np.clip(round(n / 2 + rng.normal() * math.sqrt(n) / 2), 1, n))
        X, y = rng.normal(size=(n, d)), np.ones(n)
        found = fg.separability(X, threads=1)
        verdicts[found.verdict] += 1
        if by_linear_program(X) is found.separable and found.verdict != "undecided":
            continue
        disagreements += 1
        settled += (
            separates(X, y, False, found.w)
            if found.verdict == "separable"
            else found.verdict == "interior" and balances(X, y, False, found.weights)
        )
    yield (
        f"separability, {sets} sets of 60..400 rows: verdicts",
        ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items())),
        "none undecided",
    )
    yield "  HiGHS differs", f"{disagreements}, certificate exact in {settled}", "all exact"


def separated_rows(Z: np.ndarray) -> int:
    """Most rows that a vector separates from the others without a negative product, by HiGHS."""
    n, d = Z.shape
    Z = Z / np.maximum(np.abs(Z).max(axis=1), 1e-300)[:, None]
    answer = linprog(
        np.append(np.zeros(d), -np.ones(n)),
        A_ub=np.hstack([-Z, np.eye(n)]),
        b_ub=np.zeros(n),
        bounds=[*[(None, None)] * d, *[(0.0, 1.0)] * n],
    )
    return int(np.count_nonzero(answer.x[d:] > 0.5)) if answer.status == 0 else -1


def designs(sets: int = 100) -> Iterator[Row]:
    """Designs of every kind; where HiGHS has another verdict the certificate is looked at again."""
    for kind, draw in KINDS.items():
        verdicts: Counter[str] = Counter()
        differ, settled, slowest, most = 0, 0, 0.0, 0.0
        for seed in range(sets):
            X, y, bias = draw(np.random.default_rng([len(kind), seed]))
            wall, processor = time.perf_counter(), time.process_time()
            found = fg.separability(X, y, bias=bias)
            slowest = max(slowest, time.perf_counter() - wall)
            most = max(most, time.process_time() - processor)
            verdicts[found.verdict] += 1
            Z = y[:, None] * (np.column_stack([X, np.ones(len(X))]) if bias else X)
            apart = separated_rows(Z)
            seen = {0: "interior", len(Z): "separable"}.get(apart, "boundary")
            if seen == found.verdict and apart >= 0:
                continue
            differ += 1
            vector = found.separator
            if vector is None and found.w is not None:
                vector = tuple(Fraction(v) for v in [*found.w.tolist(), *[found.b] * bias])
            settled += proves(X, y, bias, found.verdict, found.weights, vector)
        counts = ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items()))
        yield f"separability, {sets} designs, {kind}: verdicts", counts, "none undecided"
        times = f"{slowest:.2f} s (processor {most:.2f} s)"
        yield "  longest time", times, "5 s"
        yield "  HiGHS differs", f"{differ}, certificate exact in {settled}", "all exact"


def at_the_edge() -> Iterator[Row]:
    """4000 Gaussian points in 1960 to 2040 dimensions, certificates looked at again."""
    for dim in (1960, 1980, 2000, 2020, 2040):
        X, y = np.random.default_rng(dim).normal(size=(4000, dim)), np.ones(4000)
        found, text = timed(lambda X=X: fg.separability(X))
        if found.separable:
            again = f"positive in integers: {separates(X, y, False, found.w)}"
        elif found.verdict == "interior":
            slack = balance_slack(X, y, False, found.weights)
            again = f"exact weights within {slack:.0e} of the least"
        else:
            again = "nothing to verify"
        yield f"separability 4000 x {dim}: {found.verdict}", text, "60 s"
        yield f"  {found.proof}", again, "verified"


def late_runs() -> dict[str, tuple[np.ndarray, np.ndarray, float, str]]:
    """Separable sets whose support vectors span everything: X, y, learning rate, reduction."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(40, 2))
    y = np.where(rows[:, 0] + 0.4 > 0, 1.0, -1.0)
    planted = fg.datasets.margin_cube((300, 200), 2, gamma=1.0, support=(20, 6), seed=3)
    fast = [[1, 3], [1, -4], [-1, 2], [-1, -3], [-1, 1], [4, 1], [-5, -3]]
    return {
        "5 support vectors of 7": (
            np.array(fast, float), np.array([1.0, 1, -1, -1, -1, 1, -1]), 0.05, "mean"
        ),
        "Gaussian 40 x 2": (rows + 0.3 * y[:, None] * [1.0, 0.0], y, 0.1, "mean"),
        "cube 500 x 2, 20 + 6 planted, gamma 1": (planted.X, planted.y, 1e-2, "sum"),
    }  # fmt: skip


def late_times() -> Iterator[Row]:
    """The expansion against leaping runs: the state at 10^7, and the power of what it leaves out.

    The logistic loss adds powers of log t to it, so that it is fitted as late as it can be told
    from rounding.
    """
    times = np.array([1e7, 1e8, 1e10, 1e12, 1e16, 1e20, 1e30, 1e40])
    for name, (X, y, lr, reduction) in late_runs().items():
        found = biases.late_time(X, y, lr, reduction)
        run = fg.train(
            X, y, steps=times[-1], lr=lr, reduction=reduction, record=times, keep_weights=True,
            engine="leap", rtol=1e-11, watch_sharpness=False,
        )  # fmt: skip
        theta = run.weights[-len(times) :]
        w, b = found.at(times)
        off = np.linalg.norm(theta - np.column_stack([w, b]), axis=1)
        last = int(np.flatnonzero(off > 1e-10)[-1])
        fitted = -math.log(off[last] / off[last - 1]) / math.log(times[last] / times[last - 1])
        rate = min(float(found.rates[0]), found.excess, 1.0)
        size, expected = np.linalg.norm(theta[0]), np.hypot(np.linalg.norm(w[0]), b[0])
        allowed = f"t^-p = {1e7**-rate:.1e}"
        yield f"late_time, {name}", f"{len(found.support)} support vectors", ""
        yield "  ||theta|| at 1e7", f"{size:.7g}, predicted {expected:.7g}", allowed
        yield "  b at 1e7", f"{theta[0, -1]:.7f}, predicted {b[0]:.7f}", allowed
        when = f"{times[last - 1]:.0e} to {times[last]:.0e}"
        yield f"  what is left falls like t^-p, {when}: p", f"{fitted:.3f}", f"{rate:.3f}"


def stationary_points() -> Iterator[Row]:
    """The limit on points that surround the origin, and the exponent fitted from a run."""
    X, lr = np.random.default_rng(3).normal(size=(30, 8)), 0.5
    found = edge.stationary_point(X)
    times = [1e6, 1e7, 1e8, 1e10, 1e12]
    run = fg.train(
        X, -np.ones(30), steps=times[-1], lr=lr, record=times, keep_weights=True, engine="leap"
    )
    left = np.linalg.norm(run.weights[-len(times) :, :-1] - found.S, axis=1)
    b = run.b[-len(times) :]
    size = np.linalg.norm(found.S)
    yield (
        "stationary_point 30 x 8: ||w - S|| / ||S|| at 1e7, 1e12",
        (f"{left[1] / size:.1e}, {left[-1] / size:.1e}"),
        "o(1)",
    )
    yield (
        "  exponent fitted from 1e8 to 1e10",
        f"{math.log10(left[2] / left[3]) / 2:.5f}",
        (f"{min(found.exponent, 1.0):.5f}"),
    )
    yield (
        "  b + log(lr ell t) at 1e7, 1e12",
        (
            f"{b[1] + math.log(lr * found.level * 1e7):.1e}, "
            f"{b[-1] + math.log(lr * found.level * 1e12):.1e}"
        ),
        "o(1)",
    )


CHECKS: dict[str, Callable[[], Iterator[Row]]] = {
    "small": small_sets,
    "cubes": cubes,
    "sizes": sizes,
    "programs": linear_programs,
    "designs": designs,
    "edge": at_the_edge,
    "late": late_times,
    "stationary": stationary_points,
}
