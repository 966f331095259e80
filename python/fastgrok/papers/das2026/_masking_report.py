"""The picture, the verdicts and the report of gradient masking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok import _checks
from fastgrok.papers import _draw
from fastgrok.papers._report import (
    Finding,
    Outcome,
    Verdict,
    judge_shares,
    markdown_table,
    number,
    percent,
    spread,
    verdict_table,
    versions,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("exact", "pgd", "autodiff32", "autodiff64")
_COLORS = {
    "exact": "0.1",
    "pgd": _draw.GREEN,
    "autodiff32": _draw.VERMILION,
    "autodiff64": _draw.BLUE,
}
_NAMES = {
    "exact": "true (exact worst case)",
    "pgd": "PGD with the true sign",
    "autodiff32": "PGD by autodiff, float32",
    "autodiff64": "PGD by autodiff, float64",
}
_TRUE, _AUTODIFF = METHODS[:2], METHODS[2:]

# ||w|| from which a classifier counts as confident, and the accuracy that then looks robust.
_CONFIDENT = 10_000.0
_NOT_CONFIDENT = "||w|| too small"
_ROBUST = 0.9
# Standard errors that a share may lie from its expectation.
_SIGMAS = 4.0


@dataclass(frozen=True)
class MaskingPoint:
    """Adversarial accuracy of w = norm_w * w_true on one draw of the data, by one method."""

    dim: int
    seed: int
    norm_w: float
    method: str
    accuracy: float


@dataclass(frozen=True)
class Masking:
    """
    Adversarial accuracies against the size of the weights.

    Attributes
    ----------
    points : tuple of MaskingPoint
        Ordered by dimension, seed, size of the weights and method.
    settings : dict
        dims, norms, seeds, n, gamma, half_width, eps, step_size and steps.
    """

    points: tuple[MaskingPoint, ...]
    settings: dict[str, Any]

    def curve(self, dim: int, method: str, seed: int) -> list[float]:
        """Accuracies of one draw by one method, one for each size of the weights."""
        wanted = (dim, method, seed)
        return [p.accuracy for p in self.points if (p.dim, p.method, p.seed) == wanted]

    def at(self, dim: int, method: str, norm_w: float) -> list[float]:
        """Accuracies by one method at one size of the weights, one for each draw."""
        wanted = (dim, method, norm_w)
        return [p.accuracy for p in self.points if (p.dim, p.method, p.norm_w) == wanted]


def draw_masking(data: Masking) -> "Figure":
    """
    Draw adversarial accuracy against ||w||, one panel for each dimension.

    Parameters
    ----------
    data : Masking
        What `masking` returns.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    used = data.settings
    norms = np.array(used["norms"])
    with _draw.styled():
        figure, axes = _draw.panels(1, len(used["dims"]), height=2.9)
        for ax, dim in zip(axes[0], used["dims"], strict=True):
            for method in METHODS:
                curves = [100 * np.array(data.curve(dim, method, s)) for s in used["seeds"]]
                color, label = _COLORS[method], _NAMES[method]
                _draw.draws(ax, norms, curves, color=color, label=label)
                if method == "pgd":  # lies on the true curve, so dots on it
                    ax.lines[-1].set(ls="none", marker="o", ms=3.2, zorder=4.0)
            ax.set_title(f"d = {dim}")
            ax.set_xlabel(r"$\|w\|$ (same hyperplane throughout)")
        axes[0, 0].set(xscale="log", ylim=(-3, 103), ylabel="adversarial accuracy (%)")
        draws = len(used["seeds"])
        figure.suptitle(
            f"$\\ell_\\infty$, $\\varepsilon$ = {used['eps']:g}, step {used['step_size']:g}, "
            f"{used['steps']} steps; {sum(used['n'])} rows, {_checks.plural(draws, 'draw')}",
            fontsize=9,
        )
        _draw.label_panels(axes.flat)
        _draw.legend_below(figure, list(_NAMES.values()))
    return figure


