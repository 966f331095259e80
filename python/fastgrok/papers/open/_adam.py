"""Adam and AdamW: which margin their direction tends to."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import expit

from fastgrok.geometry import MaxMargin
from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output
from fastgrok.papers._report import Verdict, number, spread
from fastgrok.papers.open._draws import F64, Teacher
from fastgrok.papers.open._pictures import MEDIANS
from fastgrok.papers.open._reporting import cells_table, judge_values, verdict, write_grid
from fastgrok.papers.open._training import Case, Grid, Run, Trainer, train_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Norm = Literal["l2", "linf"]
_COLORS: dict[Norm, str] = {"l2": _draw.BLUE, "linf": _draw.VERMILION}
_MARGINS: dict[Norm, str] = {"l2": r"$\ell_2$ margin", "linf": r"$\ell_\infty$ margin"}

LEARNING_RATE = 0.01
SETTINGS = ("adam", "adamw, weight decay 0.1", "gd")
EPSILONS = (1e-4, 1e-8, 1e-16)
_DECAY = 0.1
# A direction is reached within this cosine, and one is nearer if its cosine is larger by that.
_REACHED, _NEARER = 0.999, 1e-3


def adam(
    trainer: Trainer | None = None,
    *,
    n: int = 30,
    dim: int = 20,
    seeds: Sequence[int] = range(5),
    epsilons: Sequence[float] = EPSILONS,
    steps: float = 1e7,
) -> Grid:
    """
    Train separable points by Adam, by AdamW and by plain descent, every step of the first two.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n, dim : int
        Points and coordinates.
    seeds, epsilons : sequence
        Draws of the data, and values of Adam's eps.
    steps : float
        Of each run.
    """
    draws = [Teacher(n, dim, seed) for seed in seeds]
    cases = {
        (name, f"eps {number(eps)}"): [
            Case(
                draw, LEARNING_RATE, steps, bias=False, optimizer=name.split(",")[0],
                options=(("eps", eps),), weight_decay=_DECAY if "," in name else 0.0,
                keep_weights=True, exact=True,
            )
            for draw in draws
        ]
        for name in SETTINGS[:2]
        for eps in epsilons
    }  # fmt: skip
    cases[SETTINGS[2], "-"] = [
        Case(draw, LEARNING_RATE, steps, bias=False, keep_weights=True) for draw in draws
    ]
    return train_grid(trainer, cases)


def cosines(run: Run, norm: Norm) -> F64:
    """Cosine of the weights and the direction of the maximum margin in a norm, at every record."""
    return np.asarray(run.trajectory.alignment(norm))


def gradients(run: Run) -> F64:
    """Largest entry of the gradient of the mean logistic loss at every record."""
    X, y, _ = run.data.sample()
    weights = run.trajectory.weights[:, :-1]  # type: ignore[index]
    slopes = expit(-y * (weights @ X.T)) * y / len(y)
    out: F64 = np.abs(slopes @ X).max(axis=1)
    return out


def below_eps(run: Run) -> float:
    """First recorded step from which on the gradient's largest entry is below eps; or infinity."""
    above = np.flatnonzero(gradients(run) >= dict(run.case.options).get("eps", 0.0))
    last = int(above[-1]) if above.size else -1
    return float(run.steps[last + 1]) if last + 1 < run.steps.size else float("inf")


def closest(run: Run, norm: Norm) -> tuple[float, float]:
    """Return the largest cosine with the margin's direction in a norm, and its step."""
    values = cosines(run, norm)[1:]
    best = int(np.argmax(values))
    return float(values[best]), float(run.steps[1 + best])


def lead(run: Run) -> float:
    """By how much the last cosine with l_inf is larger than the one with l_2."""
    return float(cosines(run, "linf")[-1] - cosines(run, "l2")[-1])


def turned(run: Run) -> float:
    """How the lead of l_inf changed between when the gradient fell below eps and the end."""
    leads = cosines(run, "linf") - cosines(run, "l2")
    return float(leads[-1] - leads[int(np.searchsorted(run.steps, below_eps(run)))])


def judge_adam(grid: Grid) -> list[Verdict]:
    """
    Judge which direction is reached, and whether the direction turns once eps rules.

    Parameters
    ----------
    grid : Grid
        What `adam` returns.
    """
    reached, near, turns = [], [], []
    for (setting, value), runs in grid.runs.items():
        if setting == "gd":
            continue
        reading = f"{setting}, {value}"
        best = [closest(run, "linf") for run in runs]
        at = spread([step for _, step in best])
        reached.append(
            judge_values(
                reading,
                [cosine for cosine, _ in best],
                lambda cosine: cosine >= _REACHED,
                f"at steps {at}; largest cosine with l_inf",
            )
        )
        near.append(
            judge_values(
                reading,
                [lead(run) for run in runs],
                lambda ahead: ahead >= _NEARER,
                "last cosine with l_inf "
                f"{spread([float(cosines(run, 'linf')[-1]) for run in runs])}, with l_2 "
                f"{spread([float(cosines(run, 'l2')[-1]) for run in runs])}; difference",
            )
        )
        under = [run for run in runs if np.isfinite(below_eps(run))]
        turns.append(
            judge_values(
                reading,
                [turned(run) for run in under],
                lambda change: change <= -_NEARER,
                f"gradient below eps from step {spread([below_eps(run) for run in runs])}; change "
                "of (cosine with l_inf - cosine with l_2) from there on",
            )
        )
    return [
        verdict(
            "The direction reaches that of the l_inf margin",
            reached,
            f"At some record the cosine is {_REACHED:g} or more.",
        ),
        verdict(
            "At the end the direction is nearer to the l_inf margin than to the l_2 margin",
            near,
            f"Its cosine is larger by {_NEARER:g} or more.",
        ),
        verdict(
            "Once the gradient is below eps the direction turns from the l_inf towards the l_2 "
            "margin",
            turns,
            f"From the record where the gradient's largest entry falls below eps for good, the "
            f"cosine with l_inf less that with l_2 falls by {_NEARER:g} or more.",
        ),
    ]


