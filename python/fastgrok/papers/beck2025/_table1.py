"""Table 1 of Beck et al. (2025): the two-point model at late times, in its three regimes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import (
    Finding,
    Outcome,
    Verdict,
    combine,
    combine_all,
    markdown_table,
    number,
)
from fastgrok.papers.beck2025._draws import TwoPoints
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._reporting import (
    as_arrays,
    ended_before,
    record_rows,
    write_runs,
)
from fastgrok.papers.beck2025._training import Case, Run, Trainer
from fastgrok.theory import two_point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATIOS = (0.25, 0.5, 0.75)
SIGMAS = (1.0, 5.0)
_STEPS = 1e100
# A leading term at step 1e100: relative difference from the run, or, of a slope, absolute.
_NEAR = 0.05


@dataclass(frozen=True)
class Row:
    """
    What a run tends to, as the paper has it and corrected.

    Attributes
    ----------
    run : Run
        The run.
    slope_b, slope_s : float
        Slopes of -b and of S against log t over the last half of the decades.
    paper_b, paper_s, ours_b, ours_s : float
        The same by the paper's Table 1, and with sigma restored; for lambda < 1/2 and 1/2 those of
        S are its last value.
    """

    run: Run
    slope_b: float
    slope_s: float
    paper_b: float
    paper_s: float
    ours_b: float
    ours_s: float


def table1(
    trainer: Trainer | None = None,
    *,
    ratios: Sequence[float] = RATIOS,
    sigmas: Sequence[float] = SIGMAS,
    steps: float = _STEPS,
) -> tuple[Row, ...]:
    """
    Train the two-point model in each regime.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    ratios, sigmas : sequence of float
        Values of lambda in (0, 1], and of sigma.
    steps : float
        Of each run.
    """
    cases = [
        Case(
            TwoPoints(1.0 - 2.0 * lam, sigma), 0.25 / max(1.0, sigma**2), steps,
            loss="exponential", per_decade=10,
        )
        for sigma in sigmas
        for lam in ratios
    ]  # fmt: skip
    return tuple(_row(run) for run in (trainer or Trainer())(cases))


def _row(run: Run) -> Row:
    c, sigma = run.data.c, run.data.sigma
    lam, log_t = 0.5 * (1.0 - c), float(np.log(run.steps[-1]))
    late = run.steps >= np.sqrt(run.steps[-1])
    logs = np.log(run.steps[late])
    slope_b = -float(np.polyfit(logs, run.b[late], 1)[0])
    slope_s = float(np.polyfit(logs, run.norm_w[late], 1)[0])
    last = float(run.norm_w[-1])
    if c > 0.0:
        ours = float(two_point.stationary_point(lam, sigma))
        return Row(run, slope_b, last, 1.0, ours * sigma, 1.0, ours)
    if c == 0.0:
        ours = float(np.log(sigma**2 * log_t) / sigma)
        return Row(run, slope_b, last, 1.0, float(np.log(log_t)), 1.0, ours)
    paper, margin = 2.0 * lam - 1.0, sigma * min(1.0, 2.0 * lam - 1.0)
    return Row(
        run, slope_b, slope_s,
        1.0 / (1.0 + paper**2), paper / (1.0 + paper**2),
        1.0 / (1.0 + margin**2), margin / (1.0 + margin**2),
    )  # fmt: skip


def judge_table1(data: Sequence[Row]) -> list[Verdict]:
    """
    Judge the table as it stands, and with sigma restored.

    Parameters
    ----------
    data : sequence of Row
        What `table1` returns.
    """
    rule = (
        f"Within {100 * _NEAR:g} %, of slopes over the last half of the decades, or of the last "
        "value. The table is for sigma = 1: in general S_infinity has a factor 1/sigma, S at "
        "lambda = 1/2 is log(sigma^2 log t) / sigma, and the margin is sigma min(1, 2 lambda - 1)."
    )
    stated = [_finding(row, row.paper_b, row.paper_s) for row in data]
    # The table does not say for which sigma it is: each is a reading, of all lambda.
    by_sigma: dict[float, list[Outcome]] = {}
    for row, finding in zip(data, stated, strict=True):
        by_sigma.setdefault(row.run.data.sigma, []).append(finding.outcome)
    return [
        Verdict(
            "The late-time b and S are those of Table 1",
            combine(combine_all(outcomes) for outcomes in by_sigma.values()),
            tuple(stated),
            rule,
        ),
        Verdict.of_all(
            "With sigma restored they are",
            [_finding(row, row.ours_b, row.ours_s) for row in data],
            rule,
        ),
    ]


def _finding(row: Row, b: float, s: float) -> Finding:
    """Hold a run against what -b and S are predicted to tend to."""
    name = f"lambda = {0.5 * (1.0 - row.run.data.c):g}, sigma = {row.run.data.sigma:g}"
    near = abs(row.slope_b - b) <= _NEAR * b and abs(row.slope_s - s) <= _NEAR * s
    return ended_before(name, [row.run]) or Finding(
        name,
        Outcome.AGREES if near else Outcome.DIFFERS,
        f"-b grows by {row.slope_b:.4g} log t (predicted {b:.4g}); {_meaning(row)} "
        f"{row.slope_s:.4g} (predicted {s:.4g})",
    )


def _meaning(row: Row) -> str:
    return "S grows per log t by" if row.run.data.c < 0.0 else "S at the end"


def draw_table1(data: Sequence[Row]) -> "Figure":
    """
    Draw -b and S against log t for each regime, a column for each sigma.

    Parameters
    ----------
    data : sequence of Row
        What `table1` returns.
    """
    sigmas = sorted({row.run.data.sigma for row in data})
    with _draw.styled():
        figure, axes = _draw.panels(2, len(sigmas), height=4.0, sharey=False)
        names = []
        for column, sigma in zip(axes.T, sigmas, strict=True):
            rows = [row for row in data if row.run.data.sigma == sigma]
            for row, color in zip(rows, (_draw.BLUE, _draw.ORANGE, _draw.GREEN), strict=False):
                run = row.run
                names.append(rf"$\lambda$ = {0.5 * (1.0 - run.data.c):g}")
                column[0].plot(run.steps[1:], -run.b[1:], color=color, label=names[-1])
                column[1].plot(run.steps[1:], run.norm_w[1:], color=color)
                lam = 0.5 * (1.0 - run.data.c)
                logs = np.log(run.steps[1:])
                S, b = two_point.state(logs, lam, sigma, run.case.lr, log=True)
                column[0].plot(run.steps[1:], -b, "k:", lw=0.8)
                column[1].plot(run.steps[1:], S, "k:", lw=0.8)
            column[0].set(title=rf"$\sigma$ = {sigma:g}", ylabel=r"$-b$")
            column[1].set(xscale="log", yscale="log", xlabel="steps", ylabel="$S$")
            column[1].set_xlim(1.0, run.steps[-1])
            column[1].minorticks_off()
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, list(dict.fromkeys(names)))
        figure.suptitle("two-point model; lines: runs, dots: the flow in closed form", size=8)
    return figure


def table_rows(data: Sequence[Row]) -> list[dict[str, Any]]:
    """Make one row for each run."""
    return [
        {
            "lambda": 0.5 * (1.0 - row.run.data.c),
            "sigma": row.run.data.sigma,
            "b_per_log_t": -row.slope_b,
            "S": row.slope_s,
            "S_is": _meaning(row),
            "paper_b_per_log_t": -row.paper_b,
            "paper_S": row.paper_s,
            "corrected_b_per_log_t": -row.ours_b,
            "corrected_S": row.ours_s,
        }
        for row in data
    ]


def make_table1(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge, and write everything into `folder`."""

    def train(plan: Plan) -> tuple[Row, ...]:
        return table1(plan.trainer)

    return make_item("table1", settings, folder, train, write_table1)


def write_table1(data: Sequence[Row], folder: Path) -> Output:
    """Write the picture (png), the table (CSV), all records (CSV, npz) and the report."""
    runs = [row.run for row in data]
    rows = table_rows(data)
    cells = [[number(v) if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    return write_runs(
        "table1", folder, runs,
        title="Table 1: late times of the two-point model",
        made_of="Two points, labels -1, mean exponential loss, learning rate 0.25 / sigma^2, "
        f"descent from 0 to step {runs[0].case.steps:g}.",
        pictures={"": draw_table1(data)},
        tables={"": rows, "records": record_rows(runs)},
        arrays=as_arrays(runs),
        verdicts=judge_table1(data),
        sections={"The table": markdown_table(list(rows[0]), cells)},
        choices={"sigma": "the table is stated without it."},
    )  # fmt: skip
