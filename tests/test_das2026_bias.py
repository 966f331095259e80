"""Figures 2 and 4 of Das et al. (2026): verdicts on phases, bias and delay, files."""

import csv
from math import log

import numpy as np
import pytest

from das2026_runs import ensemble, find, synthetic
from fastgrok import Phases
from fastgrok.papers import Outcome, das2026
from fastgrok.papers.das2026._setting import Variant

STEPS = (0, 1, 100, 700, 2_000, 10_000_000)
PHASES = "With planted support vectors phase 1"
PHASE_2 = "Unbalanced support vectors push"
RELAXED = "b(t) is that of Theorem 4.5"
STEADY = "By step 1e7 the bias is at the steady value"
DELAY = "The more unbalanced the support vectors"
THEOREM = "Theorem 4.6 gives"


def made_up(variant, seed=0, *, b=0.0, concentrated=(0, 1000, 1000, 1000, 2000, 2000), **fields):
    counts = dict.fromkeys(("train", "standard", "concentrated"), concentrated)
    fields.setdefault("phases", Phases(t1=5000, t2=50_000, t3=None, peak=50_000))
    curve = np.broadcast_to(np.asarray(b, dtype=float), (len(STEPS),)).copy()
    return synthetic(
        variant, seed, steps=STEPS, counts=counts, b=curve, bias_final=curve[-1], **fields
    )


def planted(*support, reduction="mean", classes=(1000, 1000)):
    return Variant(reduction, support, classes=classes)


