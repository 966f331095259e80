"""Figure 1 of Das et al. (2026): data, rules of judgement, files."""

import csv
import threading
from math import inf

import numpy as np
import pytest

import fastgrok as fg
from fastgrok.papers import das2026
from fastgrok.papers._report import (
    Finding,
    Outcome,
    Stated,
    Verdict,
    combine,
    judge_number,
    judge_shares,
    markdown_table,
    number,
    percent,
    spread,
)
from fastgrok.papers._runs import JobsInterrupted, run_jobs
from fastgrok.papers.das2026 import _ensemble, _setting
from fastgrok.papers.das2026._ensemble import Ensemble, EnsembleInterrupted
from fastgrok.papers.das2026._setting import Variant
from synthetic_runs import make_run

UNPLANTED = Variant("mean", (0, 0))
SMALL = {"steps": 300, "seeds": range(2), "n": (40, 40), "supports": [(0, 0), (10, 4)]}


@pytest.fixture(scope="module")
def small():
    return das2026.figure1(**SMALL)


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figure1")
    return folder, das2026.write_figure1(small, folder)


def synthetic(variant=UNPLANTED, seed=0, *, steps, train, standard=None, concentrated, **fields):
    counts = {"train": train, "standard": standard or train, "concentrated": concentrated}
    sizes = dict.fromkeys(counts, 2000)
    run = make_run(steps=steps, counts=counts, sizes=sizes, **fields)
    return _ensemble._summarise(variant, seed, run, support=None)


def ensemble(*runs, steps=_setting.STEPS):
    settings = {"steps": steps, "lr": 1e-2, "n": (1000, 1000), "gamma": 1e-3, "alpha": 10.0}
    return Ensemble(tuple(runs), {**settings, "planting": "antipodal", "engine": "auto"})


def outcomes(data):
    return {verdict.claim: verdict.outcome for verdict in das2026.judge_figure1(data)}


def find(found, start):
    (outcome,) = (value for claim, value in found.items() if claim.startswith(start))
    return outcome


class TestRules:
    @pytest.mark.parametrize(
        ("stated", "ours", "expected"),
        [
            (Stated(400.0), [300.0, 500.0], Outcome.AGREES),
            (Stated(400.0), [790.0, 900.0], Outcome.AGREES),  # within the reading of a log axis
            (Stated(400.0), [801.0, 900.0], Outcome.DIFFERS),
            (Stated(400.0), [1.0, 199.0], Outcome.DIFFERS),
            (Stated(400.0), [10.0, 1001.0], Outcome.OPEN),  # the draws decide nothing
            (Stated(400.0), [300.0, inf], Outcome.OPEN),
            (Stated(400.0), [inf, inf], Outcome.DIFFERS),
            (Stated(10.0, "<="), [1.0, 10.0], Outcome.AGREES),
            (Stated(10.0, "<="), [11.0, inf], Outcome.DIFFERS),
            (Stated(10.0, "<="), [9.0, 11.0], Outcome.OPEN),
            (Stated(100.0, ">="), [100.0, inf], Outcome.AGREES),
            (Stated(100.0, ">="), [99.0], Outcome.DIFFERS),
        ],
    )
    def test_numbers(self, stated, ours, expected):
        assert judge_number(stated, ours) is expected
        assert judge_number(stated, ours[::-1]) is expected

    def test_shares(self):
        assert judge_shares([True, True]) is Outcome.AGREES
        assert judge_shares([False]) is Outcome.DIFFERS
        assert judge_shares([True, False]) is Outcome.OPEN

    @pytest.mark.parametrize("outcome", Outcome)
    def test_readings_that_are_alike(self, outcome):
        assert combine([outcome] * 3) is outcome

    def test_readings_that_disagree(self):
        assert combine([Outcome.AGREES, Outcome.DIFFERS]) is Outcome.OPEN
        assert combine([Outcome.AGREES, Outcome.OPEN]) is Outcome.OPEN
        assert combine([Outcome.AGREES, Outcome.SHORT]) is Outcome.SHORT

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0"),
            (4.0, "4"),
            (400.0, "400"),
            (9999.0, "9999"),
            (1.75e4, "1.8e4"),
            (5e5, "5e5"),
            (0.985, "0.985"),
            (1.2e-3, "1.2e-3"),
            (None, "never"),
            (inf, "never"),
        ],
    )
    def test_written_numbers(self, value, text):
        assert number(value) == text

    def test_spread_is_median_and_range(self):
        assert spread([3.0, 1.0, 2.0]) == "2 [1, 3]"
        assert spread([1.0, inf]) == "never [1, never]"
        assert spread([7.0, 7.0]) == "7"
        assert spread([0.5, 0.9985, 1.0], percent) == "99.85 [50, 100]"

    def test_verdict_in_words(self):
        findings = (
            Finding("mean", Outcome.AGREES, "zeta 500"),
            Finding("sum, S(2,1)", Outcome.OPEN, "zeta 3 [1, 900]"),
        )
        verdict = Verdict("It groks", Outcome.OPEN, findings, note="A note.")
        assert verdict.summary == "agrees: mean; depends on the draw: sum, S(2,1)"
        assert "CANNOT BE DECIDED FROM THE PAPER" in verdict.text()
        assert verdict.text().count("zeta") == 2
        assert "A note." in verdict.markdown()
        assert "| sum, S(2,1) | depends on the draw | zeta 3 [1, 900] |" in verdict.markdown()

    def test_markdown_table(self):
        assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |"
        assert "\\|b\\|" in markdown_table(("|b|",), [])


