"""What labels are called: said once, and held to by every set of a run and every function."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import fastgrok as fg
from cases import problem
from fastgrok.theory import bias, squared

X, Y = problem(20, 2)
X[:, 0] += 3.0 * Y  # separable
W, B = [0.8, -0.3], 0.1
ILL = np.where(Y > 0, "ill", "well")  # of the alphabet, the first is positive here
CLASSES = ("well", "ill")

CALLS = {
    "margins": lambda y, **k: fg.margins(X, y, W, B, **k),
    "accuracy": lambda y, **k: fg.accuracy(X, y, [-0.1, 1.0], B, **k),
    "pgd": lambda y, **k: fg.pgd(X, y, W, B, eps=0.3, **k).margin,
    "adversarial_accuracy": lambda y, **k: fg.adversarial_accuracy(X, y, W, eps_grid=[0, 1], **k),
    "Pgd": lambda y, **k: fg.Pgd(X, y, **k).y,
    "Dataset": lambda y, **k: fg.Dataset(X, y, **k).y,
    "max_margin": lambda y, **k: fg.max_margin(X, y, **k).w,
    "separability": lambda y, **k: fg.separability(X, y, **k).w,
    "separation": lambda y, **k: fg.separation(X, y, **k).coefficients,
    "regularized_limit": lambda y, **k: fg.regularized_limit(X, y, 0.1, **k).w,
    "late_time": lambda y, **k: bias.late_time(X, y, 0.1, **k).w_hat,
    "squared": lambda y, **k: squared.state(7, X, y, 0.1, **k)[0],
    "stable_lr": lambda y, **k: fg.stable_lr(X, y, **k),
    "train": lambda y, **k: fg.train(X, y, steps=9, lr=0.1, **k).w,
    "train_many": lambda y, **k: fg.train_many([{"X": X, "y": y, "steps": 9, "lr": 0.1, **k}])[0].w,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (ILL, CLASSES),
        (ILL.tolist(), np.array(CLASSES)),
        (np.where(Y > 0, 1, 2), (2, 1)),
        (np.where(Y > 0, 0, 1), [1, 0]),
        (np.where(Y > 0, -1.0, 1.0), (1, -1)),
        (Y < 0, (True, False)),
        (np.where(Y > 0, b"a", b"b"), (b"b", b"a")),
    ],
    ids=str,
)
def test_classes_say_in_every_function_which_label_is_positive(call, labels, classes):
    np.testing.assert_array_equal(CALLS[call](labels, classes=classes), CALLS[call](Y))


@pytest.mark.parametrize("call", CALLS)
def test_classes_that_are_none_are_refused_in_every_function(call):
    with pytest.raises(ValueError, match=r"must hold 'well' and 'sick' only, but .*\[\d\] = 'ill'"):
        CALLS[call](ILL, classes=("well", "sick"))
    for wrong in (("ill",), "ill", 3, ("ill", "ill")):
        with pytest.raises(ValueError, match="classes must be the label of the first class and"):
            CALLS[call](ILL, classes=wrong)


def test_classes_without_labels_are_refused():
    with pytest.raises(ValueError, match="classes are those of y, which is not given"):
        fg.separability(X, classes=(0, 1))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [(ILL, CLASSES), (np.where(Y > 0, 0, 1), (1, 0)), (np.where(Y > 0, -1, 1), (1, -1))],
    ids=str,
)
def test_sets_of_a_run_have_its_classes_whatever_they_are(labels, classes, tmp_path):
    flips = np.arange(20) % 7 == 3
    own = np.where(flips, labels[::-1], labels)  # another set than that of training
    signs = np.where(own == classes[1], 1.0, -1.0)

    def sets(y, **how):
        return {
            "pair": (X, y),
            "data": fg.Dataset(X, y, **how),
            "attack": fg.Pgd(X, y, eps=0.4, **how),
        }

    options = {"steps": 40, "lr": 0.05, "keep_weights": True}
    expected = fg.train(X, Y, evals=sets(signs), **options)
    for how in ({}, {"classes": classes}):
        run = fg.train(X, labels, classes=classes, evals=sets(own, **how), **options)
        for name in expected.losses:
            np.testing.assert_array_equal(run.losses[name], expected.losses[name])
            np.testing.assert_array_equal(run.accuracy[name], expected.accuracy[name])
        # What is asked of the run afterwards, of its own sets and of the same given again.
        run.save(tmp_path / "run")
        again = fg.Trajectory.load(tmp_path / "run")
        for name in ("pair", "data", "attack"):
            times = expected.refine(name)
            assert run.refine(name) == times
            assert again.refine(name, X, labels, sets(own, **how)) == times
        best = fg.max_margin(X, labels, classes=run.classes)
        expected_best = fg.max_margin(X, Y)
        np.testing.assert_array_equal(best.w, expected_best.w)
        ends = [
            one.plot(limit="auto", **more).get_lines()
            for one, more in ((expected, {}), (run, {}), (run, {"evals": sets(own, **how)}))
        ]
        for lines in ends[1:]:
            for line, other in zip(lines, ends[0], strict=True):
                np.testing.assert_array_equal(line.get_xydata(), other.get_xydata())
    right = fg.accuracy(X, own, run.w, run.bias_final, classes=run.classes)
    assert right == run.accuracy["pair"][-1] == np.mean(signs * (X @ run.w + run.bias_final) > 0)


def test_labels_of_a_set_that_are_none_of_the_run():
    other = np.where(Y > 0, "a", "b")
    for value in ((X, other), fg.Dataset(X, other), fg.Pgd(X, other)):
        with pytest.raises(ValueError, match=r"evals\['t'\] y must hold 'well' and 'ill' only"):
            fg.train(X, ILL, classes=CLASSES, steps=3, lr=0.1, evals={"t": value})
        with pytest.raises(ValueError, match="must hold -1 and 1, or 0 and 1, as that of the trai"):
            fg.train(X, (Y > 0).astype(int), steps=3, lr=0.1, evals={"t": value})
    numbers = np.where(Y > 0, 1, 2)
    held = {"t": fg.Pgd(X, (Y > 0).astype(int))}
    with pytest.raises(ValueError, match=r"y must hold 2 and 1 only, but evals.* = 0 \(\d+ of 20"):
        fg.train(X, numbers, classes=(2, 1), steps=3, lr=0.1, evals=held)


def test_a_dataset_keeps_what_its_labels_are_called(tmp_path):
    made = fg.Dataset(X, ILL, classes=CLASSES)
    assert made.class_names == CLASSES
    assert fg.Dataset(X, Y).class_names == (-1, 1)
    assert fg.Dataset(X, Y > 0).class_names == (False, True)
    made.save(tmp_path / "set")
    again = fg.Dataset.load(tmp_path / "set")
    assert again.class_names == CLASSES
    noisy = fg.datasets.flip_labels(again, 0.5, seed=1)
    assert noisy.class_names == CLASSES
    signs = np.where(np.isin(np.arange(20), noisy.flipped), -Y, Y)
    np.testing.assert_array_equal(noisy.y, signs)
    turned = fg.Dataset(X, -Y, classes=(1, -1))
    np.testing.assert_array_equal(dataclasses.replace(turned, gamma=0.5).y, Y)
    assert dataclasses.replace(turned, gamma=0.5).class_names == (1, -1)
    fg.Dataset(X, Y).save(tmp_path / "plain")
    assert b"class_names" not in (tmp_path / "plain").read_bytes()
    one = fg.Dataset(X[:2], ["ill", "ill"], classes=CLASSES)
    np.testing.assert_array_equal(one.y, [1.0, 1.0])


def test_one_class_alone_of_two_that_are_named():
    one = Y > 0
    assert fg.accuracy(X[one], ILL[one], W, B, classes=CLASSES) == np.mean(X[one] @ W + B > 0)
    with pytest.raises(ValueError, match="got 1: 'ill': name both by classes="):
        fg.accuracy(X[one], ILL[one], W, B)


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        ([0, 1, 2, 1] * 5, ValueError, r"y must hold the labels of two classes, got 3: 0, 1, 2$"),
        ([*range(20)], ValueError, r"got 20: 0, 1, 2, 3, 4, \.\.\.$"),
        ([1, 2] * 10, ValueError, r"say classes=\(1, 2\), of which the second is \+1$"),
        ([0, 1, 1, np.nan] * 5, ValueError, r"y lacks 5 of its 20 labels, the first y\[3\] = nan"),
        ([b"a", b"b"] * 10, ValueError, r"\(20 of 20 are no strings\): decode them first"),
        (["a", 1] * 10, ValueError, r"\(10 of 20 are no strings\): make all of them strings$"),
        (["a", "b", "a", None] * 5, ValueError, r"\(5 of 20 are no strings\): drop or fill them$"),
        (["a", pd.NaT] * 10, ValueError, r"\(10 of 20 are no strings\): drop or fill them$"),
    ],
    ids=str,
)
def test_labels_that_are_none_are_told_apart(labels, error, words):
    with pytest.raises(error, match=words):
        fg.margins(X, labels, W)
