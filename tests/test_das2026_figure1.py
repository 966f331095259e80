"""Figure 1 of Das et al. (2026): verdicts on the standard and concentrated test set, files."""

import csv

import numpy as np
import pytest

from das2026_runs import UNPLANTED, ensemble, find, synthetic
from fastgrok.papers import Outcome, das2026
from fastgrok.papers.das2026._attacks import ADVERSARIES
from fastgrok.papers.das2026._setting import Variant

SMALL = {"steps": 300, "seeds": range(2), "n": (40, 40), "supports": [(0, 0), (10, 4)]}


@pytest.fixture(scope="module")
def small():
    return das2026.figure1(**SMALL)


@pytest.fixture(scope="module")
def written(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figure1")
    return folder, das2026.write_figure1(small, folder)


class TestVerdicts:
    """Runs made up so that the answer is known."""

    STEPS = (0, 1, 10, 400, 7_000_000, 10_000_000)

    def grokking_run(self, variant=UNPLANTED, seed=0, **fields):
        counts = {
            "train": [0, 1000, 1999, 2000, 2000, 2000],
            "standard": [0, 1000, 1999, 2000, 2000, 2000],
            "concentrated": [0, 1000, 1000, 1000, 2000, 2000],
            **{key: [0, 1280, 1280, 1280, 1280, 1280] for key in ADVERSARIES},
        }
        return synthetic(variant, seed, steps=self.STEPS, counts=counts, **fields)

    def plain_run(self, variant=UNPLANTED, seed=0):
        names = ("train", "standard", "concentrated", *ADVERSARIES)
        counts = {key: [0, 1000, 1999, 2000, 2000, 2000] for key in names}
        return synthetic(variant, seed, steps=self.STEPS, counts=counts)

    def test_a_run_that_groks(self):
        found = das2026.judge_figure1(ensemble(self.grokking_run(), self.grokking_run(seed=1)))
        assert find(found, "The standard test shows no grokking").outcome is Outcome.AGREES
        assert (
            find(found, "The concentrated test shows grokking at eps_0 = 0:").outcome
            is Outcome.AGREES
        )
        assert find(found, "The concentrated set is classified perfectly").outcome is Outcome.AGREES

    def test_a_run_that_does_not(self):
        found = das2026.judge_figure1(ensemble(self.plain_run()))
        assert (
            find(found, "The concentrated test shows grokking at eps_0 = 0:").outcome
            is Outcome.DIFFERS
        )

    def test_draws_that_disagree_leave_it_open(self):
        found = das2026.judge_figure1(ensemble(self.grokking_run(), self.plain_run(seed=1)))
        claim = "The concentrated test shows grokking at eps_0 = 0:"
        assert find(found, claim).outcome is Outcome.OPEN

    def test_readings_that_disagree_leave_it_open(self):
        data = ensemble(self.grokking_run(), self.plain_run(Variant("sum", (0, 0))))
        claim = "The concentrated test shows grokking at eps_0 = 0:"
        assert find(das2026.judge_figure1(data), claim).outcome is Outcome.OPEN
        verdict = find(das2026.judge_figure1(data), claim)
        assert verdict.summary == "agrees: mean, none planted; differs: sum, none planted"

    def test_a_short_run_decides_no_time(self):
        found = das2026.judge_figure1(ensemble(self.grokking_run(), steps=10**6))
        assert find(found, "The standard test shows no grokking").outcome is Outcome.SHORT
        assert find(found, "Descent at the stated learning rate").outcome is not Outcome.SHORT

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
        assert find(das2026.judge_figure1(ensemble(run)), "Descent at").outcome is expected

    def test_the_times_are_those_of_the_trajectory(self):
        run = self.grokking_run()
        times = run.time("concentrated", 0.0)
        assert (times.t_train, times.t_test, times.zeta) == (400, 7_000_000, 17_500.0)
        assert run.time("concentrated", 0.02).zeta == 700_000.0
        # 0.001 of 2000 are two points, so 1999 correct ones are enough.
        assert run.time("concentrated", 1e-3).t_train == 10


class TestFiles:
    def test_everything_is_written(self, written):
        folder, output = written
        names = {path.name for path in output.files}
        assert names == {
            *(
                f"figure1-{key}.{suffix}"
                for key in ("mean", "sum", "errors", "adversarial")
                for suffix in ("png", "svg")
            ),
            "figure1-adversarial-records.csv",
            "figure1-adversarial-times.csv",
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
        mine = [row for row in mine if row["seed"] == "0" and row["bias"] == "True"]
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
            assert arrays["weights"].shape == (12, small.runs[0].trajectory.steps.size, 3)
            assert arrays["reduction"].tolist() == (
                ["mean"] * 4 + ["sum"] * 4 + ["mean"] * 2 + ["sum"] * 2
            )
            assert arrays["bias"].tolist() == [True] * 8 + [False] * 4
            assert arrays["accuracy_adversarial_pgd"].shape == arrays["weights"].shape[:2]
            np.testing.assert_array_equal(arrays["weights"][5, -1, :2], small.runs[5].trajectory.w)

    def test_report_says_what_was_chosen(self, written, small):
        folder, output = written
        report = (folder / "figure1.md").read_text(encoding="utf-8")
        assert "S(10,4)" in report
        for choice in ("Sum or mean", "Ties", "Standard test", "Logging", "Draws"):
            assert f"**{choice}**" in report
        for verdict in output.verdicts:
            section = report.split(f"### {verdict.claim}\n")[1].split("##")[0]
            assert f"**{verdict.outcome}**" in section
            for finding in verdict.findings:
                assert f"| {finding.reading} | {finding.label} | {finding.numbers} |" in section

    def test_pictures_have_labelled_axes(self, small):
        pictures = das2026.draw_figure1(small)
        assert set(pictures) == {"mean", "sum", "errors"}
        panels = [ax for ax in pictures["mean"].axes if ax.get_title()]
        assert [ax.get_title() for ax in panels] == ["none planted", "S(10,4)"]
        for picture in pictures.values():
            bottom = picture.axes[-1]
            assert "steps" in bottom.get_xlabel()
            assert bottom.get_xscale() == "log"
