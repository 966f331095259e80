"""With labels and no other word, verdict, margin and descent are about the same model."""

import numpy as np
import pytest

import fastgrok as fg


def flowers(seed=0):
    """Two kinds, measured in centimetres: all entries positive, far from the origin."""
    rng = np.random.default_rng(seed)
    means, widths = [[5.0, 3.4, 1.5, 0.25], [5.9, 2.8, 4.3, 1.3]], [0.3, 0.3, 0.2, 0.1]
    X = np.concatenate([rng.normal(mean, widths, size=(50, 4)) for mean in means])
    return X.round(1), np.repeat([-1, 1], 50)


def test_the_defaults_are_of_one_model():
    X, y = flowers()
    verdict, best = fg.separability(X, y), fg.max_margin(X, y)
    run = fg.train(X, y, steps=1e12, lr=0.1, keep_weights=True)
    assert verdict.separable
    assert run.accuracy["train"][-1] == 1.0
    # The direction is the limit's up to 1 / log t, and no other problem's.
    theta, limit = run.weights[-1], np.append(best.w, best.b)
    cosine = theta @ limit / np.linalg.norm(theta) / np.linalg.norm(limit)
    assert cosine > 0.99
    assert run.alignment()[-1] == pytest.approx(cosine, rel=1e-12)
    # Through the origin nothing separates a row from one of the other class on the same ray.
    y[0], X[0] = 1, 2.0 * X[1]
    assert not fg.separability(X, y, bias=False).separable


def test_a_point_on_the_ray_of_another_needs_a_bias():
    X, y = [[1.0, 2.0], [2.0, 4.0]], [-1, 1]
    assert fg.separability(X, y).separable
    assert not fg.separability(X, y, bias=False).separable
    assert fg.max_margin(X, y).bias == "penalized"
    assert fg.train(X, y, steps=10_000, lr=0.5).accuracy["train"][-1] == 1.0
    assert fg.train(X, y, steps=10_000, lr=0.5, bias=False).accuracy["train"][-1] < 1.0
    # Rows alone are asked about the origin, as Beck et al. do.
    assert not fg.separability([[1.0, 2.0], [-2.0, -4.0]]).separable
    assert fg.separability([[1.0, 2.0], [-2.0, -4.0]], bias=True).separable


@pytest.mark.parametrize(("flag", "name"), [(True, "penalized"), (False, "none")])
def test_names_of_the_problems(flag, name):
    X, y = flowers(1)
    X[:, 3] -= 0.8  # so that a plane through the origin separates, too
    for value in (flag, np.bool_(flag)):
        found, same = fg.max_margin(X, y, bias=value), fg.max_margin(X, y, bias=name)
        assert found.bias == name
        np.testing.assert_array_equal(found.w, same.w)
        assert found.b == same.b


@pytest.mark.parametrize(
    ("bias", "words"),
    [
        ("none", "from the origin"),
        ("penalized", "with penalized bias"),
        ("free", "with free bias"),
    ],
)
def test_results_and_errors_say_of_which_model_they_speak(bias, words):
    assert words in repr(fg.max_margin([[1.0, 0.5], [-1.0, 1.0]], [1, -1], bias=bias))
    with pytest.raises(fg.NotSeparableError, match=f"not separable {words}:"):
        fg.max_margin([[1.0, 0.5], [1.0, 0.5]], [1, -1], bias=bias)


@pytest.mark.parametrize(("bias", "words"), [(False, "from the origin"), (True, "with bias")])
def test_verdicts_say_of_which_model_they_speak(bias, words):
    found = fg.separability([[1.0, 2.0], [2.0, 4.0]], [-1, 1], bias=bias)
    assert found.bias is bias
    assert f"{found.verdict!r} {words}" in repr(found)
