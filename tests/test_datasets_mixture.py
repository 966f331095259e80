"""Gaussian mixtures and label noise: laws, bits, what a set remembers, bad arguments."""

import functools
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit

import fastgrok as fg
from fastgrok import Dataset, datasets

LABELS = ("classes", "teacher", "logistic")
KINDS = pytest.mark.parametrize("labels", LABELS)
FEW = settings(max_examples=40, deadline=None)
draw = functools.partial(datasets.gaussian_mixture, mu=1.5)


def assert_same(a, b):
    assert a.X.tobytes() == b.X.tobytes()
    assert a.y.tobytes() == b.y.tobytes()
    assert a.flipped.tolist() == b.flipped.tolist()
    assert a.params == b.params


@KINDS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_same_bits_for_any_number_of_threads(labels, dtype):
    mu = np.random.default_rng(0).normal(size=500)
    make = functools.partial(draw, 3001, 500, mu=mu, labels=labels, dtype=dtype, seed=5)
    one = make(threads=1)
    assert_same(one, make(threads=2))
    assert_same(one, make(threads=3))
    assert one.X.dtype == dtype
    if dtype == np.float32:
        assert np.array_equal(draw(3001, 500, mu=mu, seed=5, labels=labels).X.astype("f4"), one.X)


@pytest.mark.parametrize("labels", ["teacher", "logistic"])
def test_fewer_rows_are_the_first_of_more(labels):
    whole, part = (draw(n, 300, labels=labels, seed=1) for n in (9000, 5000))
    assert part.X.tobytes() == whole.X[:5000].tobytes()
    assert part.y.tobytes() == whole.y[:5000].tobytes()


@given(d=st.integers(1, 40), a=st.floats(0.0, 60.0), s=st.floats(1e-3, 1e3), k=st.integers(0, 40))
@FEW
def test_spectra_scale_the_same_normal_numbers(d, a, s, k):
    plain = draw(7, d, labels="logistic").X
    power = draw(7, d, labels="logistic", spectrum=("power", a)).X
    variances = np.array([j**-a for j in range(1, d + 1)])
    variances *= d / variances.sum()
    np.testing.assert_allclose(power, plain * np.sqrt(variances), rtol=1e-13)
    k = min(k, d)
    spiked = draw(7, d, labels="logistic", spectrum=("spiked", k, s)).X
    variances = np.array([s] * k + [1.0] * (d - k))
    np.testing.assert_allclose(spiked, plain * np.sqrt(variances), rtol=1e-15)
    given_ones = draw(7, d, labels="logistic", spectrum=list(variances)).X
    assert given_ones.tobytes() == spiked.tobytes()


def test_classes_have_their_means_and_variances():
    mu, variances = np.array([1.0, -2.0, 0.0]), np.array([0.25, 4.0, 0.0])
    ds = datasets.gaussian_mixture(8001, 3, mu=mu, spectrum=variances, seed=2)
    assert ds.y.tolist() == [1.0] * 4001 + [-1.0] * 4000
    assert ds.w_true is ds.gamma is None
    for label in (1.0, -1.0):
        points = ds.X[ds.y == label] - label * mu
        assert not points[:, 2].any()
        for column, variance in zip(points.T[:2], variances, strict=False):
            assert stats.kstest(column / math.sqrt(variance), "norm").pvalue > 1e-3
    first = datasets.gaussian_mixture(10, 3, mu=0.7)
    written_out = datasets.gaussian_mixture(10, 3, mu=[0.7, 0.0, 0.0])
    assert first.X.tobytes() == written_out.X.tobytes()


def test_two_gaussians_is_a_mixture():
    ours = datasets.gaussian_mixture(
        4000, 3, mu=0.7, spectrum=[0.09, 4.0, 4.0], seed=1
    )  # other draws of one law
    theirs = datasets.two_gaussians(4000, 2, mu=0.7, sigma_a=0.3, sigma_b=2.0, seed=1)
    for a, b in zip(ours.X[:2000].T, theirs.X[:2000].T, strict=True):
        assert stats.ks_2samp(a, b).pvalue > 1e-3