def judge_masking(data: Masking) -> list[Verdict]:
    """
    Judge whether confidence makes a linear classifier robust, and what reports that it does.

    Every claim is held against every dimension and method it speaks of, over all draws of the
    data: it agrees (differs) if it holds for all (none) of the draws. Claims about confident
    classifiers need ``||w||`` of 10^4 at least.

    Parameters
    ----------
    data : Masking
        What `masking` returns.

    Returns
    -------
    list of Verdict
    """
    used = data.settings
    first, last = min(used["norms"]), max(used["norms"])
    eps = f"eps = {used['eps']:g}"

    def rises(dim: int, method: str) -> tuple[list[bool], str]:
        before, after = data.at(dim, method, first), data.at(dim, method, last)
        holds = [b < a and a >= _ROBUST for b, a in zip(before, after, strict=True)]
        return holds, f"{spread(before, percent)} % -> {spread(after, percent)} %"

    def constant(dim: int, method: str) -> tuple[list[bool], str]:
        curves = [data.curve(dim, method, seed) for seed in used["seeds"]]
        holds = [min(curve) == max(curve) for curve in curves]
        return holds, f"{spread([x for curve in curves for x in curve], percent)} %"

    def expected(dim: int, method: str) -> tuple[list[bool], str]:
        found = data.at(dim, method, first)
        share = robust_share(dim, used["eps"], used["half_width"])
        error = sqrt(share * (1.0 - share) / sum(used["n"]))
        holds = [abs(x - share) <= _SIGMAS * error + used["gamma"] for x in found]
        wanted = f"expected {100 * share:.1f} +- {100 * error:.1f} %"
        return holds, f"{spread(found, percent)} %, {wanted}"

    far = f"from ||w|| = {number(first)} to {number(last)}"
    decidable = last >= _CONFIDENT
    return [
        _judge(
            data,
            f"Confidence makes a linear classifier robust: {far} its true adversarial accuracy at "
            f"{eps} rises beyond {percent(_ROBUST)} %",
            _TRUE,
            rises,
            decidable,
        ),
        _judge(
            data,
            f"An attack by automatic differentiation reports that it does: {far} the accuracy it "
            f"leaves at {eps} rises beyond {percent(_ROBUST)} %",
            _AUTODIFF,
            rises,
            decidable,
        ),
        _judge(
            data,
            f"The true adversarial accuracy is the same number at every size of w, {far}",
            _TRUE,
            constant,
        ),
        _judge(
            data,
            "The true adversarial accuracy is the probability that |x . w| / ||w|| exceeds eps "
            f"sqrt(d): (1 - {used['eps']:g}/{used['half_width']:g})^2 in the plane, 0 far above it",
            _TRUE,
            expected,
        ),
    ]


def _judge(
    data: Masking,
    claim: str,
    methods: Sequence[str],
    rule: Callable[[int, str], tuple[list[bool], str]],
    decidable: bool = True,
) -> Verdict:
    findings = []
    for dim in data.settings["dims"]:
        for method in methods:
            holds, numbers = rule(dim, method)
            outcome = judge_shares(holds) if decidable else Outcome.SHORT
            findings.append(Finding(f"d = {dim}, {method}", outcome, numbers, _NOT_CONFIDENT))
    return Verdict.of_readings(claim, findings)


def robust_share(dim: int, eps: float, half_width: float) -> float:
    """P(|u| > eps sqrt(d)) of a point of the cube, u its coordinate along the diagonal."""
    if dim == 1:
        return max(1.0 - eps / half_width, 0.0)
    if dim == 2:
        return max(1.0 - eps / half_width, 0.0) ** 2
    # A sum of many uniform numbers is nearly normal, with variance half_width^2 / 3 each.
    return erfc(eps * sqrt(1.5 * dim) / half_width)


def report_masking(data: Masking, verdicts: Sequence[Verdict]) -> str:
    """
    Write the Markdown report: verdicts, the numbers of the picture, and every choice made.

    Parameters
    ----------
    data : Masking
        What `masking` returns.
    verdicts : sequence of Verdict
        What `judge_masking` makes of it.

    Returns
    -------
    str
    """
    used = data.settings
    plus, minus = used["n"]
    seeds = ", ".join(map(str, used["seeds"]))
    parts = [
        "# Gradient masking: adversarial accuracy against ||w||",
        f"The classifier that labels the data of Das et al. (2026), w = ||w|| (1, ..., 1)/sqrt(d) "
        f"and no bias, under the paper's attack: l_inf, eps = {used['eps']:g}, "
        f"{used['steps']} steps of {used['step_size']:g}. It is right on every row before the "
        "attack. Numbers are `median [smallest, largest]` over the draws of the data, in percent.",
        "## Verdicts",
        verdict_table(verdicts),
        "## The numbers behind the verdicts",
        *(verdict.markdown() for verdict in verdicts),
        *(_table(data, dim) for dim in used["dims"]),
        "## Choices",
        f"* **Data**: {plus} and {minus} rows of the two classes, uniform in the cube "
        f"[-{used['half_width']:g}, {used['half_width']:g}]^d, margin gamma = {used['gamma']:g}, "
        f"nothing planted; seeds {seeds}.\n"
        "* **Attack**: from the row itself, no random start; attacked rows are clipped to the "
        "cube.\n"
        "* **Automatic differentiation**: the gradient of the cross-entropy of the logits (0, z), "
        "as PyTorch computes it by log_softmax, in that precision, at the point reached.\n"
        "* **Success** is decided in float64; a logit of exactly 0 counts as wrong.",
        "## Made by",
        f"{versions()}.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(data: Masking, dim: int) -> str:
    rows = [
        (number(norm), *(spread(data.at(dim, method, norm), percent) for method in METHODS))
        for norm in data.settings["norms"]
    ]
    return f"## d = {dim}\n\n" + markdown_table(("||w||", *METHODS), rows)
