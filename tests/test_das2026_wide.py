"""Figure 1 and Table 1 of Das et al. (2026) at d = 1024, shrunk: runs, test sets, files."""

import csv
import re

import numpy as np
import pytest

import fastgrok as fg
from das2026_runs import find
from fastgrok.cli import main
from fastgrok.papers import Outcome, das2026
from fastgrok.papers.das2026 import _blocks, _ensemble, _setting, _wide, _wide_runs
from fastgrok.papers.das2026._blocks import BlockLaw, count_right

DIM = 12
SMALL = {
    "n": (300, 300),
    "dim": DIM,
    "gamma": 0.05,
    "supports": [(0, 0), (30, 6)],
    "steps": 10**5,
    "exact_steps": 600.0,
    "settling_steps": 5000.0,
    "orders": 2,
    "threads": 1,
}


@pytest.fixture(scope="module")
def small():
    return das2026.train_wide(**SMALL)


def law(n=500, dim=20, seed=0):
    return BlockLaw(n, dim, gamma=0.05, alpha=10.0, seed=seed)


def whole(law, name):
    """Return a test set in one piece."""
    blocks = list(law.blocks(name, threads=1))
    return np.concatenate([b.X for b in blocks]), np.concatenate([b.y for b in blocks])


class TestBlocks:
    @pytest.fixture(autouse=True)
    def short_blocks(self, monkeypatch):
        monkeypatch.setattr(_blocks, "ROWS", 128)

    def test_a_set_has_its_size_and_its_law(self):
        for name in ("standard", "concentrated"):
            X, y = whole(law(), name)
            assert X.shape == (500, 20)
            assert y.sum() == 0.0
            distances = y * X.sum(axis=1) / 20**0.5
            assert distances.min() >= 0.025
            assert (distances.max() <= 0.5) == (name == "concentrated")
            assert len(np.unique(X, axis=0)) == 500  # no block is another one again

    def test_sets_of_other_draws_are_others(self):
        first, other = (whole(law(seed=s), "standard")[0] for s in (0, 1))
        assert not (first[:64] == other[:64]).any()

    def test_counts_are_those_of_the_library(self):
        """Row by row and hyperplane by hyperplane, with both attacks as `fastgrok` has them."""
        rng = np.random.default_rng(0)
        diagonal = np.full(21, 20**-0.5)
        weights = np.vstack(
            [
                # No weight is below 1, where a float32 gradient could vanish in some columns only.
                *(size * np.append(diagonal[:20] * 20**0.5, 0.1) for size in (1.0, 5.0, 80.0)),
                *(s * rng.choice([-2.0, -1.0, 1.0, 3.0], 21) for s in (1.0, 4.0, 60.0)),
                np.zeros(21),
            ]
        )
        seen = []
        counts = count_right(law(), weights, 1, lambda: seen.append(1))
        assert len(seen) == 2 * law().count == 8
        X, y = whole(law(), "standard")
        near = whole(law(), "concentrated")
        robust = set()
        for k, (*w, b) in enumerate(weights):
            expected = [fg.accuracy(X, y, w, b), fg.accuracy(*near, w, b)]
            for method in ("exact", "autodiff32"):
                share = fg.adversarial_accuracy(X, y, w, b, method=method, bounds=(-5.0, 5.0))
                expected.append(share)
            found = [int(counts[name][k]) for name in _blocks.NAMES]
            assert found == [round(500 * share) for share in expected]
            robust.add(found[3])
        assert len(robust) > 3


def test_rows_keep_their_labels_in_any_order():
    data = fg.datasets.margin_cube((40, 25), DIM, gamma=0.05, dtype=np.float32)
    X, y = np.array(data.X), np.array(data.y)
    _wide_runs.permute(X, y, [0, 1])
    assert not np.array_equal(X, data.X)
    np.testing.assert_array_equal(np.sign(X.sum(axis=1)), y)
    for mine, drawn in ((X, data.X), (y[:, None], data.y[:, None])):
        np.testing.assert_array_equal(np.unique(mine, axis=0), np.unique(drawn, axis=0))
    again = np.array(data.X), np.array(data.y)
    _wide_runs.permute(*again, [0, 2])
    assert not np.array_equal(X, again[0])


class TestRuns:
    def test_readings_and_orders(self, small):
        orders = {}
        for run in small.runs:
            orders.setdefault(str(run.variant), []).append(run.order)
        assert orders == {
            "mean, none planted": [0],
            "sum, none planted": [0, 1],
            "mean, S(30,6)": [0],
            "sum, S(30,6)": [0, 1],
            "mean, none planted, no bias": [0],
            "sum, none planted, no bias": [0],
        }
        assert small.dim == DIM

    def test_a_run_is_that_of_train_on_the_drawn_rows(self, small):
        run = small.runs[0]
        data = fg.datasets.margin_cube((300, 300), DIM, gamma=0.05, dtype=np.float32)
        exact = fg.train(data.X, data.y, steps=10**5, lr=0.01, engine="exact", keep_weights=True)
        np.testing.assert_array_equal(run.trajectory.steps, exact.steps)
        off = np.linalg.norm(run.trajectory.weights - exact.weights, axis=1)
        assert (off <= 2e-6 * np.linalg.norm(exact.weights, axis=1)).all()
        assert run.trajectory.engine.leaps
        assert run.stopped == ""
        # The order of the rows is none of the mean's business, and little of a smooth sum's.
        np.testing.assert_array_equal(run.trajectory.counts["train"], exact.counts["train"])

    def test_another_order_is_another_run(self, small):
        first, second = small.of(_setting.Variant("sum", (0, 0), classes=(300, 300)))
        assert not np.array_equal(first.trajectory.weights, second.trajectory.weights)

    def test_times_are_read_off_the_tested_weights(self, small):
        run = small.runs[1]
        test = BlockLaw(600, DIM, gamma=0.05, alpha=10.0, seed=0)
        X, y = whole(test, "concentrated")
        right = (y * (run.trajectory.weights @ np.column_stack([X, np.ones(600)]).T) > 0.0).sum(1)
        np.testing.assert_array_equal(run.trajectory.counts["concentrated"], right)
        first = int(np.argmax(right[1:] >= right[1:].max())) + 1
        assert run.time("concentrated", 0.0).t_test == run.trajectory.steps[first]

    def test_no_run_keeps_the_rows(self, small):
        assert all(run.trajectory.data is None for run in small.runs)

    def test_every_step_is_taken_up_to_a_limit(self):
        data = das2026.train_wide(
            **SMALL | {"engine": "exact", "exact_steps": 20.0, "settling_steps": 50.0}
        )
        for run in data.runs:
            most = 20 if any(run.variant.support) else 50
            assert run.trajectory.steps[-1] == most
            assert not run.trajectory.engine.leaps
            assert f"{most} exact steps" in run.stopped

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [({"supports": []}, "at least one"), ({"n": (3, 4)}, r"even number.*\(3, 4\)")],
    )
    def test_what_makes_no_sense(self, wrong, message):
        with pytest.raises(ValueError, match=message):
            das2026.train_wide(**SMALL | wrong)


