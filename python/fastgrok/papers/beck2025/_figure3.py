"""Figure 3 of Beck et al. (2025): the two-point model, its margins and when it generalises."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.geometry import MaxMargin, max_margin
from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import Finding, Outcome, Verdict, judge_shares, number
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._draws import F64, TwoPoints
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._reporting import ended_before, write_runs
from fastgrok.papers.beck2025._training import Case, Run, Trainer
from fastgrok.theory import two_point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SECOND_POINTS = (0.5, 0.0, -0.5)
SIGMAS = tuple(np.geomspace(0.5, 100.0, 16).tolist())
DISTANCES = tuple(np.geomspace(1e-4, 0.9, 16).tolist())
# Ways through the map: where lambda or sigma is held, and the growth over the last step of the grid
# that is no convergence.
_SIGMA, _DISTANCE = 3.0, 0.1
_GROWS = 1.2
_LOG_TIME = 0.1


@dataclass(frozen=True)
class Figure3:
    """
    The data behind the figure.

    Attributes
    ----------
    margins : tuple of (float, MaxMargin)
        c, and the largest margin of the points (-1, 1) and (c, 1), labelled -1.
    runs : tuple of Run
        By sigma, then by c = 1 - 2 lambda.
    """

    margins: tuple[tuple[float, MaxMargin], ...]
    runs: tuple[Run, ...]

    def times(self) -> tuple[F64, F64, F64]:
        """Return sigma, c, and lr t at accuracy 0.95 for good: a row for each sigma."""
        sigmas = np.array(list(dict.fromkeys(run.data.sigma for run in self.runs)))
        cs = np.array(list(dict.fromkeys(run.data.c for run in self.runs)))
        times = np.array([run.case.lr * run.kept_from(setting.ACCURACY) for run in self.runs])
        return sigmas, cs, times.reshape(sigmas.size, cs.size)


def figure3(
    trainer: Trainer | None = None,
    *,
    sigmas: Sequence[float] = SIGMAS,
    distances: Sequence[float] = DISTANCES,
    second_points: Sequence[float] = SECOND_POINTS,
    steps: float = 1e12,
) -> Figure3:
    """
    Find the margins, and train the two-point model over a grid of sigma and c = 1 - 2 lambda.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    sigmas, distances : sequence of float
        The grid of sigma and c = 1 - 2 lambda, by default 16 from 0.5 to 100 and 16 from 1e-4 to
        0.9, spaced evenly in the logarithm.
    second_points : sequence of float
        The second of the two points, the first being -1, of the panels on margins.
    steps : float
        Of each run.
    """
    labels = np.full(2, -1.0)
    margins = tuple(
        (c, max_margin(np.array([[-1.0], [c]]), labels, bias="penalized")) for c in second_points
    )
    cases = [
        Case(
            TwoPoints(c, sigma), 0.25 / max(1.0, sigma * sigma), steps, loss="exponential",
            per_decade=40,
        )
        for sigma in sigmas
        for c in distances
    ]  # fmt: skip
    return Figure3(margins, tuple((trainer or Trainer())(cases)))


def judge_figure3(data: Figure3) -> list[Verdict]:
    """
    Judge where the time to accuracy 0.95 diverges, and the map by the closed form.

    Parameters
    ----------
    data : Figure3
        What `figure3` returns.
    """
    sigmas, cs, times = data.times()
    order = np.argsort(cs)
    times = times[:, order]
    runs = np.empty(len(data.runs), dtype=object)
    runs[:] = data.runs
    runs = runs.reshape(times.shape)[:, order]
    middle = int(np.argmin(np.abs(np.log(sigmas / _SIGMA))))
    far = int(np.argmin(np.abs(np.log(cs[order] / _DISTANCE))))
    ways = {
        f"lambda -> 1/2 at sigma = {sigmas[middle]:.3g}": [(middle, 1), (middle, 0)],
        f"sigma -> {sigmas[-1]:.3g} at 1 - 2 lambda = {cs[order][far]:.3g}": [(-2, far), (-1, far)],
        "both": [(-2, 1), (-1, 0)],
    }
    findings = []
    for name, way in ways.items():
        before, end = (float(times[at]) for at in way)
        grows = end / max(before, 1e-300) if before < np.inf else float("nan")
        holds = grows >= _GROWS if name == "both" else grows < _GROWS
        findings.append(
            ended_before(name, [runs[at] for at in way])
            or Finding(
                name,
                Outcome.SHORT if np.isnan(grows) else judge_shares([holds]),
                f"lr t = {number(end)} at the end, {number(grows)} times that one step "
                "of the grid before",
            )
        )
    misses = []
    for run, time in zip(data.runs, times[:, np.argsort(order)].ravel(), strict=True):
        lam, lr = 0.5 * (1.0 - run.data.c), run.case.lr
        expected = lr * float(two_point.accuracy_time(setting.ACCURACY, lam, run.data.sigma, lr))
        if max(expected, time) > 1.0 and time < np.inf:
            misses.append(abs(float(np.log(max(time, 0.1) / max(expected, 0.1)))))
    name, worst = f"{len(misses)} runs with lr t > 1", max(misses, default=float("nan"))
    exact = ended_before(name, data.runs) or Finding(
        name,
        judge_shares([worst <= _LOG_TIME]) if misses else Outcome.SHORT,
        f"log t off by at most {number(worst)}",
    )
    return [
        Verdict.of_all(
            "The time to accuracy 0.95 diverges only where lambda -> 1/2 and sigma -> infinity",
            findings,
            f"Still grows: by a factor of at least {_GROWS:g} over the last step of the grid, a "
            f"factor of {cs[order][1] / cs[order][0]:.2g} in 1 - 2 lambda and "
            f"{sigmas[-1] / sigmas[-2]:.2g} in sigma. Once sigma is large, lr t tends to "
            "about 2 (1 - 2 lambda)^-1.645; at fixed sigma it stays finite as lambda -> 1/2.",
            stated="lambda = 1/2, sigma = infinity",
        ),
        Verdict.of_all(
            "The times are those of the flow in closed form",
            [exact],
            f"Within {_LOG_TIME:g} of log t.",
        ),
    ]


def draw_figure3(data: Figure3) -> "Figure":
    """
    Draw the margins (above) and the map of times (below).

    Parameters
    ----------
    data : Figure3
        What `figure3` returns.
    """
    from matplotlib.colors import LogNorm  # noqa: PLC0415
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    with _draw.styled():
        figure = Canvas(figsize=(_draw.PAGE_WIDTH, 5.0), layout="constrained")
        grid = figure.add_gridspec(2, len(data.margins), height_ratios=(1, 1.5))
        above = [figure.add_subplot(grid[0, k]) for k in range(len(data.margins))]
        for ax, (c, best) in zip(above, data.margins, strict=True):
            _draw_margin(ax, c, best)
        above[0].set_ylabel("1 (the bias's column)")
        below = figure.add_subplot(grid[1, :])
        # First of all, or labels are put where the lines would be on linear axes.
        below.set(
            xscale="log", yscale="log", xlabel=r"$1-2\lambda$", ylabel=r"$\sigma$",
            title="white: the flow in closed form",
        )  # fmt: skip
        sigmas, cs, times = data.times()
        shown = np.where(np.isfinite(times), np.maximum(times, 1.0), np.nan)
        mesh = below.pcolormesh(
            cs, sigmas, shown, norm=LogNorm(), shading="nearest", cmap="viridis"
        )
        figure.colorbar(mesh, ax=below, label=r"$\eta t$ at accuracy 0.95 (runs; 1 or less: dark)")
        fine_c, fine_sigma = (
            np.geomspace(cs.min(), cs.max(), 80),
            np.geomspace(sigmas[0], sigmas[-1], 80),
        )
        lam = 0.5 * (1.0 - fine_c)
        flow = two_point.accuracy_time(setting.ACCURACY, lam, fine_sigma[:, None], 1.0)
        lines = below.contour(
            fine_c, fine_sigma, np.maximum(flow, 1e-3), levels=10.0 ** np.arange(1, 8),
            colors="w", linewidths=0.7,
        )  # fmt: skip
        below.clabel(lines, fmt=lambda v: f"{v:.0e}".replace("e+0", "e"), fontsize=6)
        below.grid(visible=False)
        _draw.label_panels([*above, below])
    return figure


def _draw_margin(ax: Any, c: float, best: MaxMargin) -> None:
    points = np.array([[-1.0, 1.0], [c, 1.0]])
    normal = np.array([best.w[0], best.b])
    margin = 1.0 / np.linalg.norm(normal)  # of the rows (x, 1)
    normal *= margin
    along = np.array([-normal[1], normal[0]])
    line = np.outer(np.array([-3.0, 3.0]), along)
    ax.plot(*line.T, color="0.3", lw=1)
    ax.plot(*(line - margin * normal).T, color="0.3", lw=0.7, ls="--")
    ax.plot(*points.T, "-", color="0.7", lw=1)
    ax.plot(*points.T, "o", color=_draw.BLUE, ms=4)
    arrow = {"arrowstyle": "->", "color": _draw.VERMILION}
    ax.annotate("", -margin * normal, (0.0, 0.0), arrowprops=arrow)
    ax.set(xlim=(-1.4, 1.0), ylim=(-0.4, 1.4), aspect="equal", xlabel="x")
    w, b = (round(float(x), 6) + 0.0 for x in (best.w[0], best.b))
    ax.set_title(f"$x_2$ = {c:g}: w = {w:g}, b = {b:g}", loc="right")


def rows(data: Figure3) -> list[dict[str, Any]]:
    """Make one row for each run of the map."""
    return [
        {
            "sigma": run.data.sigma,
            "c": run.data.c,
            "lr": run.case.lr,
            "step_to_0.95": run.kept_from(setting.ACCURACY),
            "final_accuracy": float(run.test_accuracy[-1]),
        }
        for run in data.runs
    ]


def make_figure3(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(plan: Plan) -> Figure3:
        few = 3 if plan.size.curve_points < 4000 else 1
        return figure3(plan.trainer, sigmas=SIGMAS[::few], distances=DISTANCES[::few])

    return make_item("figure3", settings, folder, train, write_figure3)


def write_figure3(data: Figure3, folder: Path) -> Output:
    """Write the picture (png), the map (CSV, npz) and the report (Markdown)."""
    sigmas, cs, times = data.times()
    return write_runs(
        "figure3", folder, data.runs,
        title="Figure 3: the two-point model",
        made_of="Two points, labels -1, mean exponential loss, descent with learning rate "
        f"0.25 / sigma^2 from 0 to step {data.runs[0].case.steps:g}; {len(data.runs)} runs. Times "
        "are given as lr t, which no longer depends on the learning rate.",
        pictures={"": draw_figure3(data)},
        tables={"map": rows(data)},
        arrays={"sigma": sigmas, "c": cs, "lr_t": times},
        verdicts=judge_figure3(data),
        choices={
            "Margins": "of min S^2 + b^2 subject to -(S x + b) >= 1, for points -1 and x_2.",
            "Time": "from where on the accuracy Phi(-b / (sigma |S|)) stays above 0.95; 0 where "
            "the first step is there already.",
        },
    )  # fmt: skip
