"""Theorems 4.5 and 4.6 of Das et al. (2026) over trajectories, and what replaces them: files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._files import as_columns, write_item
from fastgrok.papers._making import make
from fastgrok.papers._report import Verdict
from fastgrok.papers.das2026 import _reporting
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._theory_claims import judge_theory
from fastgrok.papers.das2026._theory_picture import draw_theory
from fastgrok.papers.das2026._theory_runs import GAMMAS, STEPS, Setup, Theory, theory_runs

_SEEDS = {"quick": 1, "default": 3, "full": 10}


def make_theory(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(settings: Settings) -> Theory:
        exact = settings.engine == "exact"
        return theory_runs(
            seeds=range(settings.seeds or _SEEDS[settings.scale]),
            gammas=GAMMAS[:2] if settings.scale == "quick" else GAMMAS,
            engine="exact" if exact else "leap",
            steps=setting.STEPS if exact else STEPS,
            threads=settings.threads,
            progress=settings.progress,
        )

    return make("theory", settings, folder, train, write_theory)


def write_theory(data: Theory, folder: Path) -> Output:
    """
    Write pictures (png), records and times (CSV, npz), and the report (Markdown).

    Parameters
    ----------
    data : Theory
        What `theory_runs` returns.
    folder : Path
        Where the files go; must exist.
    """
    verdicts = judge_theory(data)
    times = time_rows(data)
    return write_item(
        "theory", folder,
        pictures={"": draw_theory(data)},
        tables={"records": record_rows(data), "times": times},
        arrays=as_columns(times),
        verdicts=verdicts,
        report=report_theory(data, verdicts),
    )  # fmt: skip


def report_theory(data: Theory, verdicts: Sequence[Verdict]) -> str:
    """Write the Markdown report."""
    used = data.settings
    ended = [f"{run.setup}, seed {run.setup.seed}: {run.ended}" for run in data.runs if run.ended]
    return _reporting.write_report(
        "the theory over its trajectories, d = 2",
        f"{len(data.runs)} runs to step {used['steps']:g} (engine {used['engine']}), mean of the "
        f"losses, learning rate {used['lr']:g}, D{used['classes']}; the accuracies are those of "
        "the concentrated population in closed form.",
        verdicts,
        {"Runs that ended early": "\n".join(f"* {line}" for line in ended)} if ended else {},
        {
            "Sum or mean": "the mean; the sum of the losses oscillates at this learning rate, and "
            "no theorem speaks of that.",
            "t0": "the first record from which on the support vectors carry half of the gradient.",
            "Learning rate in g(t)": "as it stands, g = 2 sqrt(A_+ A_-) log(t/t0) without it; "
            "restored, the learning rate over n.",
            "Antipodal, iid": "antipodal support vectors make the paper's Assumption 3.1 hold "
            "exactly and A_-/A_+ = s_-/s_+; iid ones are uniform on the margin.",
            "alpha": "at gamma = 4 the slab ends at the cube's corner.",
        },
    )


def _labels(setup: Setup) -> dict[str, Any]:
    return {
        "support_plus": setup.support[0],
        "support_minus": setup.support[1],
        "gamma": setup.gamma,
        "planting": setup.planting,
        "seed": setup.seed,
    }


def record_rows(data: Theory) -> list[dict[str, Any]]:
    """Make one row for each run and record."""
    rows = []
    for run in data.runs:
        nothing = np.full(run.steps.size, np.nan)
        reduced_w, reduced_b = run.reduced or (nothing, nothing)
        columns = {
            "step": run.steps,
            "norm_w": run.norm_w,
            "b": run.b,
            "theorem_4_5_stated": run.stated,
            "theorem_4_5_with_lr": run.restored,
            "reduced_norm_w": reduced_w,
            "reduced_b": reduced_b,
        }
        label = _labels(run.setup)
        for values in zip(*(c.tolist() for c in columns.values()), strict=True):
            rows.append(label | dict(zip(columns, values, strict=True)))
    return rows


def time_rows(data: Theory) -> list[dict[str, Any]]:
    """Make one row for each grokking time."""
    names = ("alpha", "eps", "measured", "stated", "corrected", "reduced")
    return [_labels(t.run.setup) | {name: getattr(t, name) for name in names} for t in data.times]
