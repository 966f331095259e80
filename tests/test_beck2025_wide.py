"""Figure 1 of Beck et al. (2025) at the paper's size, shrunk: sweep, proofs, large sets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

import fastgrok as fg
from fastgrok.papers import Outcome
from fastgrok.papers import beck2025 as beck
from fastgrok.papers.beck2025 import _setting, _training, _wide
from fastgrok.theory import edge

RATIOS = (0.2, 0.3, 0.4, 0.54, 0.7)
SIZES = ((60, 3), (200, 1))


@pytest.fixture(scope="module")
def runs() -> tuple[beck.Run, ...]:
    return _wide.wide_sweeps(beck.Trainer(threads=1), SIZES, ratios=RATIOS)


def test_runs_go_as_far_as_they_are_shown_or_separate(runs: tuple[beck.Run, ...]) -> None:
    assert [(n, len(those)) for n, those in _wide.by_size(runs).items()] == [(60, 15), (200, 5)]
    for run in runs:
        near = 0.5 < run.data.ratio < 0.6
        assert run.steps[-1] == (_setting.LONGER_STEPS if near else _setting.WIDE_STEPS)
        assert _setting.WIDE_STEPS in run.steps
        assert run.verdict == fg.separability(run.data.points()[0]).verdict
    assert any("last weights" in run.proof for run in runs)


def test_weights_prove_only_what_rounding_cannot_turn() -> None:
    X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]])
    inwards = -np.array([1.0, 0.5])
    verdict, proof = _training.decided(X, inwards)
    assert verdict == "separable"
    assert "last weights" in proof
    # Every product is positive: the wrong side, so that the points themselves are looked at.
    verdict, proof = _training.decided(X, -inwards)
    assert verdict == "separable"
    assert "last weights" not in proof
    # A margin that a sum of 1000 products may have by rounding alone shows nothing.
    thin = np.zeros((4, 1000))
    thin[:, 0] = [1e-14, 1e-14, 1.0, 1.0]
    thin[:, 1:] = np.random.default_rng(0).normal(size=(4, 999))
    assert "last weights" not in _training.decided(thin, -np.eye(1000)[0])[1]


def test_what_takes_too_long_is_not_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_training, "_PROOF_WORK", 10.0)
    X = fg.datasets.gaussian_noise(60, 20, sigma=5.0).X
    verdict, why = _training.decided(X, np.zeros(20), threads=2)
    assert verdict == "undecided"
    assert "2e+02 hours" in why  # 60 * 20^2 is 1200 times ten minutes on two threads
    (run,) = _wide.wide_sweeps(beck.Trainer(threads=1), [(60, 1)], ratios=(0.3,))
    assert run.verdict == "undecided"
    assert "a proof would take" in _wide.wide_table([run])
    assert ", 1 undecided |" in _wide.wide_table([run])
    (finding,) = _wide.judge_wide([run])[0].findings
    assert finding.outcome is Outcome.SHORT
    assert finding.reason == "1 draw without a proof"


def test_verdicts(runs: tuple[beck.Run, ...]) -> None:
    wendel, limit, times = _wide.judge_wide(runs)
    assert wendel.outcome is Outcome.AGREES
    assert [finding.reading for finding in wendel.findings] == ["N = 60", "N = 200"]
    other = {"interior": "separable", "separable": "interior"}
    wrong = [replace(run, verdict=other[run.verdict]) for run in runs]
    assert _wide.judge_wide(wrong)[0].outcome is Outcome.DIFFERS
    # Not even the draws that nobody decided can make up for it.
    half = [replace(run, verdict="undecided") if run.data.n == 60 else run for run in wrong]
    assert _wide.judge_wide(half)[0].outcome is Outcome.DIFFERS
    assert limit.outcome is Outcome.DIFFERS  # 10^7 steps are far from the limit at 0.54
    exact = []
    for run in runs:
        margin = float(edge.large_n_margin(run.data.ratio, 5.0))
        accuracy = 1.0 if margin == 0.0 else ndtr(1.0 / (5.0 * margin))
        exact.append(replace(run, test_accuracy=np.full(run.steps.size, accuracy)))
    assert _wide.judge_wide(exact)[1].outcome is Outcome.AGREES
    assert [finding.reading for finding in times.findings] == ["N = 60", "N = 200"]


def test_rows_and_picture(runs: tuple[beck.Run, ...]) -> None:
    pytest.importorskip("matplotlib")
    for run, row in zip(runs, _wide.wide_rows(runs), strict=True):
        at = int(np.flatnonzero(run.steps == _setting.WIDE_STEPS)[0])
        assert row["accuracy"] == run.test_accuracy[at]
        assert row["norm_w"] == run.norm_w[at]
        assert row["wendel"] == edge.separable_probability(run.data.n, run.data.dim)
    accuracy, times, norm = _wide.draw_wide(runs).axes
    assert times.get_yscale() == norm.get_yscale() == "log"
    apart = [run.data.ratio for run in runs if run.data.n == 200 and run.verdict == "separable"]
    (marks,) = (x for x in accuracy.get_lines() if x.get_label() == "separable, with proof")
    assert list(marks.get_xdata()) == apart


def test_large_sets_are_trained_alone_and_by_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = _training.train, []

    def watched(*args: object, **options: object) -> fg.Trajectory:
        seen.append((len(options["X"]), options["threads"]))  # type: ignore[arg-type]
        return real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(_training, "train", watched)
    monkeypatch.setattr(_training, "LARGE", 1000)
    cases = [beck.Case(beck.Noise(n, 10, 5.0, 0), 0.01, 500.0) for n in (150, 60, 120, 50)]
    found = beck.Trainer(threads=2)(cases)
    assert sorted(seen[:2]) == [(50, 1), (60, 1)]
    assert seen[2:] == [(150, 2), (120, 2)]
    monkeypatch.setattr(_training, "LARGE", 10**8)
    for run, other in zip(found, beck.Trainer(threads=2)(cases), strict=True):
        np.testing.assert_array_equal(run.norm_w, other.norm_w)


def test_the_figure_has_it_all(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    size = beck.Size(60, 1, 60, 2, (0.2, 0.3, 0.4, 0.7), "float32", SIZES)
    data = beck.figure1(beck.Trainer(threads=1), size=size)
    assert len(data.wide) == 16
    output = beck.write_figure1(data, tmp_path)
    assert {"figure1-wide.png", "figure1-wide.csv"} <= {path.name for path in output.files}
    report = (tmp_path / "figure1.md").read_text(encoding="utf-8")
    for words in ("The sweep at the paper's size", "**Separable or not**", "| 200 | 0.7 |"):
        assert words in report
