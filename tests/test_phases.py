"""Phases of a run against their definition at high precision."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import reference
from fastgrok import Trajectory, margins, train
from fastgrok.questions.phases import Phases
from synthetic_runs import make_run

X = np.array([[1.0, 0.0], [-1.0, 0.5], [30.0, -4.0], [-50.0, 10.0], [20.0, 20.0]])
Y = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
SUPPORT = np.array([1, 0])


def run_with(weights, loss="logistic", reduction="mean", steps=None, **changes):
    """Make a run whose recorded last loss is that of its last weights."""
    weights = np.asarray(weights, dtype=np.float64)
    steps = list(range(len(weights))) if steps is None else steps
    counts = {"train": [0] * len(weights)}
    base = make_run(steps, counts, {"train": len(Y)})
    m = Y * (X @ weights[-1, :2] + weights[-1, 2])
    with np.errstate(over="ignore", under="ignore"):
        each = reference.loss_value(m, loss)
    total = np.sum(each) / (1 if reduction == "sum" else len(Y))
    norm_w = np.hypot(weights[:, 0], weights[:, 1])
    fields = {"weights": weights, "w": weights[-1, :2], "b": weights[:, 2], "norm_w": norm_w}
    fields |= {"losses": {"train": np.full(len(weights), total)}}
    fields |= {"params": base.params | {"loss": loss, "reduction": reduction}, "data": (X, Y)}
    return replace(base, **(fields | changes))


def slow_share(row, loss, factor=1):
    """Share of the support vectors in sum |l'(m)|, in 50 digits; None where no row has a slope."""
    with mpmath.workdps(50):
        m = [
            mpmath.mpf(y) * (mpmath.mpf(x[0]) * row[0] + mpmath.mpf(x[1]) * row[1] + row[2])
            for x, y in zip(X.tolist(), Y.tolist(), strict=True)
        ]
        p = [abs(reference.slope_exactly(factor * v, loss)) for v in m]
        return sum(p[i] for i in SUPPORT) / sum(p) if any(p) else None


def is_known(row, loss):
    """Whether the rounding of margins leaves the share as it is, and on its side of 1/2."""
    shares = [slow_share(row, loss, 1 + mpmath.mpf(e)) for e in (-1e-13, 0, 1e-13)]
    if None in shares:
        return shares == [None] * 3
    return max(shares) - min(shares) < 1e-6 < abs(shares[1] - 0.5)


def slow_phases(run, loss):
    record, share = [], 0
    for t, row in zip(run.steps.tolist(), run.weights.tolist(), strict=True):
        now = slow_share(row, loss)
        share = share if now is None else now
        if t > 0:
            norm = float(np.hypot(row[0], row[1]))
            h = abs(row[2]) / norm if norm else (-1.0 if row[2] == 0 else np.inf)
            record.append((t, share, h))
    peak = max(record, key=lambda r: r[2])[0] if record else None
    t1 = next(
        (t for i, (t, _, _) in enumerate(record) if all(r[1] >= 0.5 for r in record[i:])), None
    )
    later = [r for r in record if t1 is not None and r[0] >= t1]
    t2 = max(later, key=lambda r: r[2])[0] if later else None
    return t1, t2, peak


SIZES = st.sampled_from([0.0, 1e-3, 0.1, 1.0, 10.0, 1e3, 1e5])
NUMBER = st.builds(lambda size, unit: size * unit, SIZES, st.floats(-1, 1))


@given(
    st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=1, max_size=7),
    st.sampled_from(list(reference.LOSSES)),
    st.sampled_from(["mean", "sum"]),
    st.integers(0, 3),
)
def test_phases_follow_the_definition(weights, loss, reduction, first):
    run = run_with(weights, loss, reduction, steps=[first + 3 * j for j in range(len(weights))])
    assume(all(is_known(row, loss) for row in run.weights.tolist()))
    t1, t2, peak = slow_phases(run, loss)
    assert run.phases(SUPPORT) == Phases(t1=t1, t2=t2, t3=None, peak=peak)


def test_three_phases():
    # The distance |b|/||w|| and, by the size of w, the share of the two nearest rows.
    distance = [0.0, 0.9, 0.1, 0.2, 0.3, 0.1]
    size = [0.0, 1e-3, 1e-2, 1.0, 2.0, 4.0]
    weights = [[s, 0.0, h * s] for s, h in zip(size, distance, strict=True)]
    phases = run_with(weights, steps=[0, 1, 10, 100, 1000, 10000]).phases(SUPPORT)
    assert phases == Phases(t1=100, t2=1000, t3=None, peak=1)
    assert not phases.empty_phase2


def test_empty_second_phase():
    weights = [[1.0, 0.0, 0.5], [2.0, 0.0, 0.5], [4.0, 0.0, 0.5]]
    phases = run_with(weights, steps=[1, 2, 3]).phases(SUPPORT)
    assert (phases.t1, phases.t2) == (1, 1)
    assert phases.empty_phase2


def test_support_that_never_dominates():
    phases = run_with([[1e-9, 0.0, 0.0], [2e-9, 0.0, 1e-9]], steps=[1, 2]).phases(SUPPORT)
    assert phases == Phases(t1=None, t2=None, t3=None, peak=2)
    assert not phases.empty_phase2


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_shares_survive_the_underflow_of_every_weight(loss):
    # Margins of 1000 and more: exp(-1000) is 0 in double precision, the ratio is not 0/0.
    run = run_with([[1e4, 0.0, 10.0], [1e6, 0.0, 10.0]], loss, steps=[1, 2])
    assert run.phases(SUPPORT).t1 == 1
    assert run.phases([2, 3, 4]).t1 is None


