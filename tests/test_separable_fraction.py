"""The share of separable draws beside Wendel's probability."""

import csv
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import binom

import fastgrok as fg
from fastgrok.papers import Outcome, Settings
from fastgrok.papers import _separable_fraction as item


@pytest.fixture(scope="module")
def data():
    return item.separable_fraction(n=12, dims=(4, 6, 8), draws=60)


def test_counts_are_those_of_the_verdicts(data):
    for share in data:
        rng = np.random.default_rng([0, 12, share.dim])
        verdicts = [fg.separability(rng.normal(size=(12, share.dim))).verdict for _ in range(60)]
        assert share.separable == verdicts.count("separable")
        assert share.interior == verdicts.count("interior")
        assert share.draws == 60
        assert share.wendel == pytest.approx(binom.cdf(share.dim - 1, 11, 0.5), rel=1e-12)


def test_the_verdict_is_about_the_counts(data):
    (verdict,) = item.judge_separable_fraction(data)
    assert verdict.outcome is Outcome.AGREES
    assert len(verdict.findings) == 3
    # Half of the draws too many in one dimension.
    wrong = item.Share(12, 4, 60, 0, 0, 0, data[0].wendel)
    (verdict,) = item.judge_separable_fraction([wrong, *data[1:]])
    assert verdict.findings[0].outcome is Outcome.DIFFERS
    assert verdict.outcome is Outcome.DIFFERS
    open_draw = item.Share(12, 4, 7, 0, 52, 1, data[0].wendel)
    (verdict,) = item.judge_separable_fraction([open_draw])
    assert verdict.outcome is Outcome.SHORT
    assert "1 draws without a proof" in verdict.text()


def test_the_p_value_is_that_of_the_binomial_law():
    share = item.Share(100, 50, 40, 0, 60, 0, 0.5)
    tail = binom.cdf(40, 100, 0.5)
    assert share.p_value == pytest.approx(2 * tail, rel=1e-9)


def test_files(tmp_path, monkeypatch):
    monkeypatch.setitem(item._DRAWS, "quick", 3)
    output = item.make_separable_fraction(Settings(scale="quick", progress=False), tmp_path)
    assert sorted(path.name for path in output.files) == [
        f"separable.{kind}" for kind in ("csv", "md", "npz", "png", "svg")
    ]
    assert all(path.stat().st_size > 0 for path in output.files)
    with (tmp_path / "separable.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["dim"]) for row in rows] == list(item.DIMS)
    with np.load(tmp_path / "separable.npz", allow_pickle=False) as arrays:
        assert set(arrays.files) == set(rows[0])
        np.testing.assert_array_equal(arrays["separable"], [int(row["separable"]) for row in rows])
    report = (tmp_path / "separable.md").read_text()
    assert output.verdicts[0].claim in report


def test_bad_arguments():
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        item.separable_fraction(draws=0)
    with pytest.raises(ValueError, match=r"dims\[1\] must be at least 1, got 0"):
        item.separable_fraction(dims=(1, 0))


def test_counts_are_those_of_any_number_of_processes(data):
    for processes in (2, 5):
        found = item.separable_fraction(n=12, dims=(4, 6, 8), draws=60, processes=processes)
        assert found == data
    with pytest.raises(ValueError, match="processes must be at least 1, got 0"):
        item.separable_fraction(processes=0)


def test_processes_do_not_run_the_script_that_asks_for_them(tmp_path, data):
    """Whether it asks for its __name__ or not, which this one does not."""
    script = tmp_path / "script.py"
    script.write_text(
        "from fastgrok.papers import _separable_fraction as item\n"
        "print(item.separable_fraction(n=12, dims=(4, 6, 8), draws=60, processes=2))\n"
    )
    shown = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300, check=True
    )
    assert shown.stdout == f"{data}\n"


@pytest.fixture
def begun(monkeypatch):
    children, begin = [], item.child_python

    def child_python(*arguments, **options):
        children.append(begin(*arguments, **options))
        return children[-1]

    monkeypatch.setattr(item, "child_python", child_python)
    return children


def test_who_stops_waiting_ends_the_processes(begun, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(item, "separable_probability", stop)
    with pytest.raises(KeyboardInterrupt):
        item.separable_fraction(n=12, dims=(4, 6, 8, 10), draws=300, processes=2)
    assert len(begun) == 2
    assert all(child.returncode is not None for child in begun)


def test_a_process_that_has_ended_is_not_waited_for(begun, monkeypatch):
    monkeypatch.setattr(item, "_CHILD", "raise SystemExit(3)")
    with pytest.raises(fg.FastgrokError, match="that draws in 4 dimensions has ended"):
        item.separable_fraction(n=12, dims=(4, 6), draws=60, processes=2)
    assert len(begun) == 2
    assert all(child.returncode is not None for child in begun)
