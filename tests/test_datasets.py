"""Recipes: same bits for any number of threads, laws of the Gaussian ones, bad arguments."""

import functools
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fastgrok import Dataset, datasets
from fastgrok.datasets._blocks import Part, block_rows, draw

# Large enough for several blocks in each class, and for threads to be used.
LARGE = {
    "cube": functools.partial(datasets.margin_cube, (2500, 1300), 1024, support=(1201, 40)),
    "iid": functools.partial(
        datasets.margin_cube, (1100, 300), 1024, support=(900, 40), planting="iid"
    ),
    "concentrated": functools.partial(datasets.concentrated, (1100, 1300), 1024),
    "noise": functools.partial(datasets.gaussian_noise, 3000, 500, label_fraction=0.9),
    "gaussians": functools.partial(datasets.two_gaussians, 3000, 500, sigma_a=0.1),
}
SMALL = {
    "cube": functools.partial(datasets.margin_cube, (9, 8), 3, support=(3, 2)),
    "iid": functools.partial(datasets.margin_cube, (30, 20), 2, support=(20, 20), planting="iid"),
    "concentrated": functools.partial(datasets.concentrated, (9, 8), 3),
    "noise": functools.partial(datasets.gaussian_noise, 9, 3),
    "gaussians": functools.partial(datasets.two_gaussians, 9, 3, sigma_a=0.1),
}
BOTH = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def same(a, b):
    return a.X.dtype == b.X.dtype and a.X.tobytes() == b.X.tobytes() and np.array_equal(a.y, b.y)


@pytest.mark.filterwarnings("ignore:.*are too few, their hulls")
@BOTH
@pytest.mark.parametrize("recipe", LARGE)
def test_same_bits_for_any_number_of_threads(recipe, dtype):
    one, two, three = (LARGE[recipe](seed=3, dtype=dtype, threads=t) for t in (1, 2, 3))
    assert same(one, two)
    assert same(one, three)


@BOTH
@pytest.mark.parametrize("recipe", SMALL)
def test_seeds(recipe, dtype):
    make = functools.partial(SMALL[recipe], dtype=dtype)
    assert same(make(seed=0), make())
    seen = [make(seed=seed).X.tobytes() for seed in (0, 1, 2, 2**32, 2**100)]
    assert len(set(seen)) == len(seen)


@BOTH
@pytest.mark.parametrize("recipe", SMALL)
def test_shape_of_the_result(recipe, dtype):
    ds = SMALL[recipe](dtype=dtype)
    assert ds.X.dtype == dtype
    assert ds.X.flags.c_contiguous
    assert ds.y.dtype == np.float64
    assert set(np.unique(ds.y)) <= {-1.0, 1.0}
    assert np.all(np.diff(ds.y) <= 0)  # class +1 first
    assert ds.support.dtype == np.int64
    assert np.isfinite(ds.X).all()
    assert not ds.X.flags.writeable
    assert json.loads(json.dumps(ds.params)) == ds.params
    assert ds.params["numpy"] == np.__version__


def test_counts_and_normal():
    ds = datasets.margin_cube((5, 3), 4, seed=np.int64(7))
    assert ds.y.tolist() == [1.0] * 5 + [-1.0] * 3
    assert ds.w_true.tolist() == [0.5] * 4
    assert np.all(np.sign(ds.X @ ds.w_true) == ds.y)
    assert datasets.concentrated((0, 3)).y.tolist() == [-1.0] * 3
    assert datasets.margin_cube([2, 0], dim=1).y.tolist() == [1.0] * 2


def test_default_sets_are_the_papers():
    ds = datasets.margin_cube()
    assert ds.X.shape == (2000, 2)
    assert (ds.y > 0).sum() == 1000
    assert ds.gamma == 1e-3
    assert np.abs(ds.X).max() <= 5.0
    test = datasets.concentrated()
    u = test.y * (test.X @ test.w_true)
    assert test.params["alpha"] == 10.0
    assert 0.5e-3 * (1 - 1e-12) <= u.min() < u.max() <= 1e-2 * (1 + 1e-12)


def test_planting_does_not_change_the_other_class():
    plain = datasets.margin_cube((50, 60), 3, gamma=0.1, support=(2, 2))
    other = datasets.margin_cube((50, 60), 3, gamma=0.1, support=(20, 2))
    assert np.array_equal(plain.X[50:], other.X[50:])


