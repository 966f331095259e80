"""Attacks as evaluation sets of a run, and as part of the identity of its checkpoint."""

import numpy as np
import pytest

import fastgrok as fg
from attack_cases import METHODS, NORMS
from cases import problem


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("d", [2, 18])
def test_as_an_evaluation_set_of_a_run(method, norm, d):
    X, y = problem(60, d)
    settings = {"norm": norm, "method": method, "eps": 0.1}
    sets = {
        "free": settings,
        "boxed": settings | {"bounds": "data"},
        "by row": settings | {"eps": np.linspace(0.0, 0.3, 60)},
    }
    if method != "exact":
        random = {"random_start": True, "random_state": 3, "steps": 3, "step_size": 0.01}
        sets["random"] = settings | random | {"restarts": 2}
    for loss, reduction in (("logistic", "mean"), ("exponential", "sum")):
        run = fg.train(
            X, y, steps=200, lr=0.5 / d if reduction == "mean" else 1e-3, loss=loss,
            reduction=reduction, keep_weights=True, record=50, tie="negative",
            evals={"plain": (X, y)} | {name: fg.Pgd(X, y, **s) for name, s in sets.items()},
        )  # fmt: skip
        np.testing.assert_array_equal(run.counts["plain"], run.counts["train"])
        for k, (*w, b) in enumerate(run.weights):
            for name, s in sets.items():
                expected = fg.adversarial_accuracy(X, y, w, b, **s, tie="negative")
                assert run.accuracy[name][k] == expected
                m = fg.pgd(X, y, w, b, **s).margin
                values = np.logaddexp(0.0, -m) if loss == "logistic" else np.exp(-m)
                total = values.mean() if reduction == "mean" else values.sum()
                np.testing.assert_allclose(run.losses[name][k], total, rtol=1e-10)


def test_an_evaluation_set_keeps_its_data_alive():
    def make():
        X, y = problem(50, 20)
        return fg.Pgd(X.copy(), y.copy(), eps=0.1)

    X, y = problem(50, 20)
    run = fg.train(X, y, steps=5, lr=0.1, evals={"attacked": make()})
    expected = fg.adversarial_accuracy(X, y, run.w, run.bias_final, eps=0.1)
    assert run.accuracy["attacked"][-1] == expected
    assert repr(make()) == "Pgd(50 rows, 20 columns: exact, l_inf ball, eps 0.1)"


def test_an_evaluation_set_needs_the_columns_of_the_run():
    X, y = problem(6, 2)
    words = r"evals\['attacked'\] X must have 2 columns, got shape \(6, 3\)"
    with pytest.raises(ValueError, match=words):
        fg.train(X, y, steps=1, lr=0.1, evals={"attacked": fg.Pgd(np.ones((6, 3)), y)})


X, Y = problem(12, 3)
OPTIONS = {"steps": 100, "lr": 0.1, "record": 10}
RANDOM = {
    "method": "pgd", "norm": 2, "eps": 0.1, "steps": 5, "step_size": 0.05, "random_start": True,
    "restarts": 2, "random_state": 3, "bounds": (-9.0, 9.0),
}  # fmt: skip


def attacked(settings):
    return {"evals": {"a": fg.Pgd(X, Y, **settings)}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The checkpoint of a run under attack, and its trajectory."""
    file = tmp_path_factory.mktemp("attacked") / "run"
    return file, fg.train(X, Y, **OPTIONS, **attacked(RANDOM), checkpoint=file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "autodiff64"}, "method was 'pgd', is 'autodiff64'"),
        ({"norm": np.inf}, "ball was 'l_2', is 'l_inf'"),
        ({"eps": np.nextafter(0.1, 1.0)}, "radii holds other values"),
        ({"eps": np.full(12, 0.1)}, "radius_by_row was False, is True"),
        ({"steps": 6}, "steps was 5, is 6"),
        ({"step_size": 0.1}, r"step_size was 0\.05, is 0\.1"),
        ({"random_start": False}, "random_start was True, is False"),
        ({"restarts": 3}, "restarts was 2, is 3"),
        ({"random_state": 4}, "random_state was [0-9]+, is [0-9]+"),
        ({"bounds": None}, "bounds was True, is False"),
        ({"bounds": (-9.0, 8.0)}, "highest holds other values"),
        ({"bounds": ([-9.0, -8.0, -9.0], 9.0)}, "lowest holds other values"),
    ],
)
def test_a_checkpoint_is_of_one_attack(finished, change, message):
    file, run = finished
    with pytest.raises(fg.CheckpointError, match=rf"evals\['a'\] {message}"):
        fg.train(X, Y, **OPTIONS, **attacked(RANDOM | change), checkpoint=file)
    again = fg.train(X, Y, **OPTIONS, **attacked(RANDOM), checkpoint=file)
    np.testing.assert_array_equal(again.losses["a"], run.losses["a"])


def test_a_checkpoint_tells_attacked_rows_from_plain_ones(finished):
    file, _ = finished
    for evals, message in (
        ({"a": (X, Y)}, r"evals\['a'\] method was 'pgd', is 'no attack'; give"),
        ({"a": fg.Pgd(X[::-1], Y[::-1], **RANDOM)}, r"evals\['a'\] X holds other values"),
        (None, r"evals was \['a'\], is \[\]; give"),
    ):
        with pytest.raises(fg.CheckpointError, match=f"is of another run: {message}"):
            fg.train(X, Y, **OPTIONS, evals=evals, checkpoint=file)


def test_equal_attacks_share_a_checkpoint(finished):
    file, run = finished
    same = RANDOM | {"norm": 2.0, "bounds": (np.full(3, -9.0), [9] * 3), "steps": 5.0}
    again = fg.train(X, Y, **OPTIONS, **attacked(same), checkpoint=file)
    np.testing.assert_array_equal(again.losses["a"], run.losses["a"])


def test_without_a_random_start_no_random_state_is_needed_to_resume(tmp_path):
    file = tmp_path / "run"
    runs = [fg.train(X, Y, **OPTIONS, **attacked({}), checkpoint=file) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].losses["a"], runs[1].losses["a"])
