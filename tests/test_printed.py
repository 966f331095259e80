"""
How things are printed, held against stored text: ``printed/*.txt``.

What differs from call to call or from machine to machine is masked before, and nothing else: the
seconds that a run took and the name of the instruction set. The number of threads is asked for.
"""

import re

import numpy as np
import pytest

import fastgrok as fg
from fastgrok.theory.bias import Slab
from fastgrok.theory.edge import GaussianNoise
from files import make
from runs import StopAtStep, polling_always, train_quietly

RECTANGLE = np.array([[1.0, 2.0], [3.0, 0.5], [-1.0, -1.0], [-2.0, 0.0]])
LABELS = np.array([1.0, 1.0, -1.0, -1.0])


ENGINE = re.compile(r"(v2|v3|v4|neon), (\d+ threads?), \d[\d.e+-]* s$", re.MULTILINE)


def masked(text):
    """The text, with "#" for the seconds and "simd" for the instruction set of an engine."""
    return ENGINE.sub(r"simd, \2, # s", text)


def test_the_mask_covers_seconds_and_instruction_set_alone():
    text = "exact, 3 steps one by one, v3, 2 threads, 1.25e-05 s\n  3 s, v3, 0.1 s"
    assert masked(text) == "exact, 3 steps one by one, simd, 2 threads, # s\n  3 s, v3, 0.1 s"


# ------------------------------------------------------------------------------- runs of all kinds


def exact():
    return fg.train(*make.points(20, 3, skip=0), steps=100, lr=0.125, threads=1)


def leaped_again_with_populations():
    """Rows far from the start become active all of a sudden: the first leap ends there."""
    rng = np.random.default_rng(14)
    X = rng.normal(size=(20, 3))
    y = np.where(X[:, 0] + rng.normal(size=20) > 0.3, 1.0, -1.0)
    evals = {"slab": Slab(0.01), "points": (X[:7], y[:7]), "noise": GaussianNoise(1.0)}
    w0 = 3.0 * rng.normal(size=3)
    run = fg.train(X, y, steps=60_000, lr=0.02, w0=w0, b0=3.0, evals=evals, threads=1)
    assert len(run.engine.leaps) > 1
    return run


def diverged():
    with pytest.raises(fg.DivergenceError) as caught:
        train_quietly(make.X, make.Y, steps=10**6, lr=64.0, loss="exponential", threads=1)
    return caught.value.trajectory


def interrupted():
    with polling_always(), pytest.raises(fg.Interrupted) as caught:
        fg.train(
            make.X, make.Y, steps=10**5, lr=0.5, engine="exact", threads=1, record=100,
            evals={"test": make.TEST}, progress=StopAtStep(1234),
        )  # fmt: skip
    return caught.value.trajectory


def adam_with_evaluation_sets():
    evals = {"test": make.TEST, "attacked": fg.Pgd(*make.TEST, eps=0.25), "noise": GaussianNoise(1)}
    return fg.train(
        make.X, make.Y, steps=2000, lr=0.01, optimizer="adam", reduction="sum", bias=False,
        evals=evals, threads=1,
    )  # fmt: skip


def back_and_forth():
    """Every fifth label is wrong, and a step too long for the curvature: an orbit of period 2."""
    y = make.Y.copy()
    y[::5] *= -1.0
    return train_quietly(make.X, y, steps=3000, lr=8.0, engine="exact", threads=1)


def momentum_with_decay():
    """Leaped to where nothing moves any more."""
    return fg.train(
        make.X, make.Y, steps=1e9, lr=0.125, optimizer="momentum", weight_decay=1e-3,
        record=[5000, 10**9], decay_bias=True, threads=1,
    )  # fmt: skip


def decay_on_the_way():
    """A bias without decay goes on growing after the steps that there are."""
    return fg.train(
        make.X + 4.0, make.Y, steps=1e6, lr=0.02, weight_decay=1e-6, record=[10**6], threads=1
    )


def adamw_with_a_schedule():
    return fg.train(
        make.X, make.Y, steps=300, lr=0.01, optimizer="adamw", weight_decay=0.25,
        schedule=fg.schedules.cosine(300), threads=1,
    )  # fmt: skip


def loaded():
    return fg.Trajectory.load(make.HERE / "leaped.npz")


RUNS = (
    exact, leaped_again_with_populations, diverged, interrupted, adam_with_evaluation_sets,
    back_and_forth, momentum_with_decay, decay_on_the_way, adamw_with_a_schedule, loaded,
)  # fmt: skip