@pytest.mark.parametrize("sigma", [1.0, 5.0])
def test_gaussian_noise_is_normal(sigma):
    ds = datasets.gaussian_noise(4000, 5, sigma=sigma, seed=1)
    assert (ds.y == -1.0).all()
    assert ds.w_true is None
    assert ds.gamma is None
    assert ds.params["threshold"] is None
    for column in ds.X.T:
        assert stats.kstest(column / sigma, "norm").pvalue > 1e-3
    correlation = np.corrcoef(ds.X.T)[~np.eye(5, dtype=bool)]
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


@BOTH
@pytest.mark.parametrize("r", [0.95, 0.5, 1e-3])
def test_label_fraction_is_a_threshold_on_the_first_coordinate(r, dtype):
    rows, sigma = 20_000, 3.0
    ds = datasets.gaussian_noise(rows, 2, sigma=sigma, label_fraction=r, dtype=dtype)
    threshold = ds.params["threshold"]
    assert threshold == pytest.approx(sigma * stats.norm.ppf(r), rel=1e-12, abs=1e-12)
    assert np.array_equal(ds.y > 0, ds.X[:, 0].astype(np.float64) > threshold)
    assert (ds.y < 0).mean() == pytest.approx(r, abs=5 * np.sqrt(r * (1 - r) / rows))
    assert same_points(ds, datasets.gaussian_noise(rows, 2, sigma=sigma, dtype=dtype))


def same_points(a, b):
    return a.X.tobytes() == b.X.tobytes()


@pytest.mark.parametrize("recipe", ["noise", "gaussians"])
def test_float32_gaussians_are_the_rounded_float64_ones(recipe):
    double, single = (LARGE[recipe](dtype=dtype) for dtype in ("f8", "f4"))
    assert np.array_equal(double.X.astype(np.float32), single.X)


def test_two_gaussians_has_two_classes():
    ds = datasets.two_gaussians(4001, 3, mu=0.7, sigma_a=0.3, sigma_b=2.0, seed=2)
    assert ds.X.shape == (4001, 4)
    assert (ds.y > 0).sum() == 2001
    signal = (ds.X[:, 0] - ds.y * 0.7) / 0.3
    for label in (1.0, -1.0):
        assert stats.kstest(signal[ds.y == label], "norm").pvalue > 1e-3
        for column in ds.X[ds.y == label, 1:].T:
            assert stats.kstest(column / 2.0, "norm").pvalue > 1e-3


def test_two_gaussians_without_spread_is_constant_label_noise_with_bias():
    """One step of descent on w is one step of the constant-label model with rate mu^2 lr."""
    mu, lr = 0.2, 0.1
    ds = datasets.two_gaussians(20, 7, mu=mu)
    assert np.array_equal(ds.X[:, 0], ds.y * mu)
    points = -ds.y[:, None] * ds.X[:, 1:] / mu  # labelled -1
    w, s, b = np.zeros(8), np.zeros(7), 0.0
    for _ in range(5):
        pull = 1 / (1 + np.exp(ds.y * (ds.X @ w)))
        w += lr * (pull * ds.y) @ ds.X / len(ds.y)
        pull = 1 / (1 + np.exp(-(points @ s + b)))
        s, b = s - lr * mu**2 * pull @ points / len(ds.y), b - lr * mu**2 * pull.mean()
    assert b == pytest.approx(-mu * w[0], rel=1e-12)
    np.testing.assert_allclose(s, mu * w[1:], rtol=1e-12, atol=1e-15)