class TestVerdicts:
    """Runs made up so that the answer is known."""

    STEPS = (0, 1, 10, 400, 7_000_000, 10_000_000)

    def grokking_run(self, variant=UNPLANTED, seed=0, **fields):
        return synthetic(
            variant,
            seed,
            steps=self.STEPS,
            train=[0, 1000, 1999, 2000, 2000, 2000],
            standard=[0, 1000, 1999, 2000, 2000, 2000],
            concentrated=[0, 1000, 1000, 1000, 2000, 2000],
            **fields,
        )

    def plain_run(self, variant=UNPLANTED, seed=0):
        counts = [0, 1000, 1999, 2000, 2000, 2000]
        return synthetic(
            variant, seed, steps=self.STEPS, train=counts, standard=counts, concentrated=counts
        )

    def test_a_run_that_groks(self):
        found = outcomes(ensemble(self.grokking_run(), self.grokking_run(seed=1)))
        assert find(found, "The standard test shows no grokking") is Outcome.AGREES
        assert find(found, "The concentrated test shows grokking at eps_0 = 0:") is Outcome.AGREES
        assert find(found, "Table 1, concentrated, eps_0 = 0:") is Outcome.AGREES
        assert find(found, "Table 1, standard, eps_0 = 0:") is Outcome.DIFFERS
        assert find(found, "The concentrated set is classified perfectly") is Outcome.AGREES
        assert find(found, "Table 1's two values") is Outcome.DIFFERS

    def test_points_on_the_margin_hide_a_delay_at_eps_0(self):
        """As many as S(350,35) holds there: the training curve ends where the test curve does."""
        held = synthetic(
            steps=self.STEPS,
            train=[0, 1000, 1900, 1965, 2000, 2000],
            concentrated=[0, 1000, 1000, 1000, 2000, 2000],
        )
        found = outcomes(ensemble(held))
        assert find(found, "Table 1, concentrated, eps_0 = 0:") is Outcome.DIFFERS
        assert find(found, "Table 1's row concentrated, eps_0 = 0") is Outcome.AGREES

    def test_a_run_that_does_not(self):
        found = outcomes(ensemble(self.plain_run()))
        assert find(found, "The concentrated test shows grokking at eps_0 = 0:") is Outcome.DIFFERS
        assert find(found, "Table 1, concentrated, eps_0 = 0:") is Outcome.DIFFERS

    def test_draws_that_disagree_leave_it_open(self):
        found = outcomes(ensemble(self.grokking_run(), self.plain_run(seed=1)))
        claim = "The concentrated test shows grokking at eps_0 = 0:"
        assert find(found, claim) is Outcome.OPEN

    def test_readings_that_disagree_leave_it_open(self):
        data = ensemble(self.grokking_run(), self.plain_run(Variant("sum", (0, 0))))
        claim = "The concentrated test shows grokking at eps_0 = 0:"
        assert find(outcomes(data), claim) is Outcome.OPEN
        (verdict,) = (v for v in das2026.judge_figure1(data) if v.claim.startswith(claim))
        assert verdict.summary == "agrees: mean, none planted; differs: sum, none planted"

    def test_a_short_run_decides_no_time(self):
        found = outcomes(ensemble(self.grokking_run(), steps=10**6))
        assert find(found, "Table 1, concentrated, eps_0 = 0:") is Outcome.SHORT
        assert find(found, "Descent at the stated learning rate") is not Outcome.SHORT

    @pytest.mark.parametrize(
        ("sharpness", "regime", "expected"),
        [
            (1.9, "smooth", Outcome.AGREES),
            (2.1, "smooth", Outcome.DIFFERS),
            (1.9, "period-2", Outcome.DIFFERS),
        ],
    )
    def test_stability(self, sharpness, regime, expected):
        size = len(self.STEPS)
        run = self.grokking_run(
            sharpness=np.full(size, 0.1),
            sharpness_mean=np.full(size, sharpness),
            regime=np.array(["smooth"] * (size - 1) + [regime]),
        )
        assert find(outcomes(ensemble(run)), "Descent at the stated") is expected

    def test_the_times_are_those_of_the_trajectory(self):
        run = self.grokking_run()
        times = run.time("concentrated", 0.0)
        assert (times.t_train, times.t_test, times.zeta) == (400, 7_000_000, 17_500.0)
        assert run.time("concentrated", 0.02).zeta == 700_000.0
        # 0.001 of 2000 are two points, so 1999 correct ones are enough.
        assert run.time("concentrated", 1e-3).t_train == 10