@given(st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=9), st.integers(0, 5))
@FEW
def test_a_teacher_labels_by_its_side(mu, seed):
    mu = np.array(mu)
    mu[0] += math.copysign(3.0, mu[0])
    ds = draw(60, mu.size, mu=mu, labels="teacher", seed=seed, spectrum=("power", 0.5))
    u = [math.fsum(row) for row in ds.X * mu]
    sure = np.abs(u) > 1e-12
    assert np.array_equal(ds.y[sure], np.sign(u)[sure])
    np.testing.assert_allclose(ds.w_true, mu / np.linalg.norm(mu), rtol=1e-14)
    longer = draw(60, mu.size, mu=4.0 * mu, labels="teacher", seed=seed, spectrum=("power", 0.5))
    assert np.array_equal(ds.y, longer.y)


def test_single_precision_labels_are_those_of_the_rounded_points():
    mu = np.random.default_rng(3).normal(size=50)
    ds = draw(20_000, 50, mu=mu, labels="teacher", dtype=np.float32)
    u = ds.X.astype(np.float64) @ mu
    sure = np.abs(u) > 1e-10
    assert np.array_equal(ds.y[sure], np.sign(u)[sure])


def test_logistic_labels_come_by_chance():
    mu = np.array([1.0, 0.0, -1.0])
    ds = draw(200_000, 3, mu=mu, labels="logistic", spectrum=[1.0, 1.0, 4.0], seed=4)
    chance = expit(ds.X @ mu)
    cells = np.digitize(chance, [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98])
    for cell in range(8):
        inside = cells == cell
        deviation = ((ds.y[inside] > 0) - chance[inside]).sum()
        assert abs(deviation) < 4.5 * math.sqrt((chance * (1 - chance))[inside].sum())
    assert ds.w_true is None
    coins = draw(10_000, 2, mu=0.0, labels="logistic")
    assert abs(coins.y.sum()) < 4.5 * 100
    certain = draw(1000, 2, mu=1e30, labels="logistic")
    assert np.array_equal(certain.y, np.sign(certain.X[:, 0]))


@given(
    p=st.floats(0.0, 1.0), q=st.floats(0.0, 1.0), n=st.integers(1, 400), seed=st.integers(0, 2**70)
)
@FEW
def test_flips_belong_to_rows(p, q, n, seed):
    points = np.random.default_rng(0).normal(size=(400, 1))
    y = np.where(np.arange(400) % 3, 1.0, -1.0)
    whole, part = Dataset(points, y), Dataset(points[:n], y[:n])
    low, high = sorted((p, q))
    few, more = (datasets.flip_labels(whole, value, seed=seed) for value in (low, high))
    assert set(few.flipped) <= set(more.flipped)
    assert np.array_equal(np.flatnonzero(more.y != y), more.flipped)
    assert np.array_equal(np.abs(more.y), np.ones(400))
    short = datasets.flip_labels(part, high, seed=seed)
    assert np.array_equal(short.y, more.y[:n])
    assert short.flipped.tolist() == [row for row in more.flipped if row < n]
    back = datasets.flip_labels(more, high, seed=seed)
    assert np.array_equal(back.y, y)
    assert back.flipped.size == 0
    both = datasets.flip_labels(few, 0.5, seed=seed + 1)
    assert np.array_equal(np.flatnonzero(both.y != y), both.flipped)
    assert [flip["probability"] for flip in both.params["flips"]] == [low, 0.5]