def test_start_takes_no_part():
    run = run_with([[1.0, 0.0, 7.0], [1.0, 0.0, 0.5], [2.0, 0.0, 1.5]])
    assert run.phases(SUPPORT) == Phases(t1=1, t2=2, t3=None, peak=2)
    only = run_with([[1.0, 0.0, 7.0]])
    assert only.phases(SUPPORT) == Phases(t1=None, t2=None, t3=None, peak=None)


def test_t3_is_the_best_record_of_the_test_set():
    weights = [[1.0, 0.0, 0.5]] * 4
    base = run_with(weights)

    def t3(counts, **test):
        names = ["train", *counts]
        hits = {"train": np.array([1, 2, 3, 4])} | {n: np.array(k) for n, k in counts.items()}
        losses = dict.fromkeys(names, base.loss)
        run = run_with(weights, counts=hits, losses=losses, sizes=dict.fromkeys(names, 10))
        return run.phases(SUPPORT, **test).t3

    a, b = [9, 1, 5, 5], [0, 7, 7, 1]
    assert t3({}) is None
    assert t3({"a": a}) == 2
    assert t3({"a": a, "b": b}) is None
    assert t3({"a": a, "concentrated": b}) == 1
    assert t3({"a": a, "concentrated": b}, test="a") == 2
    assert t3({"a": [3, 0, 0, 0]}) is None
    with pytest.raises(ValueError, match="test is 'c'"):
        t3({"a": a}, test="c")


def test_margins_that_rounding_changes_are_of_the_run_and_others_are_not():
    # 1e11 (1.1 - 1.1 + 3e-11): the margin of the row is off by some 1e-6, and so is its loss.
    rows, labels = np.outer(np.ones(5), [1e11, 1e11]), np.ones(5)
    w = np.array([1.1, -1.1 + 3e-11])
    with mpmath.workdps(50):
        exact = [mpmath.fdot(row, w) * y for row, y in zip(rows.tolist(), labels, strict=True)]
        total = float(mpmath.fsum(mpmath.exp(-m) for m in exact))
    rounded = np.exp(-margins(rows, labels, w, normalized=False)).sum()
    assert abs(rounded / total - 1.0) > 1e-7
    run = run_with([[*w, 0.0]], "exponential", "sum", steps=[1], data=(rows, labels))
    run = replace(run, losses={"train": np.array([total])})
    assert run.phases([0]).peak == 1
    for changed in (0.999, 1.001):
        with pytest.raises(ValueError, match="X, y are not the data of this run"):
            replace(run, losses={"train": np.array([total * changed])}).phases([0])


def test_a_trained_run_and_what_comes_back_from_a_file(tmp_path):
    rng = np.random.default_rng(0)
    bulk = rng.uniform(1.0, 5.0, size=200) * np.repeat([1.0, -1.0], 100)
    planted = np.concatenate([np.full(30, 0.05), np.full(5, -0.05)])
    u = np.concatenate([planted, bulk])
    X_u, y_u = np.stack([u, rng.normal(size=u.size)], axis=1), np.sign(u)
    support = np.arange(35)
    run = train(X_u, y_u, steps=100_000, lr=0.1, keep_weights=True, evals={"near": (X_u, y_u)})
    phases = run.phases(support)

    steps, shares = run.steps[1:], []
    for row in run.weights[1:]:
        p = 1 / (1 + np.exp(y_u * (X_u @ row[:2] + row[2])))
        shares.append(p[support].sum() / p.sum())
    below = np.flatnonzero(np.array(shares) < 0.5)
    assert phases.t1 == steps[below[-1] + 1]
    distance = np.abs(run.weights[1:, 2]) / np.linalg.norm(run.weights[1:, :2], axis=1)
    assert phases.t2 == steps[below[-1] + 1 + np.argmax(distance[below[-1] + 1 :])]
    assert phases.peak == steps[np.argmax(distance)]
    assert phases.t3 == run.grokking("near").test

    run.save(tmp_path / "run")
    again = Trajectory.load(tmp_path / "run")
    with pytest.raises(ValueError, match="give X and y"):
        again.phases(support)
    assert again.phases(support, X_u, y_u) == phases
    with pytest.raises(ValueError, match="not the data of this run"):
        again.phases(support, X_u * 1.01, y_u)


def test_refusals():
    run = run_with([[1.0, 0.0, 0.5]] * 3)
    with pytest.raises(ValueError, match="keep_weights=True"):
        replace(run, weights=None).phases(SUPPORT)
    with pytest.raises(ValueError, match="X and y must be given together"):
        run.phases(SUPPORT, X)
    with pytest.raises(ValueError, match=r"\(4, 2\) and \(4,\).*\(5, 2\) and \(5,\)"):
        run.phases(SUPPORT, X[1:], Y[1:])


@pytest.mark.parametrize(
    ("support", "error", "message"),
    [
        ([], ValueError, r"non-empty.*shape \(0,\)"),
        (3, ValueError, r"one-dimensional.*shape \(\)"),
        ([[0, 1]], ValueError, r"shape \(1, 2\)"),
        ([0.0, 1.0], TypeError, "dtype float64"),
        ([True, False, False, False, False], TypeError, "dtype bool"),
        ([0, 5], ValueError, "from 0 to 4, got values from 0 to 5"),
        ([-1, 2], ValueError, "got values from -1 to 2"),
        ([1, 1, 2], ValueError, "more than once"),
    ],
)
def test_support_is_checked(support, error, message):
    with pytest.raises(error, match=message):
        run_with([[1.0, 0.0, 0.5]] * 3).phases(support)
