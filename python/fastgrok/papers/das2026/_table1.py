"""Table 1 of Das et al. (2026): grokking times beside the paper's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._files import write_item
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._claims import finite
from fastgrok.papers.das2026._ensemble import Ensemble, Options, train_ensemble
from fastgrok.papers.das2026._figure1 import SUPPORTS
from fastgrok.papers.das2026._item import make_item
from fastgrok.papers.das2026._table1_claims import judge_table1
from fastgrok.papers.das2026._table1_picture import draw_table1
from fastgrok.papers.das2026._table1_report import report_table1
from fastgrok.papers.das2026._tables import as_arrays, time_rows


def table1(
    *,
    reductions: Sequence[str] = setting.REDUCTIONS,
    supports: Sequence[tuple[int, int]] = SUPPORTS,
    n: tuple[int, int] = setting.CLASSES,
    **options: Unpack[Options],
) -> Ensemble:
    """
    Train the rows d = 2 of Table 1 of Das et al. (2026) under several readings of the paper.

    Parameters
    ----------
    reductions, supports, n, **options
        As in `figure1`, whose runs these are.

    Returns
    -------
    Ensemble
        One run for each reading and seed.
    """
    return train_ensemble(setting.readings(reductions, supports, n), **options)


def make_table1(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge Table 1 at the scale asked for; see `make_item`."""
    return make_item("table1", settings, folder, table1, write_table1)


def write_table1(data: Ensemble, folder: Path) -> Output:
    """
    Write what Table 1 consists of into an existing folder.

    The table (table1.csv) and the times of every run behind it (table1-times.csv), a picture of
    them (png), the records for NumPy (npz), and the verdicts with the table (Markdown).

    Parameters
    ----------
    data : Ensemble
        What `table1` returns.
    folder : Path
        Where the files go; must exist.
    """
    verdicts = judge_table1(data)
    return write_item(
        "table1",
        folder,
        pictures={"": draw_table1(data)},
        tables={"": summary_rows(data), "times": time_rows(data.runs)},
        arrays=as_arrays(data),
        verdicts=verdicts,
        report=report_table1(data, verdicts),
    )


def summary_rows(data: Ensemble) -> list[dict[str, Any]]:
    """
    Make one row for each row of the paper's table and each reading.

    The paper's numbers, and the smallest, the middle and the largest of the draws; infinity is
    never.
    """
    rows = []
    for row in setting.table_1(data.dim):
        stated = {"t_train": row.t_train, "t_test": row.t_test, "zeta": row.zeta}
        for variant in data.variants:
            times = [run.time(row.test, row.eps) for run in data.of(variant)]
            cells: dict[str, Any] = {
                "test": row.test,
                "eps": row.eps,
                "reduction": variant.reduction,
                "support_plus": variant.support[0],
                "support_minus": variant.support[1],
                "draws": len(times),
            }
            for column, paper in stated.items():
                ordered = sorted(finite(getattr(t, column)) for t in times)
                cells |= {
                    f"paper_{column}": str(paper),
                    f"{column}_min": ordered[0],
                    f"{column}_median": ordered[len(ordered) // 2],
                    f"{column}_max": ordered[-1],
                }
            rows.append(cells)
    return rows
