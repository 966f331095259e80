"""The share of separable draws beside Wendel's probability."""

import csv

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
        f"separable.{kind}" for kind in ("csv", "md", "npz", "png")
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
    assert item.separable_fraction(n=12, dims=(4, 6, 8), draws=60, processes=2) == data