@pytest.mark.parametrize("make_run", RUNS, ids=lambda one: one.__name__)
def test_a_run(printed, make_run):
    run = make_run()
    assert str(run) == repr(run)
    text = repr(run)
    printed(make_run.__name__, text if make_run is loaded else masked(text))


# ------------------------------------------------------------------------- reports and other things


def both(*things):
    """The text of each, and below it how it is represented, where that is something else."""
    texts = [text for one in things for text in dict.fromkeys([str(one), repr(one)])]
    return "\n\n".join(texts)


def test_reports(printed):
    run = loaded()
    printed("reports", both(run.engine, *run.engine.leaps))


def test_answers(printed):
    run = loaded()
    printed(
        "answers",
        both(
            run.grokking("test"),
            run.grokking("slab"),
            run.grokking("slab", eps=0.25),
            run.grokking("noise"),
            run.first_hit("test", accuracy=0.95),
            run.first_hit("train", accuracy=0.9, sustained=True),
            run.first_hit("attacked", accuracy=1),
            run.phases([17, 26, 27], make.X, make.Y, test="test"),
            run.phases([0], make.X, make.Y, test="attacked"),
        ),
    )


def shortened(text):
    """Six digits of what is computed to rounding, and "#" for a gap that is rounding alone."""

    def gap(found):
        return "gap=#" if float(found[1]) < 1e-12 else found[0]

    text = re.sub(r"gap=([\d.e-]+)", gap, text)
    return re.sub(r"\d+\.\d{7,}", lambda number: f"{float(number[0]):.6g}", text)


def test_geometry(printed):
    text = both(
        fg.max_margin(RECTANGLE, LABELS),
        fg.max_margin(RECTANGLE, LABELS, bias="none"),
        fg.separability(RECTANGLE, LABELS),
        fg.separability(RECTANGLE, LABELS, bias=False),
        fg.separability(RECTANGLE[[0, 0]], LABELS[1:3]),
    )
    printed("geometry", shortened(text))


def test_data_and_attacks(printed):
    box = {"norm": 1, "bounds": "data", "method": "exact"}
    printed(
        "data_and_attacks",
        both(
            make.dataset(),
            fg.Dataset(RECTANGLE, LABELS),
            fg.pgd(RECTANGLE, LABELS, [1.0, -0.5], 0.25, eps=0.5),
            fg.Pgd(RECTANGLE, LABELS, eps=0.5),
            fg.Pgd(RECTANGLE, LABELS, eps=[[0.5], [0.25], [0.0], [1.0]], **box),
        ),
    )


# --------------------------------------------------------------------------------- one, and several


@pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")
def test_what_there_is_one_of_is_in_the_singular():
    run = fg.train([[1.0]], [1], steps=1, lr=0.1, record=[1], threads=1)
    first, engine = masked(str(run)).splitlines()[:2]
    assert first.endswith("lr 0.1, 1 step, 1 record")
    assert engine.endswith("exact, 1 step one by one, simd, 1 thread, # s")
    assert "Pgd(1 row, 1 column: exact" in repr(fg.Pgd([[1.0]], [1]))
    alone = {"X": make.X, "y": make.Y, "steps": 10**6, "lr": 64.0, "loss": "exponential"}
    with pytest.raises(fg.DivergenceError, match=r"\.trajectories holds this run$"):
        fg.train_many([alone])
    with pytest.raises(fg.DivergenceError, match=r"holds all 2 runs, of which 1 came to its end$"):
        fg.train_many([alone, alone | {"lr": 0.01, "steps": 10}])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fg.accuracy([[np.nan]], [1], [1]), "1 of its 1 value is NaN or infinite"),
        (lambda: fg.accuracy([[np.nan, 1]], [1], [1, 1]), "1 of its 2 values is NaN or infinite"),
        (lambda: fg.accuracy([[np.nan] * 3], [1], [1] * 3), "3 of its 3 values are NaN"),
        (lambda: fg.accuracy([[1.0]], [1, 1], [1]), "1 row, 2 labels"),
        (lambda: fg.accuracy([[1.0], [2.0]], [1], [1]), "2 rows, 1 label$"),
        (lambda: fg.pgd([[1.0]], [1], [1], bounds=(1,)), "got 1 value$"),
        (
            lambda: fg.datasets.margin_cube((2, 1), support=(3, 0)),
            "3 support vectors are more than the 2 points",
        ),
        (
            lambda: fg.datasets.margin_cube((0, 1), support=(1, 0)),
            "1 support vector is more than the 0 points",
        ),
    ],
)
def test_messages_count_in_singular_and_plural(call, message):
    with pytest.raises(ValueError, match=message):
        call()
