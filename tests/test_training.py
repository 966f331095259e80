"""train against plain NumPy and 50 digits, and what it records."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fastgrok as fg
import reference
from cases import LENGTHS, SEVERAL_CHUNKS, layouts, problem
from fastgrok import _core

LOSSES = tuple(reference.LOSSES)
REDUCTIONS = ("mean", "sum")


def assert_follows(run, path_w, path_b, relative=1e-12, floor=0.0):
    """(w, b) at every record within `relative` of its norm, or of `floor`."""
    got = run.weights
    expected = np.column_stack([path_w[run.steps], path_b[run.steps]])
    error = np.linalg.norm(got - expected, axis=1)
    size = np.maximum(np.linalg.norm(expected, axis=1), floor)
    assert np.all(error <= relative * size), (error / np.maximum(size, 1e-300)).max()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (20, 2), (65, 3), (33, 16), (40, 17), (17, 63)])
def test_a_thousand_steps(n, d, loss, reduction, bias):
    X, y = problem(n, d)
    lr = reference.stable_rate(X, y, loss, reduction)
    options = {"loss": loss, "reduction": reduction, "bias": bias}
    path_w, path_b = reference.descend(X, y, 1000, lr, **options)
    run = fg.train(X, y, steps=1000, lr=lr, record=1, keep_weights=True, **options)
    np.testing.assert_array_equal(run.steps, np.arange(1001))
    assert_follows(run, path_w, path_b)
    np.testing.assert_array_equal(run.b, run.weights[:, -1])
    np.testing.assert_allclose(run.norm_w, np.linalg.norm(run.weights[:, :-1], axis=1), rtol=1e-14)
    np.testing.assert_array_equal(run.w, run.weights[-1, :-1])
    assert run.bias_final == run.weights[-1, -1]
    # As far as the rounding of margins lets it be known: losses fall with them, or are least at 1.
    m = y * (path_w @ X.T + path_b[:, None])
    off = 1e-13 * (np.abs(path_w) @ np.abs(X.T) + np.abs(path_b)[:, None])
    c = reference.scale(n, reduction)
    lowest = np.clip(1.0, m - off, m + off) if loss == "squared" else m + off
    least = c * reference.loss_value(lowest, loss).sum(axis=1)
    ends = [reference.loss_value(m + e, loss) for e in (off, -off)]
    most = c * np.maximum(*ends).sum(axis=1)
    assert np.all(least * (1.0 - 1e-12) <= run.loss)
    assert np.all(run.loss <= most * (1.0 + 1e-12))
    assert np.all(most - least <= 1e-10 * run.loss[0])
    assert (run.params["steps"], run.params["rows"], run.params["dim"]) == (1000, n, d)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n", LENGTHS)
def test_lengths_around_lane_widths(n, loss):
    for d in LENGTHS:
        X, y = problem(n, d)
        lr = reference.stable_rate(X, y, loss, "mean")
        path_w, path_b = reference.descend(X, y, 12, lr, loss=loss)
        run = fg.train(X, y, steps=12, lr=lr, loss=loss, record=4, keep_weights=True)
        assert_follows(run, path_w, path_b, floor=np.linalg.norm(path_w[1]))


@given(
    n=st.integers(1, 70),
    d=st.one_of(st.integers(1, 40), st.sampled_from([160, 161, 163, 511, 515])),
    steps=st.integers(1, 60),
    seed=st.integers(0, 2**32),
    loss=st.sampled_from(LOSSES),
    reduction=st.sampled_from(REDUCTIONS),
    bias=st.booleans(),
    start=st.booleans(),
    spread=st.sampled_from([1e-150, 1e-3, 1.0, 1e3]),
    fraction=st.floats(1e-3, 1.0),
)
def test_any_problem(n, d, steps, seed, loss, reduction, bias, start, spread, fraction):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * spread
    y = rng.choice([-1.0, 1.0], size=n)
    lr = fraction * reference.stable_rate(X, y, loss, reduction)
    options = {"loss": loss, "reduction": reduction, "bias": bias}
    if start:
        options |= {"w0": rng.normal(size=d) / (spread * d), "b0": float(rng.normal())}
        c = reference.scale(n, reduction)
        steepest = reference.curvature(X, y, options["w0"], options["b0"], loss)
        assume(lr * c * steepest < 1.0)
    path_w, path_b = reference.descend(X, y, steps, lr, **options)
    run = fg.train(X, y, steps=steps, lr=lr, keep_weights=True, **options)
    c = reference.scale(n, reduction)
    # Where a gradient's terms cancel, rounding is relative to the terms.
    w0, b0 = options.get("w0", np.zeros(d)), options.get("b0", 0.0)
    terms = lr * c * reference.gradient_scale(X, y, w0, b0, loss)
    assert_follows(run, path_w, path_b, floor=terms)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "d", "bias"), [(4, 1, True), (6, 2, True), (7, 3, False)])
def test_against_fifty_digits(n, d, bias, loss, reduction):
    X, y = problem(n, d, seed=3)
    lr = reference.stable_rate(X, y, loss, reduction)
    options = {"loss": loss, "reduction": reduction, "bias": bias}
    w, b = reference.descend_exactly(X, y, 150, lr, **options)
    run = fg.train(X, y, steps=150, lr=lr, **options)
    with mpmath.workdps(50):
        expected = [*w, b]
        norm = mpmath.norm(expected)
        error = mpmath.norm(
            [
                mpmath.mpf(float(v)) - u
                for v, u in zip([*run.w, run.bias_final], expected, strict=True)
            ]
        )
        assert error <= mpmath.mpf("1e-13") * norm


@given(seed=st.integers(0, 2**32), n=st.integers(2, 30), d=st.sampled_from([1, 3, 16, 17, 20]))
@settings(max_examples=25)
def test_layouts_and_dtypes_give_the_bits_of_their_values(seed, n, d):
    rng = np.random.default_rng(seed)
    X = rng.integers(-100, 100, size=(n, d))
    y = rng.choice([-1, 1], size=n)
    options = {"steps": 20, "lr": 1e-5, "record": 5, "keep_weights": True}
    expected = fg.train(X.astype(float), y.astype(float), **options)
    labels = layouts(y)
    for dtype in (np.float64, np.float32, np.float16, np.int16, np.int64):
        for name, variant in layouts(X.astype(dtype)).items():
            run = fg.train(variant, labels[name], **options)
            np.testing.assert_array_equal(run.weights, expected.weights, err_msg=f"{dtype} {name}")
            np.testing.assert_array_equal(run.loss, expected.loss)


def test_the_sum_is_the_mean_with_n_times_the_rate():
    X, y = problem(64, 5)  # a power of two: the two rates are the same number
    mean = fg.train(X, y, steps=100, lr=0.25, reduction="mean")
    total = fg.train(X, y, steps=100, lr=0.25 / 64, reduction="sum")
    np.testing.assert_array_equal(mean.w, total.w)
    np.testing.assert_allclose(total.loss, 64 * mean.loss, rtol=1e-15)


def test_mirror_image():
    X, y = problem(50, 4)
    run = fg.train(X, y, steps=100, lr=0.5)
    mirrored = fg.train(-X, -y, steps=100, lr=0.5)
    np.testing.assert_array_equal(mirrored.w, run.w)
    assert mirrored.bias_final == -run.bias_final


def test_start_and_fixed_intercept():
    X, y = problem(30, 3)
    w0, b0 = np.array([1.0, -2.0, 0.5]), -0.75
    free = fg.train(X, y, steps=1, lr=0.1, w0=w0, b0=b0, keep_weights=True)
    np.testing.assert_array_equal(free.weights[0], [*w0, b0])
    assert free.b[1] != b0
    fixed = fg.train(X, y, steps=50, lr=0.1, w0=w0, b0=b0, bias=False)
    assert np.all(fixed.b == b0)
    assert fixed.bias_final == b0
    expected = reference.descend(X, y, 50, 0.1, w0=w0, b0=b0, bias=False)[0][-1]
    np.testing.assert_allclose(fixed.w, expected, rtol=1e-13)
    np.testing.assert_array_equal(w0, [1.0, -2.0, 0.5])


# --- what is recorded -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "record", "expected"),
    [
        (10, 3, [0, 3, 6, 9, 10]),
        (10, 5.0, [0, 5, 10]),
        (10, 11, [0, 10]),
        (10, [2, 5], [2, 5, 10]),
        (10, (0, 10), [0, 10]),
        (10.0, np.array([1.0, 7.0]), [1, 7, 10]),
        (1, None, [0, 1]),
        (4, range(4), [0, 1, 2, 3, 4]),
    ],
)
def test_chosen_records(steps, record, expected):
    X, y = problem(5, 2)
    run = fg.train(X, y, steps=steps, lr=0.1, record=record)
    np.testing.assert_array_equal(run.steps, expected)
    assert run.steps.dtype == np.int64


def test_records_change_no_step():
    X, y = problem(40, 6)
    dense = fg.train(X, y, steps=200, lr=0.3, record=1, keep_weights=True)
    for record in (None, 7, [13, 150]):
        run = fg.train(X, y, steps=200, lr=0.3, record=record, keep_weights=True)
        np.testing.assert_array_equal(run.weights, dense.weights[run.steps])
        np.testing.assert_array_equal(run.loss, dense.loss[run.steps])


def test_default_records():
    X, y = problem(5, 2)
    run = fg.train(X, y, steps=2000, lr=0.1)
    np.testing.assert_array_equal(run.steps, fg.log_spaced(2000))
    assert run.weights is None


@given(
    steps=st.one_of(st.integers(1, 10**6), st.integers(1, 2**53), st.integers(2**53, 10**300)),
    per_decade=st.integers(1, 100),
)
def test_log_spaced(steps, per_decade):
    numbers = fg.log_spaced(steps, per_decade)
    assert numbers[0] == 0
    assert 1 in numbers
    assert numbers[-1] == (steps if steps <= 2**53 else float(steps))
    assert numbers.dtype == (np.int64 if steps <= 2**53 else np.float64)
    assert np.all(np.diff(numbers) > 0)
    assert np.all(numbers == np.floor(numbers))
    assert numbers.size <= per_decade * (math.log10(steps) + 1) + 3
    # No gap is wider than a spacing and the rounding.
    ratios = numbers[2:] / (numbers[1:-1] + 1.0)
    assert np.all(ratios <= 10 ** (1 / per_decade) * (1 + 1e-12))


def test_log_spaced_of_decades():
    assert fg.log_spaced(1000, 1).tolist() == [0, 1, 10, 100, 1000]
    assert fg.log_spaced(1.0).tolist() == [0, 1]
    assert fg.log_spaced(1e300, 1)[-1] == 1e300
    assert set(10 ** np.arange(8)) <= set(fg.log_spaced(10**7).tolist())


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_evaluation_sets(reduction):
    X, y = problem(30, 3)
    test, test_y = problem(50, 3, seed=1)
    single, single_y = problem(1, 3, seed=2)

    class Held:
        X = test.astype(np.float32)
        y = test_y

    evals = {"pair": (test, test_y), "held": Held(), "one": [single.tolist(), single_y]}
    lr = 0.5 if reduction == "mean" else 0.5 / 30
    options = {"steps": 20, "lr": lr, "reduction": reduction, "record": 4}
    run = fg.train(X, y, evals=evals, keep_weights=True, **options)
    assert list(run.losses) == ["train", "pair", "held", "one"]
    assert run.sizes == {"train": 30, "pair": 50, "held": 50, "one": 1}
    sets = {"train": (X, y), "pair": (test, test_y), "held": (Held.X, test_y)}
    for name, (rows, labels) in {**sets, "one": (single, single_y)}.items():
        for k, row in enumerate(run.weights):
            expected = reference.total_loss(rows, labels, row[:-1], row[-1], "logistic", reduction)
            assert run.losses[name][k] == pytest.approx(expected, rel=1e-13)
            assert run.counts[name][k] == reference.correct(rows, labels, row[:-1], row[-1])
            assert run.accuracy[name][k] == fg.accuracy(rows, labels, row[:-1], row[-1])
    alone = fg.train(X, y, **options)
    np.testing.assert_array_equal(alone.w, run.w)


def test_ties_at_the_start():
    X, y = problem(31, 2)
    strict = fg.train(X, y, steps=1, lr=0.1)
    papers = fg.train(X, y, steps=1, lr=0.1, tie="negative")
    assert strict.counts["train"][0] == 0
    assert papers.counts["train"][0] == np.sum(y < 0)


def test_progress_is_reported_and_changes_nothing(capsys):
    X, y = problem(10, 2)
    quiet = fg.train(X, y, steps=100, lr=0.1)
    assert capsys.readouterr().err == ""
    shown = fg.train(X, y, steps=100, lr=0.1, progress=True)
    assert "100%" in capsys.readouterr().err
    np.testing.assert_array_equal(quiet.w, shown.w)
    seen = []
    slow = fg.train(
        X, y, steps=10**6, lr=1e-6, record=[10**6], engine="exact", progress=seen.append
    )
    assert seen == sorted(seen)
    assert all(0 < step <= slow.steps[-1] for step in seen)


def test_report_of_the_engine():
    X, y = problem(10, 2)
    run = fg.train(X, y, steps=100, lr=0.1, threads=2)
    assert (run.engine.name, run.engine.exact_steps) == ("exact", 100)
    assert run.engine.threads == 1  # too small to be worth a second one
    assert fg.train(*problem(*SEVERAL_CHUNKS[0]), steps=1, lr=0.1, threads=3).engine.threads == 3
    assert run.engine.simd == _core.simd()
    assert run.engine.seconds >= 0.0
    for engine in ("auto", "exact"):
        same = fg.train(X, y, steps=100, lr=0.1, engine=engine, skip_rows=False, rtol=0.5)
        np.testing.assert_array_equal(same.w, run.w)


def test_arrays_are_read_only_and_the_input_is_left_alone():
    X, y = problem(10, 2)
    X_before, y_before = X.copy(), y.copy()
    run = fg.train(X, y, steps=5, lr=0.1, keep_weights=True)
    for array in (run.steps, run.b, run.loss, run.w, run.weights, run.regime):
        assert not array.flags.writeable
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)
    assert X.flags.writeable


# --- the core's run ---------------------------------------------------------------------------


def descent(X, y, records, *, evals=(), keep_weights=True):
    return _core.Descent(
        _core.Problem(X, y, True),
        [_core.Problem(*pair, True) for pair in evals],
        np.array(records, dtype=np.int64),
        loss="logistic",
        scale=1 / len(y),
        lr=0.5,
        w=np.zeros(X.shape[1]),
        b=0.0,
        tie_negative=False,
        keep_weights=keep_weights,
        watch_sharpness=True,
        threads=1,
    )


def test_pausing_changes_no_bit():
    X, y = problem(300, 20)
    records = [0, 10, 10_000, 60_000]
    straight = descent(X, y, records)
    assert straight.run(lambda _: False) == "done"
    halting = descent(X, y, records)
    pauses = 0
    while (status := halting.run(lambda _: True)) == "paused":
        pauses += 1
        kept = halting.recorded()["steps"]
        np.testing.assert_array_equal(kept, records[: len(kept)])
        assert kept[-1] <= halting.step
    assert status == "done"
    assert halting.step == 60_000
    for name, values in straight.recorded().items():
        np.testing.assert_array_equal(halting.recorded()[name], values, err_msg=name)
    np.testing.assert_array_equal(halting.w, straight.w)
    assert halting.b == straight.b


def test_what_a_poll_raises_comes_out_and_leaves_the_run_usable():
    X, y = problem(300, 20)

    def fail(step):
        raise LookupError(step)

    run = descent(X, y, [0, 100, 10**12])
    with pytest.raises(LookupError):
        run.run(fail)
    kept = run.recorded()
    assert kept["steps"].tolist() == [0, 100]
    assert kept["weights"].shape == (2, 21)
    assert 100 < run.step < 10**12
    np.testing.assert_array_equal(kept["w_last"], kept["weights"][-1, :-1])


def test_before_anything_is_recorded():
    X, y = problem(10, 3)
    kept = descent(X, y, [5, 7], evals=[(X, y)]).recorded()
    assert kept["loss_sum"].shape == kept["correct"].shape == (0, 2)
    assert kept["weights"].shape == (0, 4)
    np.testing.assert_array_equal(kept["w_last"], np.zeros(3))
