"""Gradient masking: the accuracies behind the figure, its verdicts, and what the command leaves."""

import csv
import re
from dataclasses import replace
from functools import partial
from math import comb, factorial, sqrt
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg
import reference_attacks as reference
from fastgrok.cli import main
from fastgrok.papers import Outcome, das2026
from fastgrok.papers.das2026 import _masking as module
from fastgrok.papers.das2026 import _masking_report as report

METHODS = ("exact", "pgd", "autodiff32", "autodiff64")


@pytest.fixture(scope="module")
def small():
    return das2026.masking(
        dims=[2, 40], norms=[1.0, 30.0, 10_000.0], seeds=[3, 4], n=(60, 50), threads=1
    )


def test_every_point_is_the_literal_loop(small):
    assert len(small.points) == 2 * 2 * 3 * 4
    for point in small.points:
        data = fg.datasets.margin_cube((60, 50), dim=point.dim, gamma=1e-3, seed=point.seed)
        w = point.norm_w * data.w_true
        if point.method == "exact":
            kept = np.abs(data.X @ data.w_true) > np.sqrt(point.dim)
        else:
            attacked = reference.attack(
                data.X, data.y, w, 0.0, method=point.method, norm=np.inf, eps=1.0,
                step_size=0.25, steps=20, bounds=(-5.0, 5.0),
            )  # fmt: skip
            kept = data.y * (attacked @ w) > 0.0
        assert point.accuracy == pytest.approx(kept.mean(), abs=1e-15)


def test_curves_and_cuts(small):
    for dim in (2, 40):
        for method in METHODS:
            curves = [small.curve(dim, method, seed) for seed in (3, 4)]
            cuts = [small.at(dim, method, norm) for norm in (1.0, 30.0, 10_000.0)]
            np.testing.assert_array_equal(curves, np.transpose(cuts))
            flat = [p.accuracy for p in small.points if (p.dim, p.method) == (dim, method)]
            np.testing.assert_array_equal(np.ravel(curves), flat)


def test_verdicts(small):
    assert [v.outcome for v in das2026.judge_masking(small)] == ["differs", *["agrees"] * 3]
    assert [len(v.findings) for v in das2026.judge_masking(small)] == [4] * 4
    confident = das2026.judge_masking(small)[0]
    assert [f.reading for f in confident.findings] == [
        "d = 2, exact", "d = 2, pgd", "d = 40, exact", "d = 40, pgd"
    ]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_verdicts_follow_the_data(small, method):
    """Were one method to give other accuracies, the claims about it would come out otherwise."""

    def outcomes(change):
        points = tuple(change(p) if p.method == method else p for p in small.points)
        return [v.outcome for v in das2026.judge_masking(replace(small, points=points))]

    rising = {1.0: 0.5, 30.0: 0.8, 10_000.0: 1.0}
    risen = outcomes(lambda p: replace(p, accuracy=rising[p.norm_w]))
    fallen = outcomes(lambda p: replace(p, accuracy=0.9 if p.norm_w < 2.0 else 0.1))
    half = outcomes(lambda p: replace(p, accuracy=rising[p.norm_w]) if p.seed == 3 else p)
    if method in ("exact", "pgd"):
        assert risen == [Outcome.OPEN, Outcome.AGREES, Outcome.OPEN, Outcome.OPEN]
        assert fallen == [Outcome.DIFFERS, Outcome.AGREES, Outcome.OPEN, Outcome.OPEN]
        assert half[0] == half[2] == Outcome.OPEN
    else:
        assert risen[1] == Outcome.AGREES
        assert fallen == [Outcome.DIFFERS, Outcome.OPEN, Outcome.AGREES, Outcome.AGREES]


def test_weights_that_are_too_small_decide_nothing():
    data = das2026.masking(dims=[2], norms=[1.0, 9999.0], seeds=[0], n=(40, 40))
    assert [v.outcome for v in das2026.judge_masking(data)] == [
        Outcome.SHORT, Outcome.SHORT, Outcome.AGREES, Outcome.AGREES
    ]  # fmt: skip


def outside(dim, distance):
    """P(|S| > distance) of a sum of `dim` uniform numbers on [-1, 1] (Irwin and Hall)."""
    t = (distance + dim) / 2.0
    below = sum((-1) ** k * comb(dim, k) * (t - k) ** dim for k in range(int(t) + 1))
    return 2.0 * (1.0 - below / factorial(dim))


