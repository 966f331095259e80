"""The reproduction of Beck et al. (2025) where runs ended early, or some parts of a claim fail."""

import itertools
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastgrok.cli import main
from fastgrok.papers import Outcome, Verdict, _separable_fraction
from fastgrok.papers import beck2025 as beck
from fastgrok.papers.beck2025 import _figure9, _setting, _training

TINY = beck.Size(40, 2, 40, 2, (0.2, 0.3, 0.7))
# What is decided by the points alone, by the few steps of Adam, and by step 100.
DECIDED = ("With Adam", "Wendel", "norm of S_infinity", "At every fixed horizon")
EARLY = "no more than 4000 exact steps are taken"


def made_run(ratio: float, last: float, *, seed: int = 0, grows: bool = False) -> beck.Run:
    """Make a run to 1e60 steps, or stopped before, that is right from step 1e9 on below 1/2."""
    case = beck.Case(beck.Noise(100, round(100 * ratio), 5.0, seed), 0.01, 1e60)
    steps = np.concatenate([[0.0], np.logspace(0, 60, 61)])
    right = np.where((steps >= 1e9) & (ratio < 0.5), 1.0, 0.5)
    b = -np.log1p(steps)
    run = beck.Run(
        case, steps, b, -b if grows else np.ones(62), np.exp(b), (steps > 10.0) * 1.0,
        np.exp(b), right, "made up", 0.0, verdict="interior" if ratio < 0.5 else "separable",
        margin=0.0 if ratio < 0.5 else 1.0,
    )  # fmt: skip
    kept = steps <= last
    names = ("steps", "b", "norm_w", "loss", "accuracy", "test_loss", "test_accuracy")
    cut = {name: getattr(run, name)[kept] for name in names}
    return replace(run, **cut, stopped=EARLY if last < 1e60 else "")


def outcome(verdicts: list[Verdict], words: str) -> Outcome:
    (found,) = (verdict for verdict in verdicts if words in verdict.claim)
    return found.outcome


def test_runs_that_ended_early_show_nothing_of_what_comes_later() -> None:
    whole = [made_run(0.4, 1e60), made_run(0.6, 1e60, grows=True)]
    verdicts = beck.judge_figure1(whole, whole)
    assert outcome(verdicts, "never above") is Outcome.AGREES
    assert outcome(verdicts, "if and only if") is Outcome.AGREES
    for cut in ([made_run(0.4, 4e3), whole[1]], [whole[0], made_run(0.6, 4e3, grows=True)]):
        verdicts = beck.judge_figure1(cut, cut)
        assert outcome(verdicts, "never above") is Outcome.SHORT
        assert outcome(verdicts, "if and only if") is Outcome.SHORT
    assert outcome(verdicts, "limit of the accuracy") is Outcome.SHORT
    # One part that differs settles it, whatever the rest would have shown.
    verdicts = beck.judge_figure1([], [made_run(0.4, 1e60), made_run(0.6, 1e60)])
    assert outcome(verdicts, "if and only if") is Outcome.DIFFERS
    mixed = [whole[0], whole[1], made_run(0.6, 1e60, seed=1)]
    assert outcome(beck.judge_figure1([], mixed), "if and only if") is Outcome.OPEN


def test_the_last_decades_do_not_reach_back_to_the_start() -> None:
    runs = []
    for run in (made_run(0.4, 1e9), made_run(0.6, 1e9, grows=True)):
        # As long as they were asked to be, and too short all the same.
        runs.append(replace(run, case=replace(run.case, steps=1e9), stopped=""))
    assert outcome(beck.judge_figure1([], runs), "if and only if") is Outcome.SHORT


def test_grokking_times_of_runs_that_ended_early() -> None:
    runs = [made_run(ratio, 1e60) for ratio in (0.2, 0.3, 0.4)]
    assert outcome(beck.judge_figure1([], runs), "grokking time") is Outcome.DIFFERS
    runs[1] = made_run(0.3, 4e3)
    assert outcome(beck.judge_figure1([], runs), "grokking time") is Outcome.SHORT


def test_horizons_that_runs_did_not_reach() -> None:
    whole = [made_run(ratio, 1e60) for ratio in (0.2, 0.5, 0.8)]
    (verdict,) = beck.judge_double_descent(whole)
    assert verdict.outcome is Outcome.DIFFERS
    # A loss that peaks at 1/2 at every step, in runs of which one saw two horizons only.
    peak = [
        replace(run, test_loss=run.test_loss * f) for run, f in zip(whole, (1, 2, 1), strict=True)
    ]
    (verdict,) = beck.judge_double_descent(peak)
    assert verdict.outcome is Outcome.AGREES
    short = made_run(0.8, 1e4)
    (verdict,) = beck.judge_double_descent([*peak[:2], short])
    assert [f.outcome for f in verdict.findings] == [Outcome.AGREES] * 2 + [Outcome.SHORT] * 2
    assert verdict.outcome is Outcome.SHORT
    assert "1 of 3 runs ended early, at step 1e4" in verdict.text()
    assert np.isnan(short.at(1e6, "test_loss"))


def test_wendel_differs_in_one_dimension() -> None:
    runs = [made_run(ratio, 1e60, seed=s) for ratio in (0.2, 0.3, 0.7) for s in range(3)]
    assert outcome(beck.judge_figure1([], runs), "Wendel") is Outcome.AGREES
    runs[0] = replace(runs[0], verdict="separable")
    assert outcome(beck.judge_figure1([], runs), "Wendel") is Outcome.DIFFERS


def test_times_of_the_two_point_model_that_were_not_reached() -> None:
    data = beck.figure9(beck.Trainer(), distances=(1e-2, 0.03, 0.1), readings=((1.0, 1e-6),))
    first = replace(data.times[0].run, stopped=EARLY)
    cut = _figure9.Figure9((replace(data.times[0], run=first), *data.times[1:]))
    assert [v.outcome for v in beck.judge_figure9(cut)] == [Outcome.SHORT, Outcome.SHORT]
    assert beck.judge_figure9(data)[1].outcome is Outcome.AGREES


def test_everything_is_made_without_leaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(_setting.SIZES, "quick", TINY)
    monkeypatch.setattr(_training, "_EXACT_WORK", 1.0)  # a thousand steps
    monkeypatch.setitem(_separable_fraction._DRAWS, "quick", 3)
    command = "reproduce beck2025 --quick --engine exact --threads 2 --out"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main([*command.split(), str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    judged = {a: b for a, b in itertools.pairwise(lines) if b.startswith("  => ")}
    assert len(judged) > 15
    for claim, verdict in judged.items():
        decided = any(words in claim for words in DECIDED)
        assert decided or verdict.startswith("  => CANNOT BE DECIDED FROM THIS RUN"), claim
    report = (tmp_path / "figure8.md").read_text(encoding="utf-8")
    assert "ended early, at step 1000" in report
    for path in tmp_path.glob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].size for name in arrays.files)