def draw_adam(grid: Grid) -> "Figure":
    """
    Draw 1 - cosine with both margins against steps, a column for each eps, and descent's.

    Parameters
    ----------
    grid : Grid
        What `adam` returns.
    """
    values = list(dict.fromkeys(value for _, value in grid.runs if value != "-"))
    with _draw.styled():
        figure, axes = _draw.panels(2, len(values) + 1, height=4.6, sharey="row")
        for column, value in zip(axes.T, [*values, "-"], strict=True):
            names = SETTINGS[:2] if value != "-" else SETTINGS[2:]
            for ax in column[len(names) :]:
                ax.remove()
            for ax, name in zip(column, names, strict=False):
                runs = grid.runs[name, value]
                for norm, color in _COLORS.items():
                    gaps = [np.maximum(1.0 - cosines(run, norm), 1e-12) for run in runs]
                    _draw.draws(ax, runs[0].steps, gaps, color=color, label=_MARGINS[norm])
                for run in runs:
                    if name != "gd" and np.isfinite(below_eps(run)):
                        ax.axvline(below_eps(run), color="0.6", lw=0.6, label="gradient below eps")
                short = name.replace(", weight decay 0.1", "")
                ax.set(title=short if value == "-" else f"{short}, {value}", yscale="log")
                _draw.log_steps(ax, 1.0, float(runs[0].steps[-1]))
        for ax in axes[:, 0]:
            ax.set(ylabel="1 - cosine with the margin")
        for ax in axes[-1]:
            ax.set(xlabel="steps")
        axes[0, -1].set(xlabel="steps")
        axes[0, -1].tick_params(labelbottom=True)
        _draw.label_panels(figure.axes)
        _draw.legend_below(figure, list(_MARGINS.values()))
        data = grid.all[0].data
        figure.suptitle(
            rf"{data.n} points in {data.dim} dimensions, $\eta$ = {LEARNING_RATE:g}, logistic "
            f"loss, {grid.draws} draws of the data, {MEDIANS}; adamw with weight decay {_DECAY:g}",
            size=8,
        )
    return figure


def write_adam(grid: Grid, folder: Path) -> Output:
    """Write the picture, all records, the cosines and the report."""
    data = grid.all[0].data
    rows = [
        {"setting": setting, "eps": value, "draw": run.data.seed, "step": step,
         "cosine_l2": l2, "cosine_linf": linf, "largest_gradient": gradient}
        for (setting, value), runs in grid.runs.items()
        for run in runs
        for step, l2, linf, gradient in zip(
            run.steps.tolist(), cosines(run, "l2").tolist(), cosines(run, "linf").tolist(),
            gradients(run).tolist(), strict=True,
        )
    ]  # fmt: skip
    return write_grid(
        "adam", folder, grid,
        value="eps",
        title="Adam",
        made_of=f"{data.n} points of N(0, I) in {data.dim} dimensions, labelled by a hyperplane "
        f"through the origin, no bias; learning rate {LEARNING_RATE:g}, beta1 0.9, beta2 0.999, "
        f"mean logistic loss, to step {grid.all[0].case.steps:g}; {grid.draws} draws. Plain "
        "descent for comparison.",
        picture=draw_adam(grid),
        tables={"cosines": rows},
        verdicts=judge_adam(grid),
        choices={
            "Data": "of few points, so that the margins in both norms have directions of their "
            "own: their cosine is in the table.",
            "AdamW": f"with a weight decay of {_DECAY:g}, which keeps every weight below "
            f"{1.0 / _DECAY:g} in size.",
        },
        sections={
            "Directions": cells_table(
                grid,
                {
                    "Cosine of both margins": between,
                    "Gradient below eps from": below_eps,
                    "Nearest to l_inf, cosine": lambda run: closest(run, "linf")[0],
                    "at": lambda run: closest(run, "linf")[1],
                    "Last cosine with l_inf": lambda run: float(cosines(run, "linf")[-1]),
                    "with l_2": lambda run: float(cosines(run, "l2")[-1]),
                    "Last largest gradient": lambda run: float(gradients(run)[-1]),
                },
                "eps",
            )
        },
    )  # fmt: skip


def between(run: Run) -> float:
    """Cosine of the directions of both margins."""
    limits = [run.trajectory.alignment(norm).limit for norm in _COLORS]
    a, b = (limit.w for limit in limits if isinstance(limit, MaxMargin))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
