"""Figure 9 of Beck et al. (2025): how much later than training the two-point model generalises."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._files import as_columns
from fastgrok.papers._report import Finding, Outcome, Verdict, judge_shares, number
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._draws import F64, TwoPoints
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._reporting import (
    ended_before,
    fitted_slope,
    record_rows,
    write_runs,
)
from fastgrok.papers.beck2025._training import Case, Run, Trainer
from fastgrok.theory import two_point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# c = 1 - 2 lambda; sigma and the level of both losses at which the times are read.
DISTANCES = tuple(np.geomspace(1e-4, 0.1, 13).tolist())
FEW_DISTANCES = tuple(np.geomspace(1e-3, 0.1, 4).tolist())
READINGS = ((1.0, 1e-6), (1.0, 1e-16), (5.0, 1e-16), (5.0, 1e-100), (100.0, 1e-16))
SHOWN = 0.001
# The times must be those of the closed form to this, of log t: what reading them off records costs.
_LOG_TIME = 0.05
_MARKERS = "osD^v"


@dataclass(frozen=True)
class Times:
    """
    Times of a run at one level of both losses.

    Attributes
    ----------
    run : Run
        The run, or another of the same c and sigma.
    eps : float
        The level.
    log_train, log_general : float
        Logarithms of the last times at which the training and the population loss equal it, in
        steps; NaN if the population's is not below it at the end.
    """

    run: Run
    eps: float
    log_train: float
    log_general: float

    @property
    def root(self) -> float:
        """sqrt(log(t_gen / t_train)), which the paper plots; NaN where t_gen is the earlier."""
        ratio = self.log_general - self.log_train
        return float(np.sqrt(ratio)) if ratio >= 0.0 else float("nan")


@dataclass(frozen=True)
class Figure9:
    """The times behind the figure, by reading (sigma, eps), then by c."""

    times: tuple[Times, ...]

    def reading(self, sigma: float, eps: float) -> list[Times]:
        """Return the times of one reading."""
        return [t for t in self.times if (t.run.data.sigma, t.eps) == (sigma, eps)]

    @property
    def readings(self) -> list[tuple[float, float]]:
        """The readings, in order."""
        return list(dict.fromkeys((t.run.data.sigma, t.eps) for t in self.times))


def figure9(
    trainer: Trainer | None = None,
    *,
    distances: Sequence[float] = DISTANCES,
    readings: Sequence[tuple[float, float]] = READINGS,
) -> Figure9:
    """
    Train the two-point model and read both times off every run.

    Parameters
    ----------
    trainer : Trainer, optional
        How they are trained.
    distances : sequence of float
        c = 1 - 2 lambda in (0, 1), by default 13 from 1e-4 to 0.1, spaced evenly in the logarithm.
    readings : sequence of (float, float)
        sigma, and the level eps of the losses.
    """
    train = trainer or Trainer()
    cases = []
    for sigma, eps in readings:
        for c in distances:
            lr = _learning_rate(sigma)
            last = two_point.loss_times(eps, 0.5 * (1.0 - c), sigma, lr)[1]
            # A decade beyond where the closed form says that the population's loss gets there.
            steps = 10.0 ** np.ceil(float(np.max(last)) / np.log(10.0) + 1.0)
            cases.append(Case(TwoPoints(c, sigma), lr, steps, loss="exponential", per_decade=40))
    runs = train(cases)
    levels = [eps for _, eps in readings for _ in distances]
    return Figure9(tuple(_times(run, eps) for run, eps in zip(runs, levels, strict=True)))


def _learning_rate(sigma: float) -> float:
    """Return a quarter of what makes the first step on the steeper point as long as S."""
    return 0.25 / max(1.0, sigma * sigma)


def _times(run: Run, eps: float) -> Times:
    return Times(run, eps, last_crossing(run, "loss", eps), last_crossing(run, "test_loss", eps))


def last_crossing(run: Run, name: str, level: float) -> float:
    """Log of the last time at which a loss equals a level, by lines in log-log; NaN if never."""
    values = getattr(run, name)
    above = np.flatnonzero(values[1:] >= level) + 1
    if not above.size or above[-1] == values.size - 1:
        return float("nan")
    i = int(above[-1])
    at, logs = np.log(run.steps[i : i + 2]), np.log(values[i : i + 2])
    return float(at[0] + (np.log(level) - logs[0]) / (logs[1] - logs[0]) * (at[1] - at[0]))


def judge_figure9(data: Figure9) -> list[Verdict]:
    """
    Judge the slope 1/sqrt 2, and the times by the closed form.

    Parameters
    ----------
    data : Figure9
        What `figure9` returns.
    """
    slopes, exact = [], []
    for sigma, eps in data.readings:
        times = [t for t in data.reading(sigma, eps) if not np.isnan(t.root)]
        name = f"sigma = {sigma:g}, eps = {number(eps)}"
        early = ended_before(name, [t.run for t in data.reading(sigma, eps)])
        if early is not None:
            slopes.append(early)
            exact.append(early)
            continue
        if len(times) < 3:
            exact.append(Finding(name, Outcome.SHORT, "too few times", "too few times"))
            slopes.append(Finding(name, Outcome.SHORT, "too few times", "too few times"))
            continue
        c = np.array([t.run.data.c for t in times])
        slope, error, _ = fitted_slope(-np.log(c), np.array([t.root for t in times]))
        saturated = float(np.min(c)) * sigma**2 * -np.log(eps)
        near = abs(slope - setting.SLOPE) <= max(2.0 * error, 0.05 * setting.SLOPE)
        slopes.append(
            Finding(
                name,
                Outcome.AGREES if near else Outcome.DIFFERS,
                f"slope {slope:.3f} +- {error:.3f}, 1/sqrt 2 = {setting.SLOPE:.3f}; "
                f"c sigma^2 log(1/eps) from {number(saturated)} to "
                f"{number(saturated * float(c.max() / c.min()))}",
            )
        )
        misses = []
        for t in times:
            case = t.run.case
            expected = two_point.loss_times(eps, 0.5 * (1.0 - t.run.data.c), sigma, case.lr)
            misses += [
                abs(ours - float(theirs))
                for ours, theirs in zip((t.log_train, t.log_general), expected, strict=True)
            ]
        exact.append(
            Finding(
                name,
                judge_shares([miss <= _LOG_TIME for miss in misses]),
                f"log t of the runs off by at most {number(max(misses))}",
            )
        )
    return [
        Verdict.of_readings(
            "sqrt(log(t_gen / t_train)) grows by 1/sqrt 2 for each unit of |log(1 - 2 lambda)|",
            slopes,
            "Least squares over all c, with the standard error of the slope; agrees within two of "
            "them or 5 %. The slope is a limit: it needs c sigma^2 log(1/eps) large at every c, "
            "so that S is at rest when the losses reach eps. The paper names neither sigma nor "
            "eps. Where t_gen comes before t_train the root does not exist, and the point is left "
            "out.",
            stated="1/sqrt 2",
        ),
        Verdict.of_all(
            "The times are those of the flow in closed form",
            exact,
            f"Both times of every run within {_LOG_TIME:g} of log t; descent is the flow up to "
            "its step.",
        ),
    ]


def draw_figure9(data: Figure9) -> "Figure":
    """
    Draw how the times are read (left), and the root of the log ratio against log c (right).

    Parameters
    ----------
    data : Figure9
        What `figure9` returns.
    """
    with _draw.styled():
        figure, axes = _draw.panels(1, 2, height=3.4, sharex=False, sharey=False)
        left, right = axes[0]
        shown = min(
            data.times,
            key=lambda t: (
                bool(np.isnan(t.log_general)),
                abs(np.log(t.run.data.c / SHOWN)),
                abs(np.log(t.eps / 1e-16)),
            ),
        )
        run = shown.run
        left.plot(run.steps[1:], run.loss[1:], color=_draw.BLUE, label="training")
        left.plot(run.steps[1:], run.test_loss[1:], color=_draw.ORANGE, label="population")
        left.axhline(shown.eps, color="0.5", lw=0.8, ls="--")
        for log_time, color, name in (
            (shown.log_train, _draw.BLUE, "train"),
            (shown.log_general, _draw.ORANGE, "gen"),
        ):
            if np.isnan(log_time):  # the run ended before
                continue
            left.axvline(np.exp(log_time), color=color, lw=0.8, ls=":")
            left.annotate(
                rf"$t_{{{name}}}$",
                (np.exp(log_time), 1.0),
                xycoords=("data", "axes fraction"),
                ha="right",
                va="top",
                xytext=(-2, -2),
                textcoords="offset points",
            )
        left.set(
            xscale="log", yscale="log", xlabel="steps", ylabel="exponential loss (mean)",
            ylim=(shown.eps * 1e-3, max(1e3, 10 * float(run.test_loss.max()))),
            title=rf"$1-2\lambda$ = {run.data.c:.3g}, $\sigma$ = {run.data.sigma:g}, "
            rf"$\epsilon$ = {number(shown.eps)}",
        )  # fmt: skip
        left.minorticks_off()
        left.legend(fontsize=7)
        labels = []
        for (sigma, eps), marker, color in zip(
            data.readings, _MARKERS, _draw.PALETTE, strict=False
        ):
            times = data.reading(sigma, eps)
            c: F64 = np.array([t.run.data.c for t in times])
            label = rf"$\sigma$ = {sigma:g}, $\epsilon$ = {number(eps)}"
            labels.append(label)
            right.plot(c, [t.root for t in times], marker, color=color, ms=3.5, label=label)
            fine = np.geomspace(c.min(), c.max(), 60)
            expected = two_point.loss_times(eps, 0.5 * (1.0 - fine), sigma, _learning_rate(sigma))
            with np.errstate(invalid="ignore"):
                right.plot(fine, np.sqrt(expected[1] - expected[0]), color=color, lw=0.8)
        fine = np.geomspace(min(t.run.data.c for t in data.times), 0.1, 60)
        labels.append(r"limit $\epsilon\to 0$")
        right.plot(
            fine, np.sqrt(two_point.limit_log_ratio(0.5 * (1.0 - fine))), "k--", lw=1,
            label=labels[-1],
        )  # fmt: skip
        right.set(
            xscale="log", xlabel=r"$1-2\lambda$",
            ylabel=r"$\sqrt{\log(t_{gen}/t_{train})}$",
            title="points: runs; lines: the flow in closed form",
        )  # fmt: skip
        right.invert_xaxis()
        _draw.label_panels(axes.ravel())
        right.legend(fontsize=6)
    return figure


def time_rows(data: Figure9) -> list[dict[str, Any]]:
    """Make one row for each run and level."""
    return [
        {
            "sigma": t.run.data.sigma,
            "eps": t.eps,
            "c": t.run.data.c,
            "lr": t.run.case.lr,
            "log_t_train": t.log_train,
            "log_t_general": t.log_general,
            "root": t.root,
        }
        for t in data.times
    ]


def make_figure9(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(plan: Plan) -> Figure9:
        few = plan.size.curve_points < 1000
        return figure9(plan.trainer, distances=FEW_DISTANCES if few else DISTANCES)

    return make_item("figure9", settings, folder, train, write_figure9)


def write_figure9(data: Figure9, folder: Path) -> Output:
    """Write the picture (png), times and records (CSV, npz), and the report (Markdown)."""
    rows = time_rows(data)
    runs = [t.run for t in data.times]
    return write_runs(
        "figure9", folder, runs,
        title="Figure 9: times of the two-point model",
        made_of="Two points, -sigma and sigma (1 - 2 lambda), labels -1, mean exponential loss, "
        "descent from 0 with learning rate 0.25 / sigma^2; the population is N(0, sigma^2). The "
        "data are given, so there are no draws.",
        pictures={"": draw_figure9(data)},
        tables={"times": rows, "records": record_rows(runs)},
        arrays=as_columns(rows),
        verdicts=judge_figure9(data),
        choices={
            "sigma and eps": "not stated; "
            + ", ".join(f"({sigma:g}, {eps:g})" for sigma, eps in data.readings),
            "Times": "the last at which a loss equals eps, by straight lines in log-log between "
            "records, 40 a decade.",
            "Learning rate": "not stated; it moves both times by the same factor.",
        },
    )  # fmt: skip
