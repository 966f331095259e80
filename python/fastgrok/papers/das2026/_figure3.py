"""Figure 3 of Das et al. (2026), the data and the concentrated set at d = 2: files, report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._files import as_columns, write_item
from fastgrok.papers._making import make
from fastgrok.papers._report import Verdict, markdown_table, spread
from fastgrok.papers.das2026 import _reporting
from fastgrok.papers.das2026._figure3_claims import judge_figure3
from fastgrok.papers.das2026._figure3_draws import DataDraws, coordinates, figure3
from fastgrok.papers.das2026._figure3_picture import draw_figure3
from fastgrok.papers.das2026._item import seeds_of


def make_figure3(settings: Settings, folder: Path) -> Output:
    """Draw the data, the picture and the verdicts of Figure 3, and write them into `folder`."""
    return make("figure3", settings, folder, lambda at: figure3(seeds=seeds_of(at)), write_figure3)


def write_figure3(data: DataDraws, folder: Path) -> Output:
    """
    Write what Figure 3 consists of into an existing folder.

    The picture (png), every point of the draw shown (CSV and npz), and the verdicts with the
    choices made (Markdown).

    Parameters
    ----------
    data : DataDraws
        What `figure3` returns.
    folder : Path
        Where the files go; must exist.
    """
    verdicts = judge_figure3(data)
    rows = point_rows(data)
    return write_item(
        "figure3",
        folder,
        pictures={"": draw_figure3(data)},
        tables={"points": rows},
        arrays=as_columns(rows),
        verdicts=verdicts,
        report=report_figure3(data, verdicts),
    )


def point_rows(data: DataDraws) -> list[dict[str, Any]]:
    """Make one row for each point of the first draw: set, class, coordinates, whether planted."""
    rows = []
    for draw in (data.of(variant)[0] for variant in data.variants):
        for name, points in (("train", draw.training), ("concentrated", draw.concentrated)):
            planted = np.zeros(len(points.y), dtype=bool)
            planted[points.support] = True
            columns = (*points.X.T, *coordinates(points), points.y.astype(int), planted)
            for x1, x2, u, v, y, on_margin in zip(*(c.tolist() for c in columns), strict=True):
                rows.append(
                    {
                        "support_plus": draw.variant.support[0],
                        "support_minus": draw.variant.support[1],
                        "seed": draw.seed,
                        "set": name,
                        "y": y,
                        "x1": x1,
                        "x2": x2,
                        "u": u,
                        "v": v,
                        "planted": on_margin,
                    }
                )
    return rows


def report_figure3(data: DataDraws, verdicts: Sequence[Verdict]) -> str:
    """Write the Markdown report: verdicts, how crowded the slab is, and every choice made."""
    seeds = sorted({draw.seed for draw in data.draws})
    return _reporting.write_report(
        "Figure 3: the data and the concentrated set, d = 2",
        f"{len(seeds)} draws of the data for each choice of support vectors; the picture shows the "
        "first. Nothing is trained. u = w_true . x is the distance from the hyperplane that labels "
        "the data. Numbers are `median [smallest, largest]` over the draws.",
        verdicts,
        {"How crowded the margin is": _slab_table(data)},
        {
            "Normal": "w_true = (1, 1) / sqrt(2), of length 1.",
            "Margin": f"no training point has |u| < gamma / 2; gamma = {data.gamma:g}.",
            "Support vectors": "planted on |u| = gamma / 2 without rounding error and counted in "
            f"the classes; recipe: {data.planting}.",
            "Concentrated test": f"gamma/2 <= |u| <= {data.alpha:g} gamma, uniform in the cube's "
            "slab on either side.",
            "Draws": f"seeds {', '.join(map(str, seeds))}, the data of the runs of the other "
            "figures.",
        },
    )


def _slab_table(data: DataDraws) -> str:
    rows = []
    for variant in data.variants:
        cells = []
        for name in ("training", "concentrated"):
            sets = [getattr(draw, name) for draw in data.of(variant)]
            inside = [np.abs(coordinates(s)[0]) <= data.alpha * data.gamma for s in sets]
            cells.append(spread([float(np.count_nonzero(mask)) for mask in inside]))
        rows.append((variant.data, *cells))
    edge = f"|u| <= {data.alpha:g} gamma"
    header = ("Support vectors", f"training points with {edge}", f"concentrated with {edge}")
    return markdown_table(header, rows)
