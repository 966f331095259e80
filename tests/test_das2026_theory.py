"""Theorems 4.5 and 4.6 over trajectories, shrunk."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg
from fastgrok.papers import Outcome, das2026
from fastgrok.papers.das2026 import _theory_runs
from fastgrok.theory import bias


@pytest.fixture(scope="module")
def data() -> _theory_runs.Theory:
    return das2026.theory_runs(
        supports=((20, 20), (20, 5)), gammas=(1e-2, 4.0), alphas=(10.0,), epsilons=(0.0, 0.05),
        seeds=[0], classes=(40, 40), steps=1e10, threads=2,
    )  # fmt: skip


def test_runs_and_what_is_said_of_them(data: _theory_runs.Theory) -> None:
    assert [str(run.setup) for run in data.runs] == [
        "S(20,20), gamma = 0.01",
        "S(20,5), gamma = 0.01",
        "S(20,20), gamma = 4",
        "S(20,5), gamma = 4",
        "S(3,2), gamma = 4, iid",
    ]
    run = data.runs[1]
    points = fg.datasets.margin_cube((40, 40), gamma=1e-2, support=(20, 5), seed=0)
    exact = fg.train(points.X, points.y, steps=10**4, lr=0.01)
    at = np.searchsorted(run.steps, 1e4)
    assert run.b[at] == pytest.approx(exact.b[-1], rel=1e-6)
    # Antipodal support vectors: A_-/A_+ = s_-/s_+.
    assert run.late.b_inf == pytest.approx(0.5 * np.log(4.0))
    # Before t0 the theorem says nothing; at t0 it begins at the run's bias.
    assert np.isnan(run.stated[run.steps < run.since]).all()
    first = int(np.flatnonzero(run.steps >= run.since)[0])
    assert run.stated[first] == pytest.approx(run.b[first])
    expected = bias.bias_curve(
        run.steps[-1], run.late.a_plus, run.late.a_minus, 0.01 / 80, run.b[first], run.steps[first]
    )
    assert run.restored[-1] == pytest.approx(float(expected))


def test_times(data: _theory_runs.Theory) -> None:
    # Balanced and iid support vectors have no predicted time.
    assert {str(t.run.setup) for t in data.times} == {
        "S(20,5), gamma = 0.01",
        "S(20,5), gamma = 4",
    }
    time = next(t for t in data.times if t.run.setup.gamma == 1e-2 and t.eps == 0.0)
    # Concentrated accuracy 1 is |b| <= ||w|| gamma/2.
    apart = time.run.distance > 1.0 + 1e-9
    crossed = time.run.steps[np.flatnonzero(apart)[-1] + 1]
    assert time.measured == pytest.approx(crossed, rel=0.2)  # w is along w_true but for 1e-4
    assert time.stated == pytest.approx(2.0)
    assert time.corrected == pytest.approx(float(bias.grokking_time((20, 5), 1e-2, lr=0.01 / 80)))
    assert time.reduced == pytest.approx(time.measured, rel=0.5)


def test_verdicts(data: _theory_runs.Theory) -> None:
    verdicts = {verdict.claim: verdict for verdict in das2026.judge_theory(data)}
    stated = verdicts["Theorem 4.6 as it stands gives the grokking time"]
    corrected = verdicts["Theorem 4.6 corrected gives the grokking time"]
    name = "S(20,5), gamma = 0.01"
    assert next(f for f in stated.findings if f.reading == name).outcome is Outcome.DIFFERS
    assert next(f for f in corrected.findings if f.reading == name).outcome is Outcome.AGREES
    # The verdict follows the runs: with times as the theorem has them it agrees.
    times = tuple(replace(t, measured=t.stated) for t in data.times)
    again = das2026.judge_theory(replace(data, times=times))
    found = {verdict.claim: verdict for verdict in again}
    assert found["Theorem 4.6 as it stands gives the grokking time"].outcome is Outcome.AGREES
    assert found["Theorem 4.6 corrected gives the grokking time"].outcome is not Outcome.AGREES


def test_kept_from() -> None:
    steps = np.array([0.0, 1.0, 10.0, 100.0, 1000.0])
    accuracy = np.array([0.0, 1.0, 0.5, 1.0, 1.0])
    assert _theory_runs.kept_from(steps, accuracy, 1.0) == 100.0
    assert np.isnan(_theory_runs.kept_from(steps, np.ones(5), 1.0))
    assert np.isnan(_theory_runs.kept_from(steps, accuracy[::-1].copy(), 1.0))


def test_the_picture_has_room_for_everything(data: _theory_runs.Theory) -> None:
    """As many panels and names as at full size; matplotlib warns where they leave no room."""
    supports = ((350, 350), (350, 200), (350, 100), (350, 35), (3, 2))
    runs = tuple(
        replace(data.runs[0], setup=replace(data.runs[0].setup, gamma=gamma, support=support))
        for gamma in (0.001, 0.1, 4.0)
        for support in supports
    )
    figure = das2026.draw_theory(replace(data, runs=runs))
    figure.savefig(io.BytesIO())
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert 0.0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_files(data: _theory_runs.Theory, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    output = das2026.write_theory(data, tmp_path)
    assert {path.name for path in output.files} == {
        "theory.png",
        "theory.svg",
        "theory-records.csv",
        "theory-times.csv",
        "theory.npz",
        "theory.md",
    }
    text = (tmp_path / "theory.md").read_text(encoding="utf-8")
    assert all(verdict.claim in text for verdict in output.verdicts)


@pytest.mark.filterwarnings("ignore:the hulls of 3 . 2 independent:UserWarning")
def test_all_draws_have_the_model_of_their_setting() -> None:
    found = das2026.theory_runs(
        supports=((20, 20), (20, 5)), gammas=(1e-2,), alphas=(10.0,), epsilons=(0.0,), seeds=[0, 1],
        classes=(40, 40), steps=1e6, threads=2,
    )  # fmt: skip
    planted = [((20, 20), 0), ((20, 20), 1), ((20, 5), 0), ((20, 5), 1)]
    assert [(r.setup.support, r.setup.seed) for r in found.runs] == [
        *planted,
        ((3, 2), 0),
        ((3, 2), 1),
    ]
    for run in found.runs[:4]:
        alone = bias.reduced_model(
            run.steps, (40, 40), 1e-2, support=run.setup.support, lr=0.01, half_width=5.0
        )
        np.testing.assert_array_equal(run.reduced, alone)
        points = fg.datasets.margin_cube(
            (40, 40), gamma=1e-2, support=run.setup.support, seed=run.setup.seed
        )
        exact = fg.train(points.X, points.y, steps=1000, lr=0.01)
        at = np.searchsorted(run.steps, 1000)
        assert run.norm_w[at] == pytest.approx(exact.norm_w[-1], rel=1e-6)
