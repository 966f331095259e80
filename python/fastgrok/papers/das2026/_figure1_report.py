"""The report of Figure 1: verdicts, numbers, and choices."""

from collections.abc import Sequence

import numpy as np

from fastgrok.papers._report import Verdict, markdown_table, percent, spread
from fastgrok.papers.das2026 import _attacks, _reporting
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._adversarial_claims import adversarial_table
from fastgrok.papers.das2026._ensemble import Ensemble

# Training accuracy at which the concentrated accuracy is shown, to see how far behind it is.
_TRAINED = 0.99


def report_figure1(data: Ensemble, verdicts: Sequence[Verdict]) -> str:
    """
    Write the Markdown report: verdicts, what the runs reach, and every choice made.

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
    return _reporting.write_report(
        f"Figure 1 at d = {data.dim}: standard, concentrated and adversarial test sets",
        _reporting.of_runs(data),
        verdicts,
        {
            "Which reading fits": _reporting.tally(data, verdicts),
            "What the runs reach": _reach_table(data),
            "Is the robustness real?": adversarial_table(data, verdicts),
        },
        {
            **_reporting.choices(data),
            "Adversary": f"l_inf, eps = {_attacks.EPS:g}, {_attacks.STEPS} steps of "
            f"{_attacks.STEP_SIZE:g}, clipped to [-{setting.HALF_WIDTH:g}, "
            f"{setting.HALF_WIDTH:g}], against the standard test set, whose classes have the same "
            "size, at every record. The paper does not say how the gradient is computed, and names "
            f"a start at the input and one at random: {_run_attacks(data)}. Automatic "
            "differentiation is that of the cross-entropy of the logits (0, w . x + b).",
            "No bias": "the bias stays 0, where it starts.",
        },
        engine=_reporting.engine(data),
    )


def _run_attacks(data: Ensemble) -> str:
    if data.dim == setting.DIM:
        return "all are run"
    return (
        "run are the worst case and automatic differentiation in float32 from the input, in "
        "closed form: a row whose gradient is exactly 0 in float32 stays and counts as robust, "
        "every other one comes to the worst point"
    )


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
