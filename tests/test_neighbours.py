"""What docs/neighbours.md and docs/masking.md say of the arithmetic of other packages."""

import io
from fractions import Fraction

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

import fastgrok as fg
from fastgrok.theory.edge import GaussianNoise, limit_accuracy


def cross_entropy(z, label):
    """Derivative by z of the cross entropy of the logits (0, z), as softmax less the one-hot."""
    logits = np.array([0, z], dtype=z.dtype)
    e = np.exp(logits - logits.max())
    return e[1] / e.sum() - z.dtype.type(label > 0)


def binary(z, label):
    one = z.dtype.type(1)
    return one / (one + np.exp(-z)) - z.dtype.type(label > 0)


def softplus(z, label):
    e = np.exp(-z.dtype.type(label) * z)
    return -label * e / (z.dtype.type(1) + e)


@pytest.mark.parametrize(
    ("gradient", "dtype", "label", "threshold"),
    [
        (cross_entropy, np.float32, 1, 16.6),
        (cross_entropy, np.float32, -1, 104),
        (cross_entropy, np.float64, 1, 36.7),
        (cross_entropy, np.float64, -1, 745),
        (binary, np.float32, 1, 16.6),
        (binary, np.float32, -1, 88.7),
        (binary, np.float64, 1, 36.7),
        (binary, np.float64, -1, 709.8),
        *((softplus, np.float32, label, 104) for label in (1, -1)),
        *((softplus, np.float64, label, 745) for label in (1, -1)),
    ],
)
def test_thresholds_of_masking(gradient, dtype, label, threshold):
    with np.errstate(over="ignore", under="ignore"):
        assert gradient(dtype(label * 0.995 * threshold), label) != 0
        assert gradient(dtype(label * 1.005 * threshold), label) == 0


def test_an_attack_may_mask_one_class_more():
    data = fg.datasets.margin_cube((1000, 1000), 2, gamma=1e-3, seed=0)
    found = {}
    for label in (1, -1):
        rows = data.y == label
        found[label] = [
            fg.adversarial_accuracy(
                data.X[rows], data.y[rows], 1000 * data.w_true,
                eps=1.0, bounds=(-5, 5), method=method,
            )
            for method in ("exact", "autodiff64")
        ]  # fmt: skip
    assert found[1] == pytest.approx([0.62, 0.99], abs=0.005)
    assert found[-1] == pytest.approx([0.64, 0.81], abs=0.01)


def test_a_smooth_run_knows_the_order_of_the_rows_in_its_last_digits_only():
    data = fg.datasets.margin_cube((200, 200), 10, gamma=1e-3, seed=0)
    order = np.random.default_rng(0).permutation(400)
    settings = {"steps": 2000, "lr": 1e-2, "engine": "exact", "keep_weights": True}
    one = fg.train(data.X, data.y, **settings)
    other = fg.train(data.X[order], data.y[order], **settings)
    assert (one.regime == "smooth").all()
    assert not np.array_equal(one.weights, other.weights)
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-9, atol=1e-15)


def plain_step(X, y, w, b, lr):
    """One step of descent on the mean of the losses, in the precision of the arguments."""
    with np.errstate(over="ignore"):
        s = y / (1 + np.exp(y * (X @ w + b)))
    lr = X.dtype.type(lr)
    return w + lr * (X * s[:, None]).mean(axis=0), b + lr * s.mean()


def test_a_float32_loop_stands_still():
    data = fg.datasets.margin_cube((1000, 1000), 2, gamma=1e-3, seed=0)
    run = fg.train(data.X, data.y, steps=1e8, lr=1e-2, record=[10**5, 10**8], keep_weights=True)
    for weights, stands in zip(run.weights, (False, True), strict=True):
        single = [a.astype(np.float32) for a in (data.X, data.y, weights[:-1])]
        b = np.float32(weights[-1])
        w_next, b_next = plain_step(*single, b, 1e-2)
        assert w_next.dtype == np.float32
        assert np.array_equal(w_next, single[2]) is stands
        assert (b_next == b) is np.bool_(stands)
        w_next, b_next = plain_step(data.X, data.y, weights[:-1], weights[-1], 1e-2)
        assert (w_next != weights[:-1]).all()
        assert b_next != weights[-1]


def distances(X):
    """|x_1 + x_2| of every row, exactly."""
    return {abs(Fraction(a) + Fraction(b)) for a, b in X.tolist()}


def test_svmlight_text_moves_planted_rows_off_the_margin(tmp_path):
    data = fg.datasets.margin_cube((1000, 1000), 2, gamma=1e-3, support=(350, 35), seed=0)
    assert len(distances(data.X[data.support])) == 1
    file = io.BytesIO()
    dump_svmlight_file(data.X, data.y, file)
    file.seek(0)
    rows = load_svmlight_file(file)[0].toarray()
    assert len(distances(rows[data.support])) > 1
    np.savetxt(tmp_path / "rows.txt", data.X)
    assert np.array_equal(np.loadtxt(tmp_path / "rows.txt"), data.X)


def test_accuracies_near_one_half_depend_on_the_start_and_their_limit_does_not():
    data = fg.datasets.gaussian_noise(100, 48, sigma=5.0, seed=6)
    assert fg.separability(data.X).separable
    limit = limit_accuracy(fg.max_margin(data.X, data.y, bias="none").margin, 5.0)
    start = np.random.default_rng(7).normal(size=48)
    early, late = (
        [
            fg.train(
                data.X, data.y, steps=steps, lr=0.01, w0=w0, evals={"all": GaussianNoise(5.0)}
            ).accuracy["all"][-1]
            for w0 in (np.zeros(48), start)
        ]
        for steps in (1e4, 1e60)
    )
    assert abs(early[0] - early[1]) > 0.02
    assert late == pytest.approx([limit, limit], abs=0.01)
