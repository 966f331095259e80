"""The files and the reports of Figures 2 and 4."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastgrok.papers._catalogue import Output
from fastgrok.papers._files import write_item
from fastgrok.papers._report import Verdict, markdown_table, percent, spread
from fastgrok.papers.das2026 import _reporting
from fastgrok.papers.das2026._claims import finite, mirrored
from fastgrok.papers.das2026._ensemble import Ensemble
from fastgrok.papers.das2026._tables import as_arrays, phase_rows, record_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOT_READ_OFF = (
    "follows from the numbers of the support vectors only where they are planted in mirrored "
    "pairs, so what Theorems 4.5 and 4.6 make of these numbers is neither judged nor drawn here."
)


def write_bias(
    name: str,
    title: str,
    data: Ensemble,
    folder: Path,
    *,
    pictures: Mapping[str, "Figure"],
    verdicts: Sequence[Verdict],
    choices: Mapping[str, str],
) -> Output:
    """
    Write a figure on the bias into an existing folder.

    The pictures (NAME-*.png), records and phases (CSV), the records for NumPy (npz), and the
    verdicts with the choices made (Markdown).
    """
    return write_item(
        name,
        folder,
        pictures=pictures,
        tables={"records": record_rows(data.runs), "phases": phase_rows(data.runs)},
        arrays=as_arrays(data),
        verdicts=verdicts,
        report=report_bias(title, data, verdicts, choices),
    )


def report_bias(
    title: str, data: Ensemble, verdicts: Sequence[Verdict], choices: Mapping[str, str]
) -> str:
    """
    Write the Markdown report: verdicts, phases, where the runs end, and every choice made.

    Parameters
    ----------
    title : str
        What is reproduced.
    data : Ensemble
        Runs with planted support vectors.
    verdicts : sequence of Verdict
        What the figure's judge makes of them.
    choices : mapping of str to str
        What the paper leaves open for this figure alone.

    Returns
    -------
    str
    """
    return _reporting.write_report(
        title,
        _reporting.of_runs(data),
        verdicts,
        {
            "Which reading fits": _reporting.tally(data, verdicts),
            "Phases, and where the runs end": _phases_table(data),
        },
        {
            **_reporting.choices(data),
            "Phases": "phase 1 ends at the first record from which on the support vectors carry "
            "at least half of sum_i sigma(-m_i), phase 2 where |b| / ||w|| is largest after that; "
            "the pictures shade the medians over the draws.",
            **({} if mirrored(data) else {"Steady bias": _NOT_READ_OFF}),
            **choices,
        },
        engine=_reporting.engine(data),
    )


def _phases_table(data: Ensemble) -> str:
    rows = []
    for variant in data.variants:
        runs = data.of(variant)
        phases = [run.phases for run in runs if run.phases is not None]
        ends = [
            spread([finite(getattr(p, name)) for p in phases])
            for name in ("t1", "t2", "t3", "peak")
        ]
        gamma = data.settings["gamma"]
        final = [
            spread([run.trajectory.bias_final for run in runs]),
            spread([float(run.trajectory.distance[-1]) / gamma for run in runs]),
            *(
                spread([float(run.trajectory.accuracy[name][-1]) for run in runs], percent)
                for name in ("train", "concentrated")
            ),
        ]
        rows.append((str(variant), *ends, *final))
    header = (
        "Reading",
        "end of phase 1",
        "end of phase 2",
        "concentrated test at its best",
        "peak of |b| / ||w||",
        "b at the end",
        "|b| / ||w|| / gamma at the end",
        "training % at the end",
        "concentrated % at the end",
    )
    return markdown_table(header, rows)