class TestFigure2:
    def judge(self, *runs, **options):
        return das2026.judge_figure2(ensemble(*runs, **options))

    def test_the_papers_phases(self):
        found = self.judge(made_up(planted(350, 35)))
        assert find(found, PHASES).outcome is Outcome.AGREES
        assert find(found, PHASE_2).outcome is Outcome.AGREES

    def test_other_phases(self):
        early = Phases(t1=100, t2=100, t3=None, peak=50)
        never = Phases(t1=None, t2=None, t3=None, peak=50)
        for phases in (early, never):
            found = self.judge(made_up(planted(350, 35), phases=phases))
            assert find(found, PHASES).outcome is Outcome.DIFFERS
            assert find(found, PHASE_2).outcome is Outcome.DIFFERS

    def test_short_runs_decide_no_phase(self):
        found = self.judge(made_up(planted(350, 35)), steps=9_000)
        assert {verdict.outcome for verdict in found} == {Outcome.SHORT}

    @pytest.mark.parametrize(
        ("support", "b", "expected"),
        [
            ((350, 35), log(10) / 2, Outcome.AGREES),
            ((350, 35), log(10) / 2 * 1.09, Outcome.AGREES),
            ((350, 35), log(10), Outcome.DIFFERS),
            ((35, 350), -log(10) / 2, Outcome.AGREES),
            ((35, 350), log(10) / 2, Outcome.DIFFERS),
            ((350, 350), 0.05, Outcome.AGREES),
            ((350, 350), -0.15, Outcome.DIFFERS),
        ],
    )
    def test_steady_bias(self, support, b, expected):
        found = self.judge(made_up(planted(*support), b=b))
        assert find(found, STEADY).outcome is expected

    def test_relaxation(self):
        """Half of log 10 from twice the end of phase 1 on, or only from later on."""
        steady = log(10) / 2
        phases = Phases(t1=300, t2=700, t3=None, peak=700)
        for curve, expected in (
            ([0, 0, 0, steady, steady, steady], Outcome.AGREES),
            ([0, 0, 0, 0, steady, steady], Outcome.DIFFERS),
            ([0, 0, 0, steady, 2 * steady, steady], Outcome.DIFFERS),
        ):
            found = self.judge(made_up(planted(350, 35), b=curve, phases=phases))
            assert find(found, RELAXED).outcome is expected

    def test_relaxation_that_cannot_be_seen(self):
        """No end of phase 1, or an end too late for a record at twice that time."""
        seen, never, late = (
            made_up(planted(350, 35), seed, b=[*[0.0] * 5, log(10) / 2], phases=phases)
            for seed, phases in enumerate(
                Phases(t1=t1, t2=t1, t3=None, peak=700) for t1 in (3000, None, 6_000_000)
            )
        )
        wholly = "largest |b - steady| 0, steady value 1.15"
        no_end = "no end of phase 1 in 1 of 2 draws"
        no_record = "no record beyond 2 times its end in 1 of 2 draws"
        for runs, outcome, numbers in (
            ([seen], Outcome.AGREES, wholly),
            ([seen, never], Outcome.SHORT, f"{wholly}, {no_end}"),
            ([seen, late], Outcome.SHORT, f"{wholly}, {no_record}"),
            ([never, late], Outcome.SHORT, f"steady value 1.15, {no_end}, {no_record}"),
        ):
            verdict = find(self.judge(*runs), RELAXED)
            assert verdict.outcome is outcome
            assert verdict.findings[0].numbers == numbers
            assert "too few steps" not in verdict.summary

    def test_only_mirrored_pairs_have_a_steady_bias_by_their_numbers(self):
        run = made_up(planted(350, 35))
        on_theory = {STEADY, RELAXED, THEOREM}
        for planting, judged in (("antipodal", on_theory), ("iid", set())):
            found = self.judge(run, planting=planting)
            starts = {s for s in on_theory for v in found if v.claim.startswith(s)}
            assert starts == judged
            assert find(found, PHASE_2).outcome is Outcome.AGREES

    def test_delays_ordered_by_imbalance(self):
        early, late = [0, 1000, 2000, 2000, 2000, 2000], [0, 1000, 1000, 1000, 1000, 2000]
        never = [0, 1000, 1000, 1000, 1000, 1799]
        passing = [0, 2000, 2000, 1000, 1000, 1799]  # right on the way, and not in the end
        supports = [(350, 350), (350, 200), (35, 350)]
        for curves, expected in (
            ((early, late, never), Outcome.AGREES),
            ((early, late, late), Outcome.AGREES),
            ((early, early, early), Outcome.DIFFERS),
            ((late, early, never), Outcome.DIFFERS),
            ((early, never, passing), Outcome.SHORT),  # the last two come in either order
            ((passing, early, never), Outcome.DIFFERS),
            ((never, never, never), Outcome.SHORT),
        ):
            runs = [
                made_up(planted(*support), concentrated=curve)
                for support, curve in zip(supports, curves, strict=True)
            ]
            verdict = find(self.judge(*runs[::-1]), DELAY)  # whatever the order of the runs
            assert verdict.outcome is expected
            assert [finding.reading for finding in verdict.findings] == ["mean"]
            assert "too few steps" not in verdict.summary

    @pytest.mark.parametrize("mirror", [((350, 35), (35, 350)), ((35, 350), (350, 35))])
    def test_mirror_images_are_equally_unbalanced(self, mirror):
        """Whichever is right first, and whatever the last bit of log 10 and log 0.1 is."""
        early, late = [0, 1000, 2000, 2000, 2000, 2000], [0, 1000, 1000, 1000, 2000, 2000]
        last, never = [0, 1000, 1000, 1000, 1000, 2000], [0, 1000, 1000, 1000, 1000, 1799]

        def draw(seed, *curves):
            supports = [(350, 350), (350, 200), *mirror]
            return [
                made_up(planted(*support), seed, concentrated=curve)
                for support, curve in zip(supports, curves, strict=True)
            ]

        in_order = draw(0, early, early, late, never)
        for second, expected in (
            (draw(1, early, late, never, last), Outcome.AGREES),
            (draw(1, late, early, last, never), Outcome.OPEN),
            (draw(1, late, last, last, early), Outcome.OPEN),
            (draw(1, early, never, never, never), Outcome.SHORT),
        ):
            assert find(self.judge(*in_order, *second), DELAY).outcome is expected

    def test_an_order_needs_two_imbalances(self):
        mirrored = [made_up(planted(*support)) for support in ((350, 35), (35, 350))]
        for runs in (mirrored[:1], mirrored):
            assert not any(verdict.claim.startswith(DELAY) for verdict in self.judge(*runs))
        both = made_up(planted(350, 35, reduction="sum")), made_up(planted(1, 1, reduction="sum"))
        (finding,) = find(self.judge(*mirrored, *both), DELAY).findings
        assert finding.reading == "sum"

    def test_the_theorems_time(self):
        """sqrt(350 / 35) = 3.2 steps, and a run in which it is so."""
        soon = [0, 2000, 2000, 2000, 2000, 2000]
        for support, curve, expected in (
            ((350, 350), soon, None),  # balanced: nothing to judge
            ((350, 100), soon, Outcome.AGREES),
            ((350, 35), [0, 0, 0, 2000, 2000, 2000], Outcome.DIFFERS),
        ):
            found = self.judge(made_up(planted(*support), concentrated=curve))
            if expected is None:
                assert not any(verdict.claim.startswith(THEOREM) for verdict in found)
            else:
                assert find(found, THEOREM).outcome is expected


