"""Sharpness, regimes and the warning about too large a learning rate."""

import warnings

import mpmath
import numpy as np
import pytest

import fastgrok as fg
import reference
from cases import problem
from fastgrok import _core
from runs import train_quietly

LOSSES = tuple(reference.LOSSES)


@pytest.mark.parametrize("record", [None, 100])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("n", "d", "tolerance"),
    [(1, 1, 1e-9), (30, 2, 1e-9), (50, 16, 1e-9), (60, 17, 1e-3), (90, 65, 1e-3)],
)
def test_sharpness(n, d, tolerance, loss, bias, record):
    X, y = problem(n, d)
    lr = 0.7 * reference.stable_rate(X, y, loss, "mean")
    options = {"loss": loss, "bias": bias, "record": record}
    run = fg.train(X, y, steps=300, lr=lr, keep_weights=True, **options)
    expected = [lr / n * reference.curvature(X, y, u[:-1], u[-1], loss, bias) for u in run.weights]
    # Where the curvature jumps, so does the eigenvector that the search begins with.
    if d > 16 and not _core.losses()[loss]["twice_differentiable"]:
        tolerance = 2e-2
    np.testing.assert_allclose(run.sharpness, expected, rtol=tolerance)
    assert np.all(run.sharpness <= np.multiply(expected, 1.0 + 1e-9))
    # Where the slope jumps no rate is small enough.
    if _core.losses()[loss]["differentiable"]:
        assert set(run.regime) == {"smooth"}


def test_sharpness_need_not_be_watched():
    X, y = problem(30, 4)
    watched = fg.train(X, y, steps=50, lr=0.1)
    run = fg.train(X, y, steps=50, lr=0.1, watch_sharpness=False)
    assert np.isnan(run.sharpness).all()
    assert np.isnan(run.sharpness_mean).all()
    assert not np.isnan(watched.sharpness).any()
    np.testing.assert_array_equal(run.w, watched.w)


def two_labels_for_one_point(d):
    """Return rows on which the sum's gradient is tanh(w_1 / 2), of slope 1/2 at 0."""
    X = np.zeros((2, d))
    X[:, 0] = 1.0
    return X, np.array([1.0, -1.0])


@pytest.mark.parametrize("d", [1, 20])
def test_period_two_orbit(d):
    # w <- w - 6 tanh(w / 2) settles on +-w with w = 3 tanh(w / 2).
    X, y = two_labels_for_one_point(d)
    orbit = float(mpmath.findroot(lambda w: w - 3 * mpmath.tanh(w / 2), 2.5))
    start = np.zeros(d)
    start[0] = 0.1
    with pytest.warns(fg.StabilityWarning, match=r"lr=6\.0 .* is 3 at step"):
        run = fg.train(
            X, y, steps=400, lr=6.0, reduction="sum", bias=False, w0=start, record=[0, 399, 400]
        )
    assert abs(run.w[0]) == pytest.approx(orbit, rel=1e-12)
    assert run.regime.tolist() == ["smooth", "period-2", "period-2"]
    flat = 6 * 2 * reference.loss_curvature(np.array([orbit]), "logistic")[0]
    assert run.sharpness[-1] == pytest.approx(flat, rel=1e-9)
    assert run.sharpness_mean[-1] == pytest.approx(3.0, rel=1e-9)  # at 0, where it is 6 / 2


def test_a_decaying_oscillation_is_period_two():
    # Below the threshold lr = 4 the same map swings into 0, from side to side.
    X, y = two_labels_for_one_point(1)
    run = fg.train(X, y, steps=100, lr=3.5, reduction="sum", bias=False, w0=[0.1], record=100)
    assert abs(run.w[0]) < 1e-10
    assert run.regime[-1] == "period-2"
    assert run.sharpness[-1] == pytest.approx(1.75, rel=1e-9)


def test_irregular_motion():
    # Labels that disagree on three points of a line: w <- w + 12 (2 sig(-w) - 1.5 sig(1.5 w)).
    X, y = np.array([[1.0], [1.0], [1.5]]), np.array([1.0, 1.0, -1.0])
    path = reference.descend(X, y, 300, 12.0, reduction="sum", bias=False)[0][-64:, 0]
    moves = np.diff(path)
    assert np.any(moves[1:] * moves[:-1] > 0)
    assert np.any(moves[1:] * moves[:-1] < 0)
    with pytest.warns(fg.StabilityWarning):
        run = fg.train(X, y, steps=300, lr=12.0, reduction="sum", bias=False, record=100)
    assert run.regime.tolist() == ["smooth", "irregular", "irregular", "irregular"]


@pytest.mark.parametrize("x", [1.0, 0.5])
@pytest.mark.parametrize("decay", [1.5, 1.7, 1.8, 1.9])
def test_weight_decay_counts_for_what_is_stable(x, decay):
    # The mean loss of a point with both labels is least at 0, and has a curvature of x^2 / 4 there.
    X, y = two_labels_for_one_point(1)
    options = {"bias": False, "weight_decay": decay, "w0": [1e-3], "steps": 300, "lr": 1.0}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run = fg.train(x * X, y, **options)
    limit = 2.0 / (0.25 * x**2 + decay)
    assert (abs(run.w[0]) > 1e-3) == (limit < 1.0) == bool(told)
    if told:
        words = str(told[0].message)
        assert f"lr * (lambda_max + weight_decay) is {2.0 / limit:.3g} at step" in words
        assert 0.99 * limit < float(words.split("lr below ")[1].split(maxsplit=1)[0]) <= limit


