"""The report of Figure 1 at d = 2: verdicts, numbers beside the paper's, and choices."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import product

import numpy as np

from fastgrok.papers._report import (
    DECISIVE_SPREAD,
    READING,
    Outcome,
    Verdict,
    markdown_table,
    number,
    percent,
    spread,
    verdict_table,
)
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble
from fastgrok.papers.das2026._figure1_claims import finite

# Training accuracy at which the concentrated accuracy is shown, to see how far behind it is.
_TRAINED = 0.99
_RESOLVED_FROM = 100


def report_figure1(data: Ensemble, verdicts: Sequence[Verdict]) -> str:
    """
    Write the Markdown report: verdicts, Table 1 beside our numbers, and every choice made.

    Parameters
    ----------
    data : Ensemble
        What `figure1` returns.
    verdicts : sequence of Verdict
        What `judge_figure1` makes of it.

    Returns
    -------
    str
    """
    seeds = sorted({run.seed for run in data.runs})
    parts = [
        "# Das et al. (2026), Figure 1 at d = 2: standard and concentrated test sets",
        f"{len(data.runs)} runs of {number(data.settings['steps'])} steps, every step taken; "
        f"{len(seeds)} draws of the data for each reading of the paper. Numbers are "
        "`median [smallest, largest]` over the draws (of an even number of draws the larger of the "
        "two in the middle); times are in steps.",
        "## Verdicts",
        verdict_table(verdicts),
        f"How they are reached: a number agrees if it lies within a factor of {READING:g} of the "
        f"range of the draws, unless the range itself spans more than a factor of "
        f"{DECISIVE_SPREAD:g}, which confirms no number; other claims agree (differ) if they hold "
        "for all (none) of the draws. Readings that come out differently leave the paper "
        "undecided, because it does not say which one it took. Claims about times are judged only "
        f"by runs of at least {number(setting.STEPS)} steps, because the times refer to the best "
        "accuracy up to the horizon.",
        "## The numbers behind the verdicts",
        *(verdict.markdown() for verdict in verdicts),
        "## Which reading fits",
        _tally(data, verdicts),
        "## Table 1 (d = 2) beside these runs",
        _times_table(data),
        "## What the runs reach",
        _reach_table(data),
        "## Choices that the paper leaves open",
        _choices(data, seeds),
        "## Made by",
        f"fastgrok {version('fastgrok')}, NumPy {np.__version__}; the first run's engine: "
        f"{data.runs[0].trajectory.engine}.",
    ]
    return "\n\n".join(parts) + "\n"


def _tally(data: Ensemble, verdicts: Sequence[Verdict]) -> str:
    """Make a table of how many claims each reading agrees with."""
    outcomes = (Outcome.AGREES, Outcome.DIFFERS, Outcome.OPEN, Outcome.SHORT)
    rows = []
    for variant in data.variants:
        of_reading = [f.outcome for v in verdicts for f in v.findings if f.reading == str(variant)]
        rows.append((str(variant), *(str(of_reading.count(outcome)) for outcome in outcomes)))
    header = ("Reading", "agrees", "differs", "depends on the draw", "too few steps")
    return markdown_table(header, rows)


def _times_table(data: Ensemble) -> str:
    stated = {(row.test, row.eps): row for row in setting.TABLE_1}
    rows: list[tuple[str, ...]] = []
    for test, eps in product(setting.TEST_SETS, setting.EPSILONS):
        label = f"{test}, {eps:g}"
        if (test, eps) in stated:
            row = stated[test, eps]
            numbers = (str(row.t_train), str(row.t_test), str(row.zeta))
            rows.append((label, "**paper**", *numbers, "", ""))
        for variant in data.variants:
            times = [run.time(test, eps) for run in data.of(variant)]
            columns = ("t_train", "t_test", "zeta", "sustained_train", "sustained_test")
            found = [spread([finite(getattr(t, column)) for t in times]) for column in columns]
            rows.append((label, str(variant), *found))
    header = ("Test, eps_0", "Reading", "T_tr", "T_te", "zeta", "T_tr sustained", "T_te sustained")
    return markdown_table(header, rows)


def _reach_table(data: Ensemble) -> str:
    rows = []
    for variant in data.variants:
        trajectories = [run.trajectory for run in data.of(variant)]
        early = [
            t.accuracy["concentrated"][np.argmax(t.accuracy["train"] >= _TRAINED)]
            for t in trajectories
            if (t.accuracy["train"] >= _TRAINED).any()
        ]
        final = [
            spread([float(t.accuracy[name][-1]) for t in trajectories], percent)
            for name in ("train", *setting.TEST_SETS)
        ]
        gamma = data.settings["gamma"]
        distance = spread([float(t.distance[-1]) / gamma for t in trajectories])
        first = spread([float(x) for x in early], percent) if early else "never"
        rows.append((str(variant), first, *final, distance))
    header = (
        "Reading",
        f"concentrated % when training first has {percent(_TRAINED)} %",
        "training % at the end",
        "standard % at the end",
        "concentrated % at the end",
        "|b| / ||w|| / gamma at the end",
    )
    return markdown_table(header, rows)


def _resolution(data: Ensemble) -> str:
    """How well the records resolve a time, where a step is no longer finer than that."""
    steps = data.runs[0].trajectory.steps
    late = steps[steps >= _RESOLVED_FROM]
    text = f"{len(steps)} records"
    if len(late) > 1:
        text += (
            f", so a time beyond {_RESOLVED_FROM} steps is known to "
            f"{percent(float((late[1:] / late[:-1]).max()) - 1.0)} %"
        )
    return text


def _choices(data: Ensemble, seeds: Sequence[int]) -> str:
    used = data.settings
    plus, minus = used["n"]
    supports = ", ".join(dict.fromkeys(v.planted for v in data.variants))
    choices = {
        "Sum or mean": "Eq. (3) sums the losses, while the phase times fit their mean; both were "
        f"run with the same learning rate {used['lr']:g} (the sum is the mean with a learning "
        f"rate {plus + minus} times as large).",
        "Support vectors": f"{supports}. Planted ones lie exactly on the margin and are counted "
        f"in D({plus},{minus}); recipe: {used['planting']} (pairs mirrored at the normal, so that "
        "the paper's Assumption 3.1 holds exactly)."
        if used["planting"] == "antipodal"
        else f"{supports}. Planted ones lie exactly on the margin, uniform there, and are counted "
        f"in D({plus},{minus}).",
        "Classes": f"{plus} and {minus} points in all three sets.",
        "Standard test": "an independent draw of the training law without planting, so points "
        f"with |u| < gamma/2 are excluded there too; gamma = {used['gamma']:g}.",
        "Concentrated test": f"gamma/2 <= |u| <= {used['alpha']:g} gamma, uniform in the cube's "
        "slab on either side.",
        "Ties": "a logit of exactly 0, such as all have at the start, counts as wrong; no time "
        "uses step 0.",
        "Logging": f"{_resolution(data)}; the paper logs every 100 steps and cannot tell times "
        "below 100 apart.",
        "Times": "first record at which the count of correct points is at least (1 - eps_0) times "
        "the run's best, in exact arithmetic; 'sustained' is the first record from which it stays "
        "so to the end. The eps_0 of 0.02 is an addition to the paper's 0 and 0.001.",
        "Draws": f"seeds {', '.join(map(str, seeds))}; run s uses the data seeds 3s, 3s + 1 and "
        "3s + 2 for the training, standard and concentrated set. The paper shows one draw.",
    }
    return "\n".join(f"* **{name}**: {text}" for name, text in choices.items())