def test_flips_are_independent_of_points_of_the_same_seed():
    rows, p = 100_000, 0.1
    for labels in LABELS:
        clean = draw(rows, 1, labels=labels, seed=3)
        noisy = datasets.flip_labels(clean, p, seed=3)
        hit = np.zeros(rows, dtype=bool)
        hit[noisy.flipped] = True
        assert abs(hit.sum() - p * rows) < 4.5 * math.sqrt(p * (1 - p) * rows)
        for these in (clean.X[:, 0], clean.y):
            assert abs(np.corrcoef(hit, these)[0, 1]) < 4.5 / math.sqrt(rows)
        points = clean.X[:, 0] - (1.5 * clean.y if labels == "classes" else 0.0)
        assert stats.kstest(points[hit], "norm").pvalue > 1e-3
        assert abs(np.corrcoef(hit[1:], hit[:-1])[0, 1]) < 4.5 / math.sqrt(rows)


def test_the_bits_of_the_flips():
    """The stream of SFC64 and the 53 bits of a uniform number are the same on every platform."""
    points = Dataset(np.ones((40, 1)), np.ones(40))
    stream = np.random.SeedSequence(7, spawn_key=(2**32 - 1,))
    raw = np.random.SFC64(stream).random_raw(40)
    expected = [i for i, bits in enumerate(raw) if (int(bits) >> 11) / 2**53 < 0.3]
    assert datasets.flip_labels(points, 0.3, seed=7).flipped.tolist() == expected


def test_what_a_flipped_set_keeps():
    clean = datasets.margin_cube((50, 50), support=(3, 2))
    noisy = datasets.flip_labels(clean, 0.2, seed=1)
    assert np.shares_memory(noisy.X, clean.X)
    assert noisy.gamma is None
    assert noisy.support.size == 0
    assert noisy.w_true.tolist() == clean.w_true.tolist()
    assert np.array_equal(np.flatnonzero(noisy.y * (noisy.X @ noisy.w_true) < 0), noisy.flipped)
    assert repr(noisy).endswith(f", {noisy.flipped.size} flipped)")
    assert noisy.params == {**clean.params, "flips": noisy.params["flips"]}
    assert "flips" not in clean.params
    same = datasets.flip_labels(clean, 0.0)
    assert (same.gamma, same.support.tolist()) == (clean.gamma, clean.support.tolist())
    assert repr(same) == repr(clean)
    with pytest.raises(ValueError, match="read-only"):
        noisy.y[0] = 1.0


@KINDS
@pytest.mark.parametrize("mmap", [False, True])
def test_sets_come_back_from_their_files(tmp_path, labels, mmap):
    clean = draw(30, 4, labels=labels, spectrum=("spiked", 2, 3.0))
    ds = datasets.flip_labels(clean, 0.3, seed=2)
    ds.save(tmp_path / "set.npz")
    loaded = Dataset.load(tmp_path / "set.npz", mmap=mmap)
    assert_same(loaded, ds)
    assert loaded.flipped.size
    assert loaded.params["labels"] == labels
    assert repr(loaded) == repr(ds)
    clean.save(tmp_path / "clean.npz")
    with np.load(tmp_path / "clean.npz") as archive:
        assert "flipped" not in archive.files


@given(st.lists(st.floats(0.25, 4.0), min_size=1, max_size=5), st.sampled_from(LABELS))
@settings(max_examples=15, deadline=None)
def test_params_make_the_set_again(variances, labels):
    mu = np.linspace(1.0, -1.0, len(variances))
    ds = draw(9, len(variances), mu=mu, spectrum=np.array(variances), labels=labels, seed=8)
    with tempfile.TemporaryDirectory() as folder:
        ds.save(Path(folder) / "set")
        params = Dataset.load(Path(folder) / "set").params
    made_by = {"recipe": "gaussian_mixture", "numpy": np.__version__}
    assert {name: params.pop(name) for name in made_by} == made_by
    assert_same(datasets.gaussian_mixture(**params), ds)