def test_a_bias_without_decay_may_have_the_curvature_to_itself():
    X, y = 1e-3 * two_labels_for_one_point(1)[0], np.array([1.0, -1.0])
    # 1/4 of the bias, and 1.9 of the weight: neither is unstable.
    options = {"lr": 1.0, "weight_decay": 1.9, "w0": [1e-3], "b0": 1e-3, "steps": 300}
    run = fg.train(X, y, **options)
    assert max(abs(run.w[0]), abs(run.bias_final)) < 1e-3
    with pytest.warns(fg.StabilityWarning, match="weight_decay"):
        run = fg.train(X, y, **options, decay_bias=True)
    assert abs(run.bias_final) > 1e-3
    with pytest.warns(fg.StabilityWarning, match="weight_decay"):
        fg.train(X, y, **options | {"weight_decay": 2.1})
    fg.train(X, y, **options | {"weight_decay": 2.1}, watch_sharpness=False)


def test_no_warning_of_what_was_not_recorded_or_is_stable():
    X, y = two_labels_for_one_point(1)
    options = {"steps": 10, "reduction": "sum", "bias": False, "w0": [0.1]}
    fg.train(X, y, lr=3.9, **options)
    fg.train(X, y, lr=6.0, watch_sharpness=False, **options)


def test_sharpness_finds_another_top_eigenvector_than_before() -> None:
    """The first axis dominates at the start and decays; the others then do, orthogonal to it."""
    for dim in (2, 20):
        X = np.zeros((3, dim))
        X[0, 0] = 1.0
        X[1:, 1] = 0.2
        run = fg.train(X, [1, 1, -1], steps=5000, lr=1.0, bias=False, record=2500)
        np.testing.assert_allclose(run.sharpness[1:], 0.25 * 2 * 0.2**2 / 3, rtol=1e-3)


@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1e-78, 1.0, 1e78, 1e100, 1e150])
@pytest.mark.parametrize(("n", "d"), [(2, 2), (5, 3), (12, 8)])
def test_sharpness_of_rows_whose_squares_leave_float64_when_squared(scale, n, d) -> None:
    X, y = problem(n, d)
    curvature = 0.25 * np.linalg.norm(X, 2) ** 2 / n  # where all margins are 0
    lr = 1.5 / curvature / scale / scale
    run = fg.train(X * scale, y, steps=1, lr=lr, bias=False, record=[0, 1])
    np.testing.assert_allclose(run.sharpness[0], 1.5, rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-120, 1e-82, 1.0, 1e90])
def test_regime_does_not_depend_on_units(scale: float) -> None:
    """Rows times s, weights over s: the same orbit of period 2, whose squares leave the range."""
    X, y = two_labels_for_one_point(1)
    run = fg.train(
        X * scale, y, steps=400, lr=6.0 / scale**2, reduction="sum", bias=False, w0=[0.1 / scale],
        record=[0, 100, 400], watch_sharpness=False,
    )  # fmt: skip
    assert run.regime.tolist() == ["smooth", "period-2", "period-2"]


@pytest.mark.parametrize("exponent", [-140, -8, 0, 8, 70])
@pytest.mark.parametrize("columns", [1, 2, 3, 16])
def test_sharpness_at_every_scale_and_where_eigenvalues_meet(columns, exponent):
    """Curvatures of zero weights are 1/4: lambda_max follows from the rows' lengths."""
    lengths = 2.0 ** (exponent - np.arange(columns))
    for sizes in (lengths, np.full(columns, lengths[0]), np.append(lengths[1:], 1e9 * lengths[0])):
        rows = np.diag(sizes)
        lr = float(sizes.max()) ** -2.0
        run = fg.train(rows, np.ones(columns), steps=1, lr=lr, bias=False, reduction="sum")
        assert run.sharpness[0] == pytest.approx(0.25, rel=4e-15)


@pytest.mark.parametrize("engine", ["exact", "leap"])
def test_the_largest_eigenvalue_is_not_taken_for_another(engine):
    """Of few rows in many columns, where a start may have next to nothing of its direction."""
    for seed in range(150):
        rng = np.random.default_rng(seed)
        n, d = int(rng.choice([2, 3, 5, 20])), int(rng.choice([17, 33, 64, 150]))
        X = rng.integers(-10, 10, size=(n, d)).astype(float)
        y = rng.choice([-1.0, 1.0], n)
        largest = np.linalg.eigvalsh(X @ X.T)[-1] / 4
        run = train_quietly(X, y, steps=3000, lr=1.9 / largest, reduction="sum", bias=False,
                            record=[0], engine=engine)  # fmt: skip
        assert run.sharpness[0] == pytest.approx(1.9, rel=1e-6)
