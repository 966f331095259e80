"""The reproduction of Beck et al. (2025), shrunk: what is trained, read off, judged and written."""

import csv
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

import fastgrok as fg
from fastgrok.papers import Outcome, Settings, Stopped, Verdict
from fastgrok.papers import beck2025 as beck
from fastgrok.papers._training import RunsInterrupted
from fastgrok.papers.beck2025 import _figure9, _item, _reporting, _setting, _sweep, _training
from fastgrok.papers.beck2025._delay import rise
from fastgrok.papers.beck2025._figure1_claims import _law
from fastgrok.theory import edge, two_point

TINY = beck.Size(60, 2, 60, 2, (0.2, 0.3, 0.4, 0.7))


@pytest.fixture(scope="module")
def trainer() -> beck.Trainer:
    return beck.Trainer(threads=2)


def by_claim(verdicts: list[Verdict], words: str) -> Verdict:
    found = [verdict for verdict in verdicts if words in verdict.claim]
    assert len(found) == 1
    return found[0]


def made_run(**changes: object) -> beck.Run:
    """Make a run with records made up."""
    case = beck.Case(beck.Noise(10, 4, 5.0, 0), 0.01, 1e4)
    steps = np.array([0.0, 10.0, 100.0, 1000.0, 10_000.0])
    fields: dict[str, object] = {
        "case": case,
        "steps": steps,
        "b": -np.log1p(steps),
        "norm_w": np.ones(5),
        "loss": np.array([0.7, 0.1, 0.01, 1e-3, 1e-4]),
        "accuracy": np.array([0.0, 0.9, 1.0, 1.0, 1.0]),
        "test_loss": np.array([0.7, 0.6, 0.5, 0.1, 0.01]),
        "test_accuracy": np.array([0.0, 0.5, 0.6, 0.7, 0.99]),
        "engine": "made up",
        "error": 0.0,
    }
    return beck.Run(**(fields | changes))  # type: ignore[arg-type]


def test_runs_are_those_of_train(trainer: beck.Trainer) -> None:
    draw = beck.Noise(60, 20, 5.0, 3)
    (run,) = beck.Trainer(engine="exact")([beck.Case(draw, 0.01, 500)])
    data = fg.datasets.gaussian_noise(60, 20, sigma=5.0, seed=3)
    expected = fg.train(
        data.X, data.y, steps=500, lr=0.01, record=fg.log_spaced(500, 20),
        evals={"population": edge.GaussianNoise(5.0)},
    )  # fmt: skip
    np.testing.assert_array_equal(run.norm_w, expected.norm_w)
    np.testing.assert_array_equal(run.test_accuracy, expected.accuracy["population"])
    (leaped,) = trainer([beck.Case(draw, 0.01, 1e5)])
    exact = fg.train(data.X, data.y, steps=10**5, lr=0.01)
    assert leaped.error > 0.0
    assert leaped.norm_w[-1] == pytest.approx(exact.norm_w[-1], rel=1e-5)


def test_trained_once_for_all_items() -> None:
    train = beck.Trainer()
    case = beck.Case(beck.TwoPoints(0.1, 1.0), 0.1, 1000, loss="exponential")
    first, second = train([case, case])
    assert first is second
    assert train([case])[0] is first