@pytest.fixture(scope="module")
def ended():
    limits = {"exact_steps": 20.0, "settling_steps": 20.0}
    options = SMALL | {"engine": "exact", "steps": _setting.STEPS} | limits
    return das2026.train_wide(**options, reductions=["sum"])


class TestEndedEarly:
    """Where a run of a reading cannot go on, only what it shows before is judged."""

    def test_claims_about_the_horizon_are_not_decided(self, ended):
        verdicts = das2026.judge_figure1(ended)
        perfect = find(verdicts, "The concentrated set is classified perfectly")
        assert perfect.outcome is Outcome.SHORT
        assert "2 of 2 runs ended early, at step 20" in perfect.findings[0].numbers
        # The sum oscillates at once, and later steps cannot change that.
        assert find(verdicts, "Descent at the stated").outcome is Outcome.DIFFERS

    def test_they_can_be_drawn_beside_longer_ones(self, ended, small, tmp_path):
        pytest.importorskip("matplotlib")
        both = _ensemble.Ensemble((*small.runs, *ended.runs), small.settings)
        output = das2026.write_figure1(both, tmp_path)
        assert output.verdicts
        with np.load(tmp_path / "figure1.npz", allow_pickle=False) as arrays:
            weights = arrays["weights"]
            assert weights.shape == (len(both.runs), small.runs[0].trajectory.steps.size, DIM + 1)
            np.testing.assert_array_equal(weights[0], small.runs[0].trajectory.weights)
            assert np.isnan(weights[-1, -1]).all()
            assert "loss_standard" not in arrays  # not computed


@pytest.fixture
def tiny(monkeypatch):
    size = _wide.WideSize(150, 2, 100.0, 100.0, steps=2000)
    monkeypatch.setattr(_wide, "SIZES", dict.fromkeys(_wide.SIZES, size))
    real = _wide.train_wide
    small = {"dim": DIM, "gamma": 0.05, "supports": [(0, 0), (20, 4)]}
    monkeypatch.setattr(_wide, "train_wide", lambda **options: real(**options | small))
    # The paper's rows are of 1024 columns.
    monkeypatch.setattr(_setting, "table_1", lambda dim: _setting.WIDE_TABLE_1)


def test_the_command(tiny, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "das2026", "--dim", "1024", "--threads", "1"]) == 0
    shown = capsys.readouterr()
    folder = tmp_path / "fastgrok-das2026-d1024"
    names = {path.name for path in folder.iterdir()}
    assert {"report.md", "figure1-sum.png", "figure1-adversarial.png", "table1.png"} <= names
    assert "8/8" in shown.err
    assert shown.err.count("0/8 ") == 1  # once for both items
    with (folder / "table1.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["paper_t_test"] for row in rows} == {"1e6", "5e6", "4e6"}
    assert {row["draws"] for row in rows} == {"1", "2"}
    report = (folder / "table1.md").read_text(encoding="utf-8")
    for words in ("**Orders**", "**Size**", "adversarial_autodiff32, 0 |", "2 orders"):
        assert words in report
    assert re.search(r"accuracy on the training.*=> ", shown.out, re.DOTALL)


def test_a_stop_keeps_what_was_trained(tiny, tmp_path, monkeypatch, capsys):
    real = _wide_runs.train
    begun = []

    def stopped(*args, **options):
        begun.append(1)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(_wide_runs, "train", stopped)
    command = ["reproduce", "das2026", "--dim", "1024", "--engine", "exact", "--out", str(tmp_path)]
    assert main(command) == 130
    assert "kept the records of 2 finished" in capsys.readouterr().err
    with (tmp_path / "figure1-partial.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["reduction"] for row in rows} == {"mean", "sum"}
    assert "standard_accuracy" not in rows[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["das2026", "--dim", "3"], "das2026 has nothing at --dim 3 here; offered: --dim 1024"),
        (["beck2025", "--dim", "1024"], "beck2025 has nothing at --dim 1024 here; leave --dim out"),
        (["all", "--dim", "1024"], "--dim needs one paper"),
        (["das2026", "--dim", "1024", "--figure", "3"], "offered: figure 1, table 1"),
        (["das2026", "--dim", "x"], "--dim: must be an integer of at least 1"),
    ],
)
def test_what_is_not_offered(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["reproduce", *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
