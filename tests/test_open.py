"""The figures of what both papers leave open, shrunk: what is trained, read off and judged."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import fastgrok as fg
from fastgrok.papers import Outcome, Settings
from fastgrok.papers import open as questions
from fastgrok.papers.open import (
    Case,
    Circle,
    Cube,
    Edge,
    Grid,
    Run,
    Teacher,
    Trainer,
    _adam,
    _decay,
    _kernel,
    _losses,
    _momentum,
    _noise,
    _reporting,
    _training,
)

STEPS = np.array([0.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0])
TINY = {
    "decay": {"n": 40, "classes": 100, "decays": (0.0, 1e-6, 1e-2)},
    "momentum": {"n": 40, "classes": 100, "betas": (0.0, 0.9), "steps": 1e6},
    "adam": {"n": 12, "dim": 6, "epsilons": (1e-4, 1e-8), "steps": 3e4},
    "noise": {"n": 40, "classes": 100, "shares": (0.0, 0.1), "steps": 1e6},
    "losses": {"n": 40, "ratios": (0.2, 0.45, 0.8), "steps": 3e3},
    "kernel": {"n": 60, "gaps": (0.1, 0.01, 0.005, 0.002), "steps": 1e6},
}


@pytest.fixture(scope="module")
def trainer():
    return Trainer(threads=2)


def made(case, test, train=(0.0, 0.9, 1.0, 1.0, 1.0, 1.0), stopped=""):
    """Make a run of accuracies made up."""
    accuracy = {"test": np.array(test), "train": np.array(train), "far": np.array(train)}
    engine = SimpleNamespace(leaps=())
    trajectory = SimpleNamespace(
        steps=STEPS, accuracy=accuracy, engine=engine, loss=STEPS, norm_w=STEPS, b=STEPS
    )
    return Run(case, trajectory, stopped)


def rising(step, low=0.5):
    """Accuracies that are 1 from a step on, and `low` before."""
    return np.where(step <= STEPS, 1.0, low)


def outcomes(verdicts, *words):
    """The outcomes of the verdicts whose claims have the words, in their order."""
    return [next(v.outcome for v in verdicts if word in v.claim) for word in words]


def test_runs_are_those_of_train(trainer):
    draw = Edge(60, 0.4, 3, noise=0.1)
    case = Case(
        draw, 0.01, 500, optimizer="momentum", options=(("momentum", 0.5),), weight_decay=0.1,
        decay_bias=True,
    )  # fmt: skip
    (run,) = Trainer(engine="exact")([case])
    data = fg.datasets.gaussian_noise(60, 24, sigma=5.0, seed=3)
    data = fg.datasets.flip_labels(data, 0.1, seed=3)
    assert data.flipped.size > 0
    expected = fg.train(
        data.X, data.y, steps=500, lr=0.01, optimizer="momentum", weight_decay=0.1,
        optimizer_options={"momentum": 0.5}, decay_bias=True, record=fg.log_spaced(500, 20),
        evals={"p": fg.theory.edge.GaussianNoise(5.0)},
    )  # fmt: skip
    np.testing.assert_array_equal(run.trajectory.norm_w, expected.norm_w)
    np.testing.assert_array_equal(run.accuracy(), expected.accuracy["p"])
    (leaped,) = trainer([replace(case, steps=1e5)])
    exact = fg.train(
        data.X, data.y, steps=10**5, lr=0.01, optimizer="momentum", weight_decay=0.1,
        optimizer_options={"momentum": 0.5}, decay_bias=True, engine="exact",
    )  # fmt: skip
    assert leaped.trajectory.norm_w[-1] == pytest.approx(exact.norm_w[-1], rel=1e-5)
    assert trainer([replace(case, steps=1e5)])[0] is leaped


def test_the_population_is_that_of_points_drawn_anew(trainer):
    case = Case(Edge(60, 0.4, 0), 0.005, 200, loss="squared_hinge", exact=True)
    (run,) = trainer([case])
    rng = np.random.default_rng(0)
    w, b = run.trajectory.w, run.trajectory.b[-1]
    right = 5.0 * rng.standard_normal((200_000, 24)) @ w + b < 0.0
    assert run.accuracy()[-1] == pytest.approx(right.mean(), abs=5e-3)


def test_runs_that_end_early_decide_nothing(monkeypatch):
    monkeypatch.setattr(_training, "_EXACT_WORK", 1.0)
    (run,) = Trainer(engine="exact")([Case(Edge(40, 0.4, 0), 0.01, 1e12)])
    assert run.steps[-1] == 1000.0
    assert "no more than 1000 exact steps" in run.stopped
    assert np.isnan(run.time(2.0))
    assert np.isnan(run.last())


def test_draws():
    X, y, tests = Circle(0.1, 0, n=40, pairs=4, tests=30).sample()
    assert len(X) == len(y) == 48
    kernel = X @ X.T  # exp(-|a - b|^2 / 4): 1 on the diagonal, and less than it off it
    np.testing.assert_allclose(np.diag(kernel), 1.0)
    # The two points of a pair are 0.2 apart.
    np.testing.assert_allclose(np.diag(kernel[40::2, 41::2]), np.exp(-0.25 * 0.2**2))
    assert set(tests) == {"test", "far"}
    X, y, tests = Teacher(50, 4, 1).sample()
    assert fg.separability(y[:, None] * X).separable
    assert len(tests["test"][0]) == 2000
    assert Cube(100, (5, 5), 2, noise=1.0).sample()[1].tolist() == (
        (-Cube(100, (5, 5), 2).sample()[1]).tolist()
    )


@pytest.mark.parametrize("name", list(TINY))
def test_figures_at_a_size_that_takes_no_time(name, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(questions.SIZES, "quick", questions.Size(2, TINY))
    item = questions.PAPER.find("figure", name)
    output = item.make(Settings(scale="quick", threads=2, progress=False), tmp_path)
    assert {path.name for path in output.files} >= {
        f"{name}{suffix}"
        for suffix in (".png", ".svg", ".npz", ".md", "-times.csv", "-records.csv")
    }
    assert all(path.stat().st_size > 0 for path in output.files)
    with (tmp_path / f"{name}-times.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["draw"] for row in rows} == {"0", "1"}
    report = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    for verdict in output.verdicts:
        assert verdict.claim in report


@pytest.mark.parametrize("name", ["decay", "momentum", "noise", "losses", "kernel"])
def test_figures_of_runs_that_ended_early(name, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(_training, "_EXACT_WORK", 1.0)
    monkeypatch.setitem(questions.SIZES, "quick", questions.Size(2, TINY))
    settings = Settings(scale="quick", engine="exact", threads=2, progress=False)
    output = questions.PAPER.find("figure", name).make(settings, tmp_path)
    assert Outcome.SHORT in {verdict.outcome for verdict in output.verdicts}
    assert "because: no more than 1000 exact steps" in (tmp_path / f"{name}.md").read_text()


def test_no_cells():
    with pytest.raises(ValueError, match="at least one"):
        questions.decay(Trainer(), seeds=[])


def test_what_ended_early_is_undecided():
    assert _reporting.judge_values("it", [1.0, np.nan], bool, "n").outcome is Outcome.SHORT
    assert _reporting.judge_values("it", [1.0, 0.0], bool, "n").outcome is Outcome.OPEN
    assert _reporting.judge_values("it", [], bool, "n") is None
    assert _reporting.verdict("It holds", [None], "so").outcome is Outcome.SHORT


def decayed(times, alone):
    """Runs with decays and grokking times made up."""
    draw = Edge(40, 0.48, 0)
    runs = {("edge", 0.0): (made(Case(draw, 0.01, 1e5), rising(alone)),)}
    for value, time in times.items():
        runs["edge", value] = (made(Case(draw, 0.01, 1e5, weight_decay=value), rising(time)),)
    return Grid(runs)


def test_judges_of_decay():
    words = "makes it at", "inversely", "far below", "spoils", "draws generalise"
    # By itself never; with decay at 1/(lr weight_decay).
    own = decayed({0.01: 1e4, 0.1: 1e3, 1.0: 1e2}, np.inf)
    made_of = _decay.judge_decay(own)
    assert outcomes(made_of, *words) == [
        Outcome.AGREES, Outcome.AGREES, Outcome.SHORT, Outcome.SHORT, Outcome.AGREES
    ]  # fmt: skip
    same = decayed({1.0: 1e2, 0.1: 1e2, 0.01: 1e2}, np.inf)
    assert outcomes(_decay.judge_decay(same), "inversely") == [Outcome.DIFFERS]
    # Early by itself, and not with decay.
    never = _decay.judge_decay(decayed({1e-4: np.inf, 1e-3: np.inf}, 1e3))
    assert outcomes(never, "far below", "spoils") == [Outcome.DIFFERS, Outcome.DIFFERS]
    kept = _decay.judge_decay(decayed({1e-4: 1e3, 1e-3: 1e3}, 1e3))
    assert outcomes(kept, "far below", "spoils") == [Outcome.AGREES, Outcome.AGREES]
    late = _decay.judge_decay(decayed({1.0: np.inf}, np.inf))
    assert outcomes(late, "makes it at", "draws generalise") == [Outcome.DIFFERS] * 2


def test_judges_of_momentum():
    draw = Edge(40, 0.45, 0)
    fast, slow = (0.0, 0.5, 1.0, 1.0, 1.0, 1.0), (0.0, 0.5, 0.5, 1.0, 1.0, 1.0)
    name = "edge, 0.45, lr 0.01, momentum"

    def judged(time, fitting):
        case = Case(draw, 0.01, 1e5)
        moved = replace(case, optimizer="momentum", options=(("momentum", 0.9),))
        runs = {
            (name, 0.0): (made(case, rising(1e4), slow),),
            (name, 0.9): (made(moved, rising(time), fitting),),
        }
        return outcomes(
            _momentum.judge_momentum(Grid(runs)), "grokking time", "fit the", "What generalises"
        )

    assert judged(1e3, fast) == [Outcome.AGREES] * 3
    assert judged(1e4, slow) == [Outcome.DIFFERS, Outcome.DIFFERS, Outcome.AGREES]
    assert judged(np.inf, fast) == [Outcome.DIFFERS, Outcome.AGREES, Outcome.DIFFERS]


def test_gradients_and_cosines_of_adam(trainer):
    grid = questions.adam(trainer, n=12, dim=6, seeds=[0], epsilons=[1e-3], steps=3e4)
    (run,) = grid.runs["adam", "eps 1e-3"]
    X, y, _ = run.data.sample()
    w = run.trajectory.weights[-1, :6]
    step = 1e-6 * np.eye(6)

    def loss(weights):
        return np.logaddexp(0.0, -y * (X @ weights)).mean()

    slopes = [(loss(w + e) - loss(w - e)) / 2e-6 for e in step]
    assert _adam.gradients(run)[-1] == pytest.approx(np.abs(slopes).max(), rel=1e-3)
    at = int(np.searchsorted(run.steps, _adam.below_eps(run)))
    assert _adam.gradients(run)[at:].max() < 1e-3 <= _adam.gradients(run)[at - 1]
    limit = fg.max_margin(X, y, bias="none", norm="linf").w
    cosine = w @ limit / np.linalg.norm(w) / np.linalg.norm(limit)
    assert _adam.cosines(run, "linf")[-1] == pytest.approx(cosine)


@pytest.mark.parametrize(
    ("linf", "l2", "expected"),
    [
        ([0.5, 0.9, 1.0], [0.5, 0.8, 0.9], [Outcome.AGREES, Outcome.AGREES, Outcome.DIFFERS]),
        ([0.5, 0.95, 0.9], [0.5, 0.9, 1.0], [Outcome.DIFFERS, Outcome.DIFFERS, Outcome.AGREES]),
    ],
)
def test_judges_of_adam(linf, l2, expected, monkeypatch):
    found = {"linf": np.array(linf), "l2": np.array(l2)}
    monkeypatch.setattr(_adam, "cosines", lambda run, norm: found[norm])
    monkeypatch.setattr(_adam, "gradients", lambda run: np.array([1.0, 1e-9, 1e-12]))
    case = Case(Teacher(5, 2, 0), 0.01, 100, optimizer="adam", options=(("eps", 1e-8),))
    run = Run(case, SimpleNamespace(steps=STEPS[:3]))
    verdicts = _adam.judge_adam(Grid({("adam", "eps 1e-8"): (run,)}))
    assert outcomes(verdicts, "reaches", "At the end", "Once") == expected


def test_judges_of_noise():
    def judged(test):
        run = made(Case(Edge(40, 0.3, 0, 0.1), 0.01, 1e5), test)
        verdicts = _noise.judge_noise(Grid({("edge", 0.1): (run,)}))
        return outcomes(verdicts, "generalises", "late", "lost")

    assert judged([0.0, 0.5, 0.5, 0.6, 1.0, 1.0]) == [Outcome.AGREES] * 3
    assert judged([0.0, 0.5, 0.9, 0.95, 0.9, 0.7]) == [Outcome.DIFFERS] * 3


def test_edge_of_accuracies():
    assert _losses.edge([0.4, 0.5, 0.6], [1.0, 0.9, 0.7]) == pytest.approx(0.45)
    assert _losses.edge([0.4, 0.5, 0.6], [1.0, 1.0, 1.0]) == 0.6
    assert _losses.edge([0.4, 0.5, 0.6], [0.9, 1.0, 1.0]) == 0.4
    assert np.isnan(_losses.edge([0.4, 0.5], [1.0, np.nan]))


def test_judges_of_losses():
    def judged(other, delayed, moving=False):
        runs = {}
        for name, values in {"logistic": (1.0, 1.0, 0.5), "hinge": other}.items():
            for ratio, last in zip((0.3, 0.45, 0.6), values, strict=True):
                test = [0.0, 0.4, 0.4, 0.4 if delayed else last, last, last]
                if moving:
                    test[-2] -= 0.2
                runs[name, ratio] = (made(Case(Edge(40, ratio, 0), 0.01, 1e5), test),)
        verdicts = _losses.judge_losses(Grid(runs))
        words = "edge is within", "edge of a draw", "those of the logistic", "delayed"
        return outcomes(verdicts, *words)

    assert judged((1.0, 1.0, 0.5), delayed=True) == [Outcome.AGREES] * 4
    assert judged((1.0, 0.6, 0.5), delayed=True)[:3] == [
        Outcome.OPEN, Outcome.DIFFERS, Outcome.DIFFERS
    ]  # fmt: skip
    assert judged((1.0, 1.0, 0.5), delayed=True, moving=True)[0] is Outcome.SHORT
    early = [0.0, 0.99, 0.99, 1.0, 1.0, 1.0]
    runs = {("hinge", 0.4): (made(Case(Edge(40, 0.4, 0), 0.01, 1e5), early),)}
    assert outcomes(_losses.judge_losses(Grid(runs)), "delayed") == [Outcome.DIFFERS]


def test_judges_of_the_kernel():
    def judged(times, limit, far=10.0):
        runs = {}
        for gap, time in times.items():
            run = made(Case(Circle(gap, 0), 1.0, 1e5), rising(time), rising(10.0, 0.9))
            run.trajectory.accuracy["far"] = rising(far, 0.9)
            runs["disc and ring", gap] = (run,)
        verdicts = _kernel.judge_kernel(Grid(runs), dict.fromkeys(((g, 0) for g in times), limit))
        return outcomes(verdicts, "near the circle are", "far from it", "inversely", "maximum")

    inverse = {1e-2: 1e2, 1e-3: 1e3, 1e-4: 1e4}
    assert judged(inverse, 1.0) == [Outcome.OPEN, *[Outcome.AGREES] * 3]
    same = dict.fromkeys(inverse, 10.0)
    assert judged(same, 0.5, far=1e3) == [Outcome.DIFFERS] * 4