@given(st.floats(1e-3, 1.0), st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_two_points(lam, sigma):
    ds = datasets.two_points(lam, sigma=sigma)
    assert ds.X.tolist() == [[-sigma], [sigma * (1 - 2 * lam)]]
    assert ds.y.tolist() == [-1.0, -1.0]


def test_progress_counts_the_rows(capsys):
    datasets.margin_cube((30, 20), progress=True)
    assert "50/50" in capsys.readouterr().err
    datasets.margin_cube((30, 20))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_a_block_ends_the_draw(threads, error):
    calls = []

    def fill(_rng, _out):
        calls.append(1)
        raise error("no")

    rows = np.empty((64 * block_rows(2), 2))
    with pytest.raises(error, match="no"):
        draw([Part(rows, fill)], seed=0, threads=threads, progress=False)
    assert len(calls) <= 2 * threads + 1


def test_blocks_are_even_and_bounded():
    for columns in (1, 2, 3, 100, 1023, 1024, 1025, 10**6, 10**7):
        rows = block_rows(columns)
        assert rows & (rows - 1) == 0
        assert 2 <= rows <= 1 << 16
        assert rows * columns <= max(1 << 20, 2 * columns)


CUBES = (datasets.margin_cube, datasets.concentrated)
GAUSSIANS = (datasets.gaussian_noise, datasets.two_gaussians)
WRONG_CUBES = [
    (TypeError, "n must be a pair", {"n": 10}),
    (TypeError, "n must be a pair", {"n": "ab"}),
    (ValueError, "n must be a pair .* got 3 values", {"n": (1, 2, 3)}),
    (ValueError, r"n\[0\] must be integral, got 1.5", {"n": (1.5, 2)}),
    (TypeError, r"n\[1\] must be an integer", {"n": (1, "2")}),
    (TypeError, r"n\[0\] must be an integer", {"n": (True, 2)}),
    (ValueError, r"n\[1\] must be at least 0, got -2", {"n": (1, -2)}),
    (ValueError, "n must count at least one point", {"n": (0, 0)}),
    (ValueError, "dim must be at least 1, got 0", {"dim": 0}),
    (ValueError, "dim must be integral", {"dim": 2.5}),
    (TypeError, "dim must be an integer", {"dim": "2"}),
    (ValueError, "gamma must be greater than 0, got 0", {"gamma": 0}),
    (ValueError, "gamma must be greater than 0, got -1", {"gamma": -1}),
    (ValueError, "gamma must be finite", {"gamma": np.nan}),
    (TypeError, "gamma must be a real number", {"gamma": "1"}),
    (ValueError, "gamma/2 must be less than the distance 7.07.* got gamma=14.2", {"gamma": 14.2}),
    (ValueError, "half_width must be greater than 0", {"half_width": 0.0}),
    (ValueError, "half_width must lie in 1e-30..1e.30", {"half_width": 1e31}),
    (ValueError, "half_width must be finite", {"half_width": np.inf}),
]
WRONG_DRAWS = [
    (ValueError, "dtype must be float64 or float32, got int32", {"dtype": np.int32}),
    (ValueError, "dtype must be float64 or float32, got float16", {"dtype": "float16"}),
    (TypeError, "dtype must be float64 or float32, got 'float63'", {"dtype": "float63"}),
    (ValueError, "seed must be at least 0, got -1", {"seed": -1}),
    (TypeError, "seed must be an integer", {"seed": None}),
    (ValueError, "seed must be integral", {"seed": 0.5}),
    (ValueError, "threads must be at least 1", {"threads": 0}),
    (TypeError, "progress must be True or False", {"progress": "yes"}),
]


@pytest.mark.parametrize("recipe", CUBES)
@pytest.mark.parametrize(("error", "message", "wrong"), WRONG_CUBES + WRONG_DRAWS)
def test_wrong_arguments_of_cubes(recipe, error, message, wrong):
    with pytest.raises(error, match=message):
        recipe(**wrong)


@pytest.mark.parametrize("recipe", GAUSSIANS)
@pytest.mark.parametrize(
    ("error", "message", "wrong"),
    [
        *WRONG_DRAWS,
        (ValueError, "n must be at least 1", {"n": 0}),
        (TypeError, "n must be an integer", {"n": (1, 1)}),
        (ValueError, "dim must be at least 1", {"dim": 0}),
    ],
)
def test_wrong_arguments_of_gaussians(recipe, error, message, wrong):
    with pytest.raises(error, match=message):
        recipe(**{"n": 4, "dim": 2, **wrong})


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            r"support counts among n: 6 support vectors are more than the 5 points of class -1",
            lambda: datasets.margin_cube((9, 5), support=(1, 6)),
        ),
        (
            ValueError,
            r"support\[0\] must be at least 0",
            lambda: datasets.margin_cube((9, 5), support=(-1, 6)),
        ),
        (
            TypeError,
            "support must be a pair",
            lambda: datasets.margin_cube((9, 5), support=3),
        ),
        (
            ValueError,
            "planting must be one of 'antipodal', 'iid', got 'none'",
            lambda: datasets.margin_cube(planting="none"),
        ),
        (
            ValueError,
            "gamma=1e-09 can't be planted in float32: coordinates are multiples of",
            lambda: datasets.margin_cube((5, 5), gamma=1e-9, support=(2, 2), dtype=np.float32),
        ),
        (
            ValueError,
            "leaves no room in the cube to plant",
            lambda: datasets.margin_cube((5, 5), 1, gamma=10.0, support=(2, 2)),
        ),
        (
            ValueError,
            "gamma leaves too small a part of the cube",
            lambda: datasets.margin_cube((1, 1), 2, gamma=14.14),
        ),
        (
            ValueError,
            "alpha must be greater than 1/2, got 0.5",
            lambda: datasets.concentrated(alpha=0.5),
        ),
        (ValueError, "alpha must be finite", lambda: datasets.concentrated(alpha=np.inf)),
        (
            ValueError,
            "gamma=1e-09 and alpha=10.0 leave no float32 points",
            lambda: datasets.concentrated(gamma=1e-9, dtype=np.float32),
        ),
        (
            ValueError,
            "sigma must be greater than 0",
            lambda: datasets.gaussian_noise(3, 2, sigma=0),
        ),
        (
            ValueError,
            r"label_fraction must lie in \(0, 1\], got 0",
            lambda: datasets.gaussian_noise(3, 2, label_fraction=0),
        ),
        (
            ValueError,
            r"label_fraction must lie in \(0, 1\], got 1.1",
            lambda: datasets.gaussian_noise(3, 2, label_fraction=1.1),
        ),
        (ValueError, "mu must be finite", lambda: datasets.two_gaussians(3, 2, mu=np.nan)),
        (ValueError, "mu must be at most", lambda: datasets.two_gaussians(3, 2, mu=-1e31)),
        (ValueError, "sigma_a must be", lambda: datasets.two_gaussians(3, 2, sigma_a=-1)),
        (ValueError, "sigma_b must be", lambda: datasets.two_gaussians(3, 2, sigma_b=0)),
        (ValueError, r"lam must lie in \(0, 1\], got 0", lambda: datasets.two_points(0)),
        (ValueError, r"lam must lie in \(0, 1\], got 1.5", lambda: datasets.two_points(1.5)),
        (TypeError, "lam must be a real number", lambda: datasets.two_points(None)),
        (ValueError, "sigma must be", lambda: datasets.two_points(0.5, sigma=-1)),
    ],
)
def test_wrong_arguments(error, message, call):
    with pytest.raises(error, match=message):
        call()


X = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("error", "message", "fields"),
    [
        (TypeError, r"X must be an array of float64 or float32.*list", {"X": [[1.0]]}),
        (TypeError, "X must be an array of float64 or float32.*int64", {"X": X.astype(int)}),
        (ValueError, "X must be C-contiguous.*strides", {"X": np.asfortranarray(X)}),
        (ValueError, "X must be C-contiguous with 2 dimensions", {"X": X[0]}),
        (ValueError, "at least one row", {"X": X[:0]}),
        (ValueError, "one label a row", {"y": [1.0]}),
        (ValueError, "labels -1 and", {"y": [1.0, 2.0]}),
        (ValueError, "w_true must have length 2", {"w_true": [1.0]}),
        (ValueError, "gamma must be greater than 0", {"gamma": 0.0}),
        (TypeError, "support must hold row numbers", {"support": [0.5]}),
        (ValueError, "support must have 1 dimension", {"support": [[0]]}),
        (ValueError, r"support must increase and lie in 0..1", {"support": [1, 0]}),
        (ValueError, r"support must increase and lie in 0..1", {"support": [2]}),
        (ValueError, r"support must increase and lie in 0..1", {"support": [-1]}),
        (TypeError, "params must be a dict", {"params": None}),
    ],
)
def test_wrong_fields(error, message, fields):
    with pytest.raises(error, match=message):
        Dataset(**{"X": X, "y": [1, -1], **fields})


def test_a_data_set_of_ones_own():
    mine = X.copy()
    ds = Dataset(mine, [1, -1], support=[1])
    assert ds.y.dtype == np.float64
    assert ds.w_true is None
    assert ds.params == {}
    assert ds.support.dtype == np.int64
    mine[0, 0] = 5.0  # the caller's array stays the caller's
    with pytest.raises(ValueError, match="read-only"):
        ds.X[0, 0] = 5.0


def test_pickle_and_repr():
    ds = datasets.margin_cube((5, 3), support=(2, 2))
    again = pickle.loads(pickle.dumps(ds))
    assert same(ds, again)
    assert again.params == ds.params
    assert repr(ds) == (
        "Dataset(margin_cube, (8, 2) float64, 5 of +1 and 3 of -1, gamma=0.001, 4 planted)"
    )
