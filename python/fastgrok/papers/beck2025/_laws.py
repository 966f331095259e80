"""Other distributions of the data, and the exponential loss."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import Finding, Verdict, judge_shares, spread
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._draws import LAWS, Coordinates
from fastgrok.papers.beck2025._groups import Groups, group_files, train_groups
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._pictures import curves, headline, stacked, step_axis, upper_median
from fastgrok.papers.beck2025._reporting import ended_before, write_runs
from fastgrok.papers.beck2025._training import Case, Run, Trainer, noise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Farther from 1/2 than the learning curves of Figure 1, so that draws of this size are alike.
RATIOS = (0.44, 0.56)
_STEPS = 1e10
_LATE = 10.0


def laws(
    trainer: Trainer | None = None,
    *,
    n: int = 1000,
    seeds: Sequence[int] = range(5),
    names: Sequence[str] = tuple(LAWS),
    ratios: Sequence[float] = RATIOS,
    steps: float = _STEPS,
) -> dict[float, Groups]:
    """
    Train on points of several laws below and above lambda = 1/2, and with the exponential loss.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n : int
        Points.
    seeds, names, ratios : sequence
        Draws, laws of a coordinate (`LAWS`), and values of lambda.
    steps : float
        Of each run.

    Returns
    -------
    dict of float to Groups
        By lambda: a group for each law, and one for the exponential loss on normal points.
    """
    train = trainer or Trainer()
    out = {}
    for ratio in ratios:
        dim = round(ratio * n)
        cases = {
            name: [
                Case(Coordinates(name, n, dim, setting.SIGMA, s), setting.LEARNING_RATE, steps)
                for s in seeds
            ]
            for name in names
        }
        cases["exponential loss"] = [
            Case(
                noise(ratio, n, s, sigma=setting.SIGMA), setting.LEARNING_RATE, steps,
                loss="exponential",
            )
            for s in seeds
        ]  # fmt: skip
        out[ratio] = train_groups(train, cases)
    return out


def judge_laws(data: dict[float, Groups]) -> list[Verdict]:
    """
    Judge whether every law generalises late below 1/2, and not above.

    Parameters
    ----------
    data : dict of float to Groups
        What `laws` returns: runs by lambda.
    """
    findings = []
    for ratio, groups in data.items():
        for name, runs in groups.runs.items():
            train = [_fitted(run) for run in runs]
            kept = [run.kept_from(setting.ACCURACY) for run in runs]
            if ratio < 0.5:
                holds = [_LATE * a <= b < float("inf") for a, b in zip(train, kept, strict=True)]
            else:
                holds = [b == float("inf") for b in kept]
            part = f"lambda = {ratio:g}, {name}"
            findings.append(
                ended_before(part, runs)
                or Finding(
                    part,
                    judge_shares(holds),
                    f"training accuracy 1 at {spread(train)}, population {setting.ACCURACY} for "
                    f"good at {spread(kept)}; last accuracy "
                    f"{spread([float(run.test_accuracy[-1]) for run in runs])}",
                )
            )
    return [
        Verdict.of_all(
            "Other distributions and the exponential loss behave alike",
            findings,
            f"Below 1/2: accuracy {setting.ACCURACY} on the population for good, {_LATE:g} times "
            "later than training accuracy 1. Above: not by the last step.",
        )
    ]


def _fitted(run: Run) -> float:
    right = (run.accuracy >= 1.0) & (run.steps > 0.0)
    return float(run.steps[right][0]) if right.any() else float("inf")


def draw_laws(data: dict[float, Groups]) -> "Figure":
    """
    Draw accuracy against steps, a column for each lambda and a colour for each law.

    Parameters
    ----------
    data : dict of float to Groups
        What `laws` returns: runs by lambda.
    """
    with _draw.styled():
        figure, axes = _draw.panels(1, len(data), height=3.4)
        names = list(next(iter(data.values())).runs)
        for ax, (ratio, groups) in zip(axes[0], data.items(), strict=True):
            for number_, (name, runs) in enumerate(groups.runs.items()):
                color = _draw.PALETTE[number_ % len(_draw.PALETTE)]
                curves(ax, runs, "test_accuracy", color=color, label=name)
                steps, rows = stacked(runs, "accuracy")
                ax.plot(steps[1:], upper_median(rows)[1:], ":", color=color, lw=0.9)
            ax.set(title=rf"$\lambda$ = {ratio:g}", xlabel="steps")
        axes[0, 0].set(ylabel="accuracy (dots: training; lines: population)")
        first = next(iter(data.values())).first
        step_axis(axes, first.case.steps)
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, names, columns=4)
        figure.suptitle(headline(first, next(iter(data.values())).draws), size=8)
    return figure


def make_laws(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(plan: Plan) -> dict[float, Groups]:
        n, names = plan.size.sweep_points, tuple(LAWS)
        seeds = plan.seeds or range(plan.size.sweep_seeds)
        return laws(plan.trainer, n=n, seeds=seeds, names=names[:3] if n < 1000 else names)

    return make_item("laws", settings, folder, train, write_laws)


def write_laws(data: dict[float, Groups], folder: Path) -> Output:
    """Write the pictures (png), all records (CSV, npz) and the report (Markdown)."""
    joined = Groups(
        {f"lambda = {r:g}, {name}": runs for r, g in data.items() for name, runs in g.runs.items()}
    )
    first = joined.first
    return write_runs(
        "laws", folder, joined.all,
        pictures={"": draw_laws(data)},
        **group_files(joined),
        verdicts=judge_laws(data),
        title="other distributions, and the exponential loss",
        made_of=f"N = {first.data.n} points whose coordinates are independent, of mean 0 and "
        f"standard deviation {first.data.sigma:g}, all labelled -1, learning rate "
        f"{first.case.lr:g}, to step {first.case.steps:g}; {joined.draws} draws each.",
        choices={
            "Laws": "; ".join(data[next(iter(data))].runs)
            + ". Exponential (shifted to mean 0) is not symmetric, and Wendel's theorem does not "
            "speak of it.",
            "Population": "an independent sample of the same size; in closed form for the normal "
            "points of the exponential loss.",
        },
    )  # fmt: skip