class TestData:
    def test_one_run_for_each_reading_and_draw(self, small):
        assert [(str(r.variant), r.seed) for r in small.runs] == [
            (name, seed)
            for name in (
                "mean, none planted",
                "mean, S(10,4)",
                "sum, none planted",
                "sum, S(10,4)",
            )
            for seed in (0, 1)
        ]
        assert len(small.variants) == 4
        assert [run.seed for run in small.of(small.variants[1])] == [0, 1]

    def test_runs_are_those_of_train(self, small):
        """The same numbers as training by hand on the data that the report names."""
        run = small.of(Variant("sum", (10, 4)))[1]
        data = fg.datasets.margin_cube((40, 40), 2, gamma=1e-3, support=(10, 4), seed=3)
        test = fg.datasets.concentrated((40, 40), 2, gamma=1e-3, alpha=10.0, seed=5)
        with pytest.warns(fg.StabilityWarning):
            again = fg.train(
                data.X, data.y, steps=300, lr=1e-2, reduction="sum", evals={"test": test}
            )
        np.testing.assert_array_equal(run.trajectory.w, again.w)
        np.testing.assert_array_equal(
            run.trajectory.accuracy["concentrated"], again.accuracy["test"]
        )
        assert run.phases == again.__class__.phases(run.trajectory, data.support)

    def test_threads_do_not_matter(self, small):
        again = das2026.figure1(**SMALL, threads=1)
        for one, other in zip(small.runs, again.runs, strict=True):
            np.testing.assert_array_equal(one.trajectory.w, other.trajectory.w)
            assert one.times == other.times

    @pytest.mark.parametrize(
        ("bad", "error"),
        [
            ({"steps": 0}, "steps"),
            ({"seeds": []}, "seeds"),
            ({"seeds": [-1]}, "seeds"),
            ({"supports": []}, "supports"),
            ({"supports": [(41, 0)]}, "support"),
            ({"reductions": ["median"]}, "reduction"),
            ({"lr": -1.0}, "lr"),
        ],
    )
    def test_bad_settings(self, bad, error):
        with pytest.raises(ValueError, match=error):
            das2026.figure1(**{**SMALL, **bad})