def test_the_expected_accuracy_in_the_plane_and_beyond():
    assert report.robust_share(1, 1.0, 5.0) == pytest.approx(outside(1, 0.2))
    assert report.robust_share(2, 1.0, 5.0) == pytest.approx(outside(2, 2 * 0.2)) == 0.64
    assert report.robust_share(2, 6.0, 5.0) == 0.0
    for dim in (8, 16):  # nearly normal
        exact = outside(dim, dim * 0.2)
        assert report.robust_share(dim, 1.0, 5.0) == pytest.approx(exact, abs=0.01)


def test_expected_is_what_many_rows_give():
    n = (100_000, 100_000)
    data = das2026.masking(dims=[2], norms=[1.0], seeds=[0], n=n)
    error = sqrt(0.64 * 0.36 / sum(n))
    assert data.at(2, "exact", 1.0)[0] == pytest.approx(0.64, abs=4.0 * error)


def test_the_picture_shows_the_points(small):
    figure = das2026.draw_masking(small)
    assert [ax.get_title() for ax in figure.axes] == ["d = 2", "d = 40"]
    for ax, dim in zip(figure.axes, (2, 40), strict=True):
        assert ax.get_xscale() == "log"
        named = {line.get_label(): line for line in ax.lines}
        for method in METHODS:
            line = named[report._NAMES[method]]
            curves = [small.curve(dim, method, seed) for seed in (3, 4)]
            np.testing.assert_array_equal(line.get_xdata(), [1.0, 30.0, 10_000.0])
            np.testing.assert_allclose(line.get_ydata(), 100.0 * np.median(curves, axis=0))


def test_the_files(small, tmp_path):
    output = das2026.write_masking(small, tmp_path)
    assert [path.name for path in output.files] == [
        f"masking.{suffix}" for suffix in ("png", "svg", "csv", "md")
    ]
    with (tmp_path / "masking.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(small.points)
    for row, point in zip(rows, small.points, strict=True):
        assert (int(row["dim"]), int(row["seed"]), row["method"]) == (
            point.dim, point.seed, point.method
        )  # fmt: skip
        assert float(row["norm_w"]) == point.norm_w
        assert float(row["accuracy"]) == point.accuracy
    text = (tmp_path / "masking.md").read_text(encoding="utf-8")
    for verdict in output.verdicts:
        assert verdict.claim in text
    assert "60 and 50 rows" in text
    assert (tmp_path / "masking.png").read_bytes().startswith(b"\x89PNG")


def test_the_command(tmp_path, monkeypatch, capsys):
    seen = []

    def smaller(**settings):
        seen.append(list(settings["seeds"]))
        return das2026.masking(**settings, dims=[2], norms=[1.0, 10_000.0], n=(30, 30))

    monkeypatch.setattr(module, "masking", smaller)
    command = ["reproduce", "das2026", "--figure", "masking", "--out", str(tmp_path)]
    for more in (["--quick"], ["--seeds", "2"]):
        assert main([*command, *more]) == 0
    assert [len(seeds) for seeds in seen] == [3, 2]
    shown = capsys.readouterr().out
    assert "Figure masking: adversarial accuracy against ||w||" in shown
    assert "=> DIFFERS" in shown
    assert {path.name for path in tmp_path.iterdir()} == {
        "masking.png", "masking.svg", "masking.csv", "masking.md"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"norms": [1.0, 0.0]}, ValueError, "norms must be greater than 0, got 0.0"),
        ({"norms": []}, ValueError, "norms must not be empty"),
        ({"norms": [np.nan]}, ValueError, "norms must be finite"),
        ({"seeds": []}, ValueError, "dims and seeds must each hold at least one value"),
        ({"dims": []}, ValueError, "dims and seeds must each hold at least one value"),
        ({"eps": -1.0}, ValueError, "eps must not be negative"),
        ({"dims": ["two"]}, TypeError, "dim must be an integer, got 'two'"),
    ],
)
def test_errors(change, error, words):
    call = partial(das2026.masking, dims=[2], norms=[1.0], seeds=[0], n=(5, 5))
    with pytest.raises(error, match=words):
        call(**change)


DOCS = (Path(__file__).parents[1] / "docs" / "masking.md").read_text(encoding="utf-8")


def test_the_numbers_in_the_documentation():
    norms = [1.0, 10.0, 100.0, 1000.0, 10_000.0]
    data = das2026.masking(norms=norms)
    for dim in (2, 1024):
        for method in METHODS:
            medians = [100.0 * np.median(data.at(dim, method, norm)) for norm in norms]
            cells = " | ".join(f"{value:.4g}" for value in medians)
            assert f"\n| {dim} | `{method}` | {cells} |\n" in DOCS


def test_the_code_in_the_documentation(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    exec(block, {})
    assert "=> DIFFERS" in capsys.readouterr().out
    assert (tmp_path / "masking.png").exists()
    assert "fastgrok reproduce das2026 --figure masking" in DOCS