def test_noisy_sets_are_trained_on():
    noisy = datasets.flip_labels(draw(40, 5), 0.1)
    problem = {"X": noisy.X, "y": noisy.y, "steps": 20, "lr": 0.1}
    run = fg.train(**problem, evals={"noisy": noisy})
    np.testing.assert_array_equal(run.counts["noisy"], run.counts["train"])
    (again,) = fg.train_many([{**problem, "evals": {"noisy": noisy}}])
    np.testing.assert_array_equal(again.counts["noisy"], run.counts["noisy"])


@pytest.mark.parametrize(
    ("error", "message", "wrong"),
    [
        (ValueError, "labels must be one of 'classes', 'teacher', 'logistic', got 'signs'",
         {"labels": "signs"}),
        (TypeError, "labels must be one of", {"labels": 3}),
        (TypeError, "mu must be a real number, got 'large'", {"mu": "large"}),
        (ValueError, "mu must be finite", {"mu": np.inf}),
        (ValueError, "mu must have length 3, got length 2", {"mu": [1.0, 2.0]}),
        (ValueError, "mu must have 1 dimension", {"mu": np.ones((3, 1))}),
        (ValueError, r"mu must be at most 1e\+30 in absolute value", {"mu": [0.0, 0.0, -2e30]}),
        (ValueError, "mu must have .* it is the teacher", {"mu": 0, "labels": "teacher"}),
        (ValueError, "mu must have a coordinate", {"spectrum": [0, 1, 1], "labels": "teacher"}),
        (ValueError, "spectrum must be 'isotropic', .* got 'flat'", {"spectrum": "flat"}),
        (ValueError, "spectrum must be 'isotropic', .* got", {"spectrum": ("power",)}),
        (ValueError, "spectrum must be 'isotropic', .* got", {"spectrum": ("spiked", 2)}),
        (TypeError, "spectrum must be 'isotropic', .* got 2.0", {"spectrum": 2.0}),
        (ValueError, r"spectrum\[1\] must be at least 0, got -1", {"spectrum": ("power", -1)}),
        (ValueError, r"spectrum\[1\] must be finite", {"spectrum": ("power", np.nan)}),
        (ValueError, r"spectrum\[1\] must be integral", {"spectrum": ("spiked", 1.5, 2.0)}),
        (ValueError, r"spectrum\[2\] must be 0 or lie in", {"spectrum": ("spiked", 1, -2.0)}),
        (ValueError, "at most 3 spikes, got 4", {"spectrum": ("spiked", 4, 2.0)}),
        (ValueError, "spectrum must have length 3, got length 2", {"spectrum": [1.0, 2.0]}),
        (ValueError, "spectrum must be 0 or lie in .*, got -1.0", {"spectrum": [1.0, -1.0, 1.0]}),
        (ValueError, "n must be at least 1", {"n": 0}),
        (ValueError, "dtype must be float64 or float32", {"dtype": "f2"}),
        (ValueError, "seed must be at least 0", {"seed": -1}),
    ],
)  # fmt: skip
def test_wrong_arguments_of_mixtures(error, message, wrong):
    with pytest.raises(error, match=message):
        datasets.gaussian_mixture(**{"n": 4, "dim": 3, "mu": 1.0, **wrong})


@pytest.mark.parametrize(
    ("error", "message", "wrong"),
    [
        (TypeError, r"data must be a Dataset, got .*: make one with Dataset\(X, y\)", {"data": 3}),
        (ValueError, r"probability must lie in \[0, 1\], got 1.5", {"probability": 1.5}),
        (ValueError, r"probability must lie in \[0, 1\], got -0.1", {"probability": -0.1}),
        (TypeError, "probability must be a real number", {"probability": "half"}),
        (ValueError, "seed must be at least 0", {"seed": -1}),
    ],
)
def test_wrong_arguments_of_flips(error, message, wrong):
    with pytest.raises(error, match=message):
        datasets.flip_labels(**{"data": draw(4, 3), "probability": 0.1, **wrong})