class TestFiles:
    def test_everything_is_written(self, written):
        folder, output = written
        names = {path.name for path in output.files}
        assert names == {
            "figure1-mean.png",
            "figure1-sum.png",
            "figure1-errors.png",
            "figure1-records.csv",
            "figure1-times.csv",
            "figure1.npz",
            "figure1.md",
        }
        assert names == {path.name for path in folder.iterdir()}
        for path in folder.glob("*.png"):
            assert path.read_bytes().startswith(b"\x89PNG")

    def test_records_come_back_bit_for_bit(self, written, small):
        folder, _ = written
        with (folder / "figure1-records.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == sum(run.trajectory.steps.size for run in small.runs)
        first = small.runs[0].trajectory
        mine = [row for row in rows if row["reduction"] == "mean" and row["support_plus"] == "0"]
        mine = [row for row in mine if row["seed"] == "0"]
        assert [int(row["step"]) for row in mine] == first.steps.tolist()
        assert [float(row["b"]) for row in mine] == first.b.tolist()
        accuracy = first.accuracy["concentrated"].tolist()
        assert [float(row["concentrated_accuracy"]) for row in mine] == accuracy

    def test_times_stand_beside_the_paper(self, written, small):
        folder, _ = written
        with (folder / "figure1-times.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 6 * len(small.runs)  # two test sets, three eps
        row = next(r for r in rows if (r["test"], r["eps"]) == ("concentrated", "0.0"))
        assert (row["paper_t_train"], row["paper_t_test"]) == ("400", "7e6")
        times = small.runs[0].time("concentrated", 0.0)
        assert float(row["zeta"]) == times.zeta

    def test_arrays(self, written, small):
        folder, _ = written
        with np.load(folder / "figure1.npz") as arrays:
            assert arrays["weights"].shape == (8, small.runs[0].trajectory.steps.size, 3)
            assert arrays["reduction"].tolist() == ["mean"] * 4 + ["sum"] * 4
            np.testing.assert_array_equal(arrays["weights"][5, -1, :2], small.runs[5].trajectory.w)

    def test_report_says_what_was_chosen(self, written, small):
        folder, output = written
        report = (folder / "figure1.md").read_text(encoding="utf-8")
        assert "S(10,4)" in report
        for choice in ("Sum or mean", "Ties", "Standard test", "Logging", "Draws"):
            assert f"**{choice}**" in report
        for verdict in output.verdicts:
            assert verdict.claim in report
            assert verdict.outcome is Outcome.SHORT or verdict.findings

    def test_pictures_have_labelled_axes(self, small):
        pictures = das2026.draw_figure1(small)
        assert set(pictures) == {"mean", "sum", "errors"}
        panels = [ax for ax in pictures["mean"].axes if ax.get_title()]
        assert [ax.get_title() for ax in panels] == ["none planted", "S(10,4)"]
        for picture in pictures.values():
            bottom = picture.axes[-1]
            assert "steps" in bottom.get_xlabel()
            assert bottom.get_xscale() == "log"


class TestJobs:
    def test_results_in_order(self):
        jobs = [lambda report, i=i: (report(1), i)[1] for i in range(7)]
        assert run_jobs(jobs, steps=1, workers=3, progress=False) == list(range(7))

    def test_the_bar_counts_jobs_and_steps(self, capsys):
        run_jobs([lambda report: report(5)] * 3, steps=10, workers=2, progress=True)
        shown = capsys.readouterr().err
        assert "3/3 runs" in shown
        assert "30.0/30.0" in shown

    def test_an_error_stops_the_others(self):
        begun = []

        def slow(report):
            begun.append(1)
            while True:
                report(1)

        def broken(report):
            raise ValueError("no such thing")

        with pytest.raises(ValueError, match="no such thing"):
            run_jobs([slow, broken, slow, slow], steps=1, workers=2, progress=False)
        assert len(begun) == 1  # those in the queue never began

    def test_an_interrupt_keeps_what_was_done(self):
        done = threading.Event()

        def quick(report):
            done.set()
            return "result"

        def interrupting(report):
            done.wait()
            raise KeyboardInterrupt

        with pytest.raises(JobsInterrupted) as caught:
            run_jobs([quick, interrupting], steps=1, workers=2, progress=False)
        assert caught.value.finished == {0: "result"}

    def test_an_interrupted_figure_keeps_its_records(self, monkeypatch):
        """The third run is told to stop half-way, as Ctrl-C would."""
        original = _ensemble.train
        calls = []

        def stopping(*args, progress, **options):
            calls.append(1)
            if len(calls) < 3:
                return original(*args, progress=progress, **options)

            def stop(step):
                progress(step)
                if step > 0:
                    raise KeyboardInterrupt

            return original(*args, progress=stop, **{**options, "steps": 10**9})

        monkeypatch.setattr(_ensemble, "train", stopping)
        with pytest.raises(EnsembleInterrupted) as caught:
            das2026.figure1(**SMALL, threads=1)
        stopped = caught.value
        assert len(stopped.finished.runs) == 2
        assert len(stopped.unfinished) >= 1  # a fourth may have begun before the stop was seen
        assert stopped.unfinished[0].trajectory.params["interrupted"] > 0