def test_takes_every_step_of_fewer_where_it_cannot_leap(monkeypatch: pytest.MonkeyPatch) -> None:
    real = _training.train

    def fails(*args: object, engine: str, **options: object) -> fg.Trajectory:
        if engine == "leap":
            so_far = real(*args, **(options | {"steps": 5, "record": 1}))  # type: ignore[arg-type]
            raise fg.LeapError("no leap: irregular", so_far, 5)
        return real(*args, engine=engine, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(_training, "train", fails)
    monkeypatch.setattr(_training, "_EXACT_WORK", 1.0)
    (run,) = beck.Trainer()([beck.Case(beck.TwoPoints(0.1, 1.0), 0.1, 2000.0)])
    assert run.steps[-1] == 1000.0
    assert "irregular" in run.stopped
    assert "irregular" in _reporting.computed([run])
    assert np.isnan(run.at(2000.0, "b"))


def test_times_are_interpolated_and_for_good() -> None:
    run = made_run()
    share = (0.8 - 0.7) / (0.99 - 0.7)
    expected = np.expm1(np.log1p(1000.0) + share * (np.log1p(1e4) - np.log1p(1000.0)))
    assert run.kept_from(0.8) == pytest.approx(expected)
    assert run.kept_from(0.995) == float("inf")
    dip = made_run(test_accuracy=np.array([0.0, 0.9, 0.6, 0.7, 0.99]))
    assert dip.kept_from(0.8) == pytest.approx(expected)
    assert rise(run) == (pytest.approx(0.39), 100.0)


def test_slope_and_its_error() -> None:
    x = np.linspace(0.0, 1.0, 30)
    y = 2.0 * x + 1.0 + np.random.default_rng(0).normal(size=30) * 0.1
    (slope, intercept), covariance = np.polyfit(x, y, 1, cov=True)
    expected = slope, np.sqrt(covariance[0, 0]), intercept
    assert _reporting.fitted_slope(x, y) == pytest.approx(expected)


@pytest.mark.parametrize("law", list(beck.LAWS))
def test_laws_have_mean_zero_and_variance_one(law: str) -> None:
    X, y = beck.Coordinates(law, 2000, 50, 5.0, 1).points()
    assert abs(X.mean()) < 5.0 * 5.0 / np.sqrt(X.size)
    assert X.std() == pytest.approx(5.0, rel=0.05)
    assert (y == -1.0).all()


def test_figure1(trainer: beck.Trainer) -> None:
    data = beck.figure1(trainer, size=TINY)
    assert len(data.curves) == 4
    assert len(data.sweep) == 8
    for run in data.sweep:
        X, y = run.data.points()
        assert run.verdict == fg.separability(X).verdict
        if run.verdict == "separable":
            assert run.margin == pytest.approx(fg.max_margin(X, y, bias="none").margin)
        else:
            # Where the weights ended is where the mean of the exponentials is least.
            assert run.norm_w[-1] == pytest.approx(run.rest, rel=1e-3)
    verdicts = beck.judge_figure1(data.curves, data.sweep)
    assert by_claim(verdicts, "if and only if").outcome is Outcome.AGREES
    assert by_claim(verdicts, "Wendel").outcome is Outcome.AGREES
    # The same runs with the verdicts of separability exchanged must not agree.
    other = {"interior": "separable", "separable": "interior"}
    wrong = [replace(run, verdict=other.get(run.verdict, run.verdict)) for run in data.sweep]
    verdicts = beck.judge_figure1(data.curves, wrong)
    assert by_claim(verdicts, "if and only if").outcome is Outcome.DIFFERS
    assert by_claim(verdicts, "Wendel").outcome is Outcome.DIFFERS


def test_final_accuracies_stand_beside_their_limits(trainer: beck.Trainer) -> None:
    """Three draws at lambda = 1/2: the draw decides where the accuracy ends."""
    runs = beck.sweep(trainer, n=60, seeds=range(3), ratios=(0.2, 0.5))
    assert len({run.verdict for run in runs if run.data.ratio == 0.5}) == 2
    for run, row in zip(runs, _sweep.sweep_rows(runs, 0.95), strict=True):
        X, y = run.data.points()
        limit = 1.0
        if fg.separability(X).separable:
            limit = ndtr(1.0 / (5.0 * fg.max_margin(X, y, bias="none").margin))
        assert row["limit_accuracy"] == pytest.approx(limit, abs=1e-9)
        assert row["final_accuracy"] == pytest.approx(limit, abs=0.02)
    words = _sweep.limits_table(runs)
    assert words.count("| 0.5 |") == 3
    assert "| 0.2 |" not in words
    unknown = [replace(run, verdict="undecided") for run in runs]
    assert np.isnan(_sweep.limit_of(unknown[0]))
    assert _sweep.limits_table([replace(run, verdict="") for run in runs]) == ""


def test_law_of_the_norm_at_rest() -> None:
    power, logarithm = [], []
    for ratio in (0.3, 0.35, 0.4, 0.45, 0.48, 0.49):
        run = made_run(case=beck.Case(beck.Noise(10_000, round(10_000 * ratio), 5.0, 0), 0.01, 1e4))
        power.append(replace(run, rest=float(edge.large_n_stationary(ratio)[0]) / 5.0))
        logarithm.append(replace(run, rest=0.1 * np.log(1.0 / (0.5 - ratio)) ** 0.2))
    assert _law(power).outcome is Outcome.DIFFERS
    assert _law(logarithm).outcome is Outcome.AGREES
    between = []
    for run in power:
        steep = 0.05 + 0.15 * np.log(1.0 / (0.5 - run.data.ratio))
        between.append(replace(run, rest=run.rest**0.7 * steep**0.3))
    assert _law(between).outcome is Outcome.SHORT
    assert "neither is clearly closer" in _law(between).summary


def test_times_that_grow_and_that_do_not() -> None:
    runs = []
    for k, ratio in enumerate((0.3, 0.4, 0.45, 0.49)):
        draw = beck.Noise(100, round(100 * ratio), 5.0, 0)
        accuracy = np.where(np.arange(5) > k, 1.0, 0.5)
        runs.append(made_run(case=beck.Case(draw, 0.01, 1e4), test_accuracy=accuracy, rest=1.0))
    growing = by_claim(beck.judge_figure1([], runs), "grokking time diverges")
    assert growing.outcome is Outcome.AGREES
    same = runs[0].test_accuracy
    level = [replace(run, test_accuracy=same) for run in runs]
    assert by_claim(beck.judge_figure1([], level), "diverges as").outcome is Outcome.DIFFERS


def test_figure2(trainer: beck.Trainer) -> None:
    data = beck.figure2(trainer, n=60, seeds=[0], ratios=[0.4], steps=1e5)
    (path,) = data.paths
    assert path.free.b[-1] == 0.0
    assert path.deviation(path.exponential, late=False) < 0.02
    (verdict,) = beck.judge_figure2(data)
    assert verdict.findings[0].outcome is Outcome.AGREES
    # Against the path of another draw it is far off.
    other = beck.figure2(trainer, n=60, seeds=[1], ratios=[0.4], steps=1e5).paths[0]
    assert type(path)(path.exponential, path.logistic, other.free).deviation(
        path.exponential, late=False
    ) > path.deviation(path.exponential, late=False)


def test_figure3(trainer: beck.Trainer) -> None:
    data = beck.figure3(trainer, sigmas=(3.0, 30.0), distances=(1e-2, 0.1))
    (_, inside), (_, edge_), (_, outside) = data.margins
    np.testing.assert_allclose(
        [inside.w[0], inside.b, edge_.w[0], edge_.b], [0, -1, 0, -1], atol=1e-9
    )
    # |S|^2 + b^2 least under S + ... : (M, 1) / (1 + M^2) with M = 1/2.
    np.testing.assert_allclose([outside.w[0], outside.b], [0.4, -0.8], rtol=1e-9)
    sigmas, cs, times = data.times()
    for i, sigma in enumerate(sigmas):
        for j, c in enumerate(cs):
            expected = float(two_point.accuracy_time(0.95, 0.5 * (1.0 - c), sigma, 1.0))
            assert times[i, j] == pytest.approx(expected, rel=0.1)
    verdicts = beck.judge_figure3(data)
    assert by_claim(verdicts, "closed form").outcome is Outcome.AGREES
    # Labels of the contours stand on them.
    labels = beck.draw_figure3(data).axes[3].texts
    levels = [text for text in labels if text.get_text().startswith("1e")]
    assert levels
    for text in levels:
        c, sigma = text.get_position()
        there = float(two_point.accuracy_time(0.95, 0.5 * (1.0 - c), sigma, 1.0))
        assert there == pytest.approx(float(text.get_text()), rel=0.2)


def test_figure4_population_is_the_closed_form(trainer: beck.Trainer) -> None:
    data = beck.figure4(trainer, n=400, seeds=[0], spreads=(0.1,), steps=2000)
    (run,) = data.all
    X, y = run.data.points()
    again = fg.train(X, y, steps=2000, lr=0.1, bias=False)
    w = again.w
    s = np.hypot(0.1 * w[0], np.linalg.norm(w[1:]))
    # A sample of 400: four standard deviations of at most 1/40.
    assert run.test_accuracy[-1] == pytest.approx(float(ndtr(0.2 * w[0] / s)), abs=0.1)
    assert (run.b == 0.0).all()


def test_figure5(trainer: beck.Trainer) -> None:
    data = beck.figure5(trainer, n=60, seeds=[0], rates=(0.01,), steps=300)
    (run,) = data.all
    X, y = run.data.points()
    expected = fg.train(
        X, y, steps=300, lr=0.01, optimizer="adam",
        optimizer_options={"beta1": 0.8, "beta2": 0.9}, record=fg.log_spaced(300, 20),
    )  # fmt: skip
    np.testing.assert_array_equal(run.b, expected.b)
    assert len(beck.judge_figure5(data)) == 2


def test_figure8_and_double_descent(trainer: beck.Trainer) -> None:
    data = beck.figure8(trainer, n=60, seeds=[0], ratios=(0.2, 0.5, 0.8), points=5)
    assert len(data.two) == 5
    assert len(beck.judge_figure8(data)) == 2
    assert beck.sweep(trainer, n=60, seeds=[0], ratios=(0.2, 0.5, 0.8)) == data.full
    rows = _sweep.sweep_rows(data.full, 0.95)
    assert [row["lambda"] for row in rows] == [0.2, 0.5, 0.8]
    assert len(beck.judge_double_descent(data.full)) == 1
    with pytest.raises(ValueError, match=r"ratios must lie in \(0, 1\], got 1.5"):
        beck.sweep(trainer, n=60, seeds=[0], ratios=(1.5,))


def test_figure9_against_the_closed_form(trainer: beck.Trainer) -> None:
    data = beck.figure9(
        trainer, distances=(1e-3, 1e-2, 0.1), readings=((1.0, 1e-16), (50.0, 1e-16))
    )
    slope, exact = beck.judge_figure9(data)
    assert exact.outcome is Outcome.AGREES
    assert slope.outcome is Outcome.OPEN  # 1/sqrt 2 at sigma = 50 and not at sigma = 1
    assert [f.outcome for f in slope.findings] == [Outcome.DIFFERS, Outcome.AGREES]


def test_last_crossing() -> None:
    run = made_run(loss=np.array([0.7, 0.1, 0.01, 0.1, 1e-3]))
    assert _figure9.last_crossing(run, "loss", 0.01) == pytest.approx(np.log(10.0**3.5))
    assert np.isnan(_figure9.last_crossing(run, "loss", 1e-9))


def test_figure16_labels(trainer: beck.Trainer) -> None:
    data = beck.figure16(trainer, n=100, seeds=[0], fractions=(1.0, 0.9), steps=1e4)
    constant, some = data.all
    assert (constant.data.points()[1] == -1.0).all()
    assert (some.data.points()[1] == 1.0).any()
    (verdict,) = beck.judge_figure16(data)
    assert len(verdict.findings) == 2


def test_table1(trainer: beck.Trainer) -> None:
    stated, corrected = beck.judge_table1(beck.table1(trainer))
    assert corrected.outcome is Outcome.AGREES
    assert stated.outcome is Outcome.OPEN  # right for one sigma, and the paper names none
    for finding in stated.findings:
        right = finding.reading.endswith("sigma = 1")
        assert finding.outcome is (Outcome.AGREES if right else Outcome.DIFFERS)


def test_laws(trainer: beck.Trainer) -> None:
    data = beck.laws(trainer, n=60, seeds=[0], names=("uniform",), steps=1e4)
    assert list(data) == [0.44, 0.56]
    assert list(data[0.44].runs) == ["uniform", "exponential loss"]
    assert data[0.44].runs["exponential loss"][0].case.loss == "exponential"
    (verdict,) = beck.judge_laws(data)
    assert len(verdict.findings) == 4


def test_everything_is_made_drawn_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(_setting.SIZES, "quick", TINY)
    settings = Settings(scale="quick", threads=2, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for item in beck.PAPER.items:
            output = item.make(settings, tmp_path)
            assert output.verdicts
            for path in output.files:
                assert path.stat().st_size > 0
            (report,) = (path for path in output.files if path.suffix == ".md")
            text = report.read_text(encoding="utf-8")
            assert all(verdict.claim in text for verdict in output.verdicts)
            for path in output.files:
                if path.suffix == ".npz":
                    with np.load(path, allow_pickle=False) as arrays:
                        assert all(arrays[name].size for name in arrays.files)
            tables = [path for path in output.files if path.suffix == ".csv"]
            for table in tables:
                with table.open(encoding="utf-8") as file:
                    assert len(list(csv.DictReader(file))) > 1
            assert any(path.suffix == ".png" for path in output.files)


def test_what_was_finished_is_kept_on_ctrl_c(tmp_path: Path) -> None:
    run = beck.Trainer()([beck.Case(beck.TwoPoints(0.1, 1.0), 0.1, 100)])[0]

    def stopped(*_: object) -> object:
        raise RunsInterrupted((run,))

    with pytest.raises(Stopped, match=r"kept the records of 1 finished run in .*fig-partial.csv"):
        _item.make_item("fig", Settings(), tmp_path, stopped, lambda *_: None)  # type: ignore[arg-type, return-value]
    assert (tmp_path / "fig-partial.csv").stat().st_size > 0

    def at_once(*_: object) -> object:
        raise RunsInterrupted(())

    with pytest.raises(Stopped, match="no run had been finished"):
        _item.make_item("fig", Settings(), tmp_path, at_once, lambda *_: None)  # type: ignore[arg-type, return-value]