class TestFigure4:
    def judge(self, *runs, **options):
        return das2026.judge_figure4(ensemble(*runs, **options))

    def peak_at(self, step, **options):
        norm = np.where(np.array(STEPS) == step, 1.0, 10.0)
        return made_up(planted(350, 35, **options), b=1.0, norm_w=norm)

    def test_peaks(self):
        found = self.judge(self.peak_at(2000), self.peak_at(700, classes=(1500, 500)))
        assert find(found, "With balanced classes").outcome is Outcome.AGREES
        assert find(found, "With more points of class +1").outcome is Outcome.AGREES
        found = self.judge(self.peak_at(100), self.peak_at(2000, classes=(1500, 500)))
        assert find(found, "With balanced classes").outcome is Outcome.DIFFERS
        assert find(found, "With more points of class +1").outcome is Outcome.DIFFERS

    def test_signs_of_the_bias(self):
        early, late = "The population drives the bias at first", "The support vectors decide"
        towards_minus = planted(350, 35, classes=(500, 1500))
        found = self.judge(made_up(towards_minus, b=[0, -1, -1, 1, 1, 1]))
        assert find(found, early).outcome is Outcome.AGREES
        assert find(found, late).outcome is Outcome.AGREES
        found = self.judge(made_up(towards_minus, b=[0, -1, 1, 1, 1, -1]))
        assert find(found, early).outcome is Outcome.DIFFERS
        assert find(found, late).outcome is Outcome.DIFFERS

    def test_readings_name_their_classes(self):
        found = self.judge(made_up(planted(100, 100, classes=(1500, 500)), b=1.0))
        (finding,) = find(found, STEADY).findings
        assert finding.reading == "mean, D(1500,500) S(100,100)"

    def test_only_mirrored_pairs_have_a_steady_bias_by_their_numbers(self):
        found = self.judge(made_up(planted(350, 35)), planting="iid")
        assert found
        assert not any(verdict.claim.startswith(STEADY) for verdict in found)


@pytest.fixture(scope="module")
def small():
    options = {"steps": 300, "seeds": [0, 1]}
    return {
        "figure2": das2026.figure2(supports=[(10, 10), (10, 4)], n=(40, 40), **options),
        "figure4": das2026.figure4(
            populations=[((40, 40), (10, 4)), ((60, 20), (10, 4)), ((20, 60), (10, 4))], **options
        ),
    }


@pytest.mark.parametrize("name", ["figure2", "figure4"])
def test_everything_is_written(small, name, tmp_path):
    data = small[name]
    output = getattr(das2026, f"write_{name}")(data, tmp_path)
    pictures = ("-mean.png", "-mean.svg", "-sum.png", "-sum.svg")
    ends = (*pictures, "-records.csv", "-phases.csv", ".npz", ".md")
    assert {path.name for path in output.files} == {name + end for end in ends}
    with (tmp_path / f"{name}-phases.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(data.runs)
    for row, run in zip(rows, data.runs, strict=True):
        assert row["class_plus"] == str(run.variant.classes[0])
        assert row["t1"] == ("" if run.phases.t1 is None else str(run.phases.t1))
    with np.load(tmp_path / f"{name}.npz") as arrays:
        assert arrays["classes"].tolist() == [list(run.variant.classes) for run in data.runs]
        np.testing.assert_array_equal(arrays["weights"][3, :, 2], data.runs[3].trajectory.b)
    report = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    for verdict in output.verdicts:
        assert verdict.claim in report
    assert "**Phases**" in report


@pytest.mark.parametrize("name", ["figure2", "figure4"])
def test_pictures_have_labelled_axes_and_shaded_phases(small, name):
    pictures = getattr(das2026, f"draw_{name}")(small[name])
    assert set(pictures) == {"mean", "sum"}
    for picture in pictures.values():
        labels = [ax.get_ylabel() for ax in picture.axes]
        assert "bias $b$" in labels
        assert "accuracy (%)" in labels
        assert picture.axes[-1].get_xlabel() == "gradient descent steps"
        assert picture.axes[-1].get_xscale() == "log"
        shaded = {text.get_text() for legend in picture.legends for text in legend.get_texts()}
        assert {"phase 1", "phase 2", "phase 3", "paper's times"} <= shaded


@pytest.mark.parametrize("name", ["figure2", "figure4"])
@pytest.mark.parametrize("planting", ["antipodal", "iid"])
def test_the_steady_bias_is_drawn_for_mirrored_pairs(name, planting, tmp_path):
    options = {"steps": 100, "seeds": [0], "reductions": ["mean"], "planting": planting}
    sets = (
        {"supports": [(10, 4)], "n": (40, 40)}
        if name == "figure2"
        else {"populations": [((60, 20), (10, 4))]}
    )
    data = getattr(das2026, name)(**options, **sets)
    (picture,) = getattr(das2026, f"draw_{name}")(data).values()
    labels = {line.get_label() for line in picture.axes[0].get_lines()}
    assert ("steady bias of Theorem 4.5" in labels) == (planting == "antipodal")
    getattr(das2026, f"write_{name}")(data, tmp_path)
    report = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    assert ("**Steady bias**" in report) == (planting == "iid")


def test_support_vectors_are_needed_in_both_classes():
    with pytest.raises(ValueError, match="supports must plant in both"):
        das2026.figure2(supports=[(350, 0)])
    with pytest.raises(ValueError, match="populations must plant in both"):
        das2026.figure4(populations=[((10, 10), (0, 0))])
