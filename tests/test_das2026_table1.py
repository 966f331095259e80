"""Table 1 of Das et al. (2026), rows d = 2: verdicts and files."""

import csv
from math import inf

import pytest

from das2026_runs import ensemble, find, synthetic
from fastgrok.papers import Outcome, das2026
from fastgrok.papers.das2026 import _table1

STEPS = (0, 1, 10, 400, 7_000_000, 10_000_000)


def made_up(seed=0, *, train, concentrated, standard=None):
    counts = {"train": train, "standard": standard or train, "concentrated": concentrated}
    return synthetic(seed=seed, steps=STEPS, counts=counts)


def as_printed(seed=0):
    """The concentrated rows of the paper."""
    return made_up(
        seed,
        train=[0, 1000, 1999, 2000, 2000, 2000],
        concentrated=[0, 1000, 1000, 1000, 2000, 2000],
    )


def test_a_run_with_the_papers_times():
    found = das2026.judge_table1(ensemble(as_printed(), as_printed(1)))
    assert find(found, "Table 1, concentrated, eps_0 = 0:").outcome is Outcome.AGREES
    assert find(found, "Table 1, standard, eps_0 = 0:").outcome is Outcome.DIFFERS
    assert find(found, "Table 1's two values").outcome is Outcome.DIFFERS


def test_points_on_the_margin_hide_a_delay_at_eps_0():
    """As many as S(350,35) holds there: the training curve ends where the test curve does."""
    held = made_up(
        train=[0, 1000, 1900, 1965, 2000, 2000], concentrated=[0, 1000, 1000, 1000, 2000, 2000]
    )
    found = das2026.judge_table1(ensemble(held))
    assert find(found, "Table 1, concentrated, eps_0 = 0:").outcome is Outcome.DIFFERS
    assert find(found, "Table 1's row concentrated, eps_0 = 0").outcome is Outcome.AGREES


def test_both_training_times_need_two_draws():
    late = [0, 1000, 1000, 1000, 2000, 2000]
    early = [0, 1000, 1000, 2000, 2000, 2000]
    draws = (made_up(train=early, concentrated=late), made_up(1, train=late, concentrated=late))
    # Draws that cover both lie so far apart that they confirm neither.
    for runs, expected in ((draws, Outcome.OPEN), (draws[:1], Outcome.DIFFERS)):
        found = das2026.judge_table1(ensemble(*runs))
        assert find(found, "Table 1's two values").outcome is expected


def test_a_short_run_decides_no_time():
    found = das2026.judge_table1(ensemble(as_printed(), steps=10**6))
    assert {verdict.outcome for verdict in found} == {Outcome.SHORT}


def test_the_table_holds_range_and_median():
    counts = ([0, 2000, 2000, 2000, 2000, 2000], [0, 0, 0, 2000, 2000, 2000], [0] * 5 + [2000])
    runs = [made_up(i, train=c, concentrated=c) for i, c in enumerate(counts)]
    rows = _table1.summary_rows(ensemble(*runs))
    assert len(rows) == 3  # one reading
    row = rows[1]
    assert (row["test"], row["eps"], row["draws"]) == ("concentrated", 0.0, 3)
    assert (row["paper_t_train"], row["paper_t_test"]) == ("400", "7e6")
    assert [row[f"t_test_{part}"] for part in ("min", "median", "max")] == [1, 400, 10_000_000]
    assert row["zeta_median"] == 1.0


def test_what_never_comes_is_infinite():
    never = made_up(train=[0] * 6, concentrated=[0] * 6)
    (row, *_) = _table1.summary_rows(ensemble(never))
    assert row["t_test_max"] == inf


@pytest.fixture(scope="module")
def small():
    return das2026.table1(steps=200, seeds=[0, 1], supports=[(0, 0), (10, 4)], n=(40, 40))


def test_everything_is_written(small, tmp_path):
    output = das2026.write_table1(small, tmp_path)
    ends = (".png", ".svg", ".csv", "-times.csv", ".npz", ".md")
    names = {f"table1{end}" for end in ends}
    assert {path.name for path in output.files} == {p.name for p in tmp_path.iterdir()} == names
    with (tmp_path / "table1.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(small.variants)
    report = (tmp_path / "table1.md").read_text(encoding="utf-8")
    for text in ("**paper**", "1.8e4", "**Sum or mean**", "sum, S(10,4)"):
        assert text in report


def test_the_picture_has_a_panel_for_each_row(small):
    picture = das2026.draw_table1(small)
    assert [ax.get_title() for ax in picture.axes] == [
        "standard, $\\epsilon_0$ = 0",
        "concentrated, $\\epsilon_0$ = 0",
        "concentrated, $\\epsilon_0$ = 0.001",
    ]
    labels = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert labels == [str(variant) for variant in small.variants]
    drawn = picture.axes[1].get_lines()[0].get_xdata()
    runs = small.of(small.variants[0])
    assert sorted(drawn) == sorted(run.time("concentrated", 0.0).t_train for run in runs)
