"""
How often Gaussian points are separable from the origin, beside Wendel's probability.

Beck et al. (2025), arXiv 2410.04489, section 4, argue by Wendel's theorem that lambda = d / N = 1/2
is the edge of separability. Here points are drawn and every draw is decided with proof.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from fastgrok import _checks
from fastgrok._checks.children import child_python
from fastgrok.errors import FastgrokError
from fastgrok.geometry import separability
from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._files import as_columns, write_item
from fastgrok.papers._making import make
from fastgrok.papers._report import (
    Finding,
    Outcome,
    Verdict,
    markdown_table,
    number,
    percent,
    versions,
)
from fastgrok.theory.edge import separable_probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 100
#: Wendel's probability of 100 points goes from 0.0006 to 0.9996 over these.
DIMS = (34, 38, 42, 46, 48, 50, 52, 54, 58, 62, 66)
#: Chance of a verdict "differs" for points that follow Wendel's law, over all dimensions together.
SIGNIFICANCE = 0.01

_DRAWS = {"quick": 200, "default": 2000, "full": 10_000}


@dataclass(frozen=True)
class Share:
    """The verdicts on the draws in one dimension, as counts, and Wendel's probability."""

    n: int
    dim: int
    separable: int
    boundary: int
    interior: int
    undecided: int
    wendel: float

    @property
    def draws(self) -> int:
        """Number of draws."""
        return self.separable + self.boundary + self.interior + self.undecided

    @property
    def share(self) -> float:
        """Share of separable draws."""
        return self.separable / self.draws

    @property
    def p_value(self) -> float:
        """Chance of a count at least as unlikely as this one, by the binomial law."""
        from scipy.stats import binomtest  # noqa: PLC0415 (slow to import)

        return float(binomtest(self.separable, self.draws, self.wendel).pvalue)


def separable_fraction(
    *,
    n: int = POINTS,
    dims: Sequence[int] = DIMS,
    draws: int = 2000,
    seed: int = 0,
    progress: bool = False,
    processes: int = 1,
) -> tuple[Share, ...]:
    """
    Draw Gaussian points again and again, and decide each time whether a half-space holds them all.

    Parameters
    ----------
    n : int, default 100
        Points of a draw.
    dims : sequence of int, default 11 from 34 to 66
        Dimensions, each with draws of its own.
    draws : int, default 2000
        Draws in every dimension.
    seed : int, default 0
        A dimension's draws depend on (seed, n, dim) alone.
    progress : bool, default False
        Show a progress bar on standard error.
    processes : int, default 1
        Dimensions under way at the same time. What a verdict on so few points takes is spent in
        Python, of which threads have one at a time.

    Returns
    -------
    tuple of Share
        The counts of the verdicts of `fastgrok.separability`, by dimension.

    Raises
    ------
    ValueError, TypeError
        For counts below 1, and what is not an integer.
    FastgrokError
        If a process ends before it has drawn in all of its dimensions.
    """
    points = _checks.whole("n", n)
    total = _checks.whole("draws", draws)
    start = _checks.whole("seed", seed, minimum=0)
    sizes = [_checks.whole(f"dims[{i}]", dim) for i, dim in enumerate(dims)]
    workers = _checks.whole("processes", processes)
    out = []
    with tqdm(total=len(sizes) * total, disable=not progress, unit=" draws") as bar:
        found = _all(points, total, start, sizes, workers)
        for dim, verdicts in zip(sizes, found, strict=True):
            bar.update(total)
            out.append(
                Share(
                    points,
                    dim,
                    separable=verdicts["separable"],
                    boundary=verdicts["boundary"],
                    interior=verdicts["interior"],
                    undecided=verdicts["undecided"],
                    wendel=float(separable_probability(points, dim)),
                )
            )
    return tuple(out)


def _all(
    points: int, draws: int, seed: int, dims: Sequence[int], processes: int
) -> Iterator[Counter[str]]:
    """Yield the verdicts by dimension; each process has every so many of them."""
    workers = min(processes, len(dims))
    if workers <= 1:
        for dim in dims:
            yield _verdicts(points, draws, seed, dim)
        return
    children = [
        child_python(_CHILD, points, draws, seed, *dims[k::workers], stdout=PIPE, text=True)
        for k in range(workers)
    ]
    try:
        for i, dim in enumerate(dims):
            out = children[i % workers].stdout
            line = out.readline() if out is not None else ""
            if not line:
                raise FastgrokError(f"the process that draws in {dim} dimensions has ended")
            yield Counter(json.loads(line))
    finally:
        for child in children:
            child.kill()
            child.communicate()


_CHILD = """
import json, sys
from fastgrok.papers._separable_fraction import _verdicts

points, draws, seed, *dims = map(int, sys.argv[1:])
for dim in dims:
    print(json.dumps(_verdicts(points, draws, seed, dim)), flush=True)
"""


def _verdicts(points: int, draws: int, seed: int, dim: int) -> Counter[str]:
    rng = np.random.default_rng([seed, points, dim])
    return Counter(
        separability(rng.normal(size=(points, dim)), threads=1).verdict for _ in range(draws)
    )


def draw_separable_fraction(data: Sequence[Share]) -> "Figure":
    """
    Draw the shares with the range that sampling allows, and what they deviate by.

    Parameters
    ----------
    data : sequence of Share
        What `separable_fraction` returns, for one number of points.

    Returns
    -------
    matplotlib Figure
        Above the shares on Wendel's curve, below their difference from it; the band holds 95 % of
        all counts of so many draws, dimension by dimension.
    """
    from scipy.stats import binom  # noqa: PLC0415 (slow to import)

    n, draws = data[0].n, data[0].draws
    dims = np.array([share.dim for share in data])
    shares = np.array([share.share for share in data])
    every = np.arange(max(dims.min() - 2, 1), dims.max() + 3)
    wendel = np.asarray(separable_probability(n, every))
    low, high = (binom.ppf(q, draws, wendel) / draws for q in (0.025, 0.975))
    at = np.searchsorted(every, dims)
    with _draw.styled():
        figure, axes = _draw.panels(2, 1, height=4.6, sharey=False)
        law = f"Wendel: 95 % of the counts of {draws} draws"
        for ax, less in zip(axes[:, 0], (0.0 * wendel, wendel), strict=True):
            ax.fill_between(
                every / n, low - less, high - less, color=_draw.BLUE, alpha=0.25, lw=0, label=law
            )
            ax.plot(
                every / n, wendel - less, color=_draw.BLUE, lw=1.0, label="Wendel's probability"
            )
            ax.plot(
                dims / n,
                shares - less[at],
                "o",
                color=_draw.VERMILION,
                ms=3.5,
                label="drawn and proved",
            )
            ax.axvline(0.5, color="0.4", lw=0.6, ls=":")
        axes[0, 0].set_ylabel("share separable from the origin")
        axes[1, 0].set_ylabel("share less probability")
        axes[1, 0].set_xlabel(r"$\lambda = d\,/\,N$")
        axes[0, 0].set_title(f"N = {n} Gaussian points, {draws} draws in every dimension")
        _draw.label_panels(axes[:, 0])
        _draw.legend_below(figure, [law, "Wendel's probability", "drawn and proved"])
    return figure


def judge_separable_fraction(data: Sequence[Share]) -> list[Verdict]:
    """
    Hold the counts against Wendel's law.

    A dimension agrees if its count is not too unlikely under the binomial law of that probability:
    the p-value is at least `SIGNIFICANCE` over the number of dimensions. Draws without a proof
    leave it undecided. One dimension that differs settles the verdict.
    """
    least = SIGNIFICANCE / len(data)
    findings = []
    for share in data:
        outcome = Outcome.AGREES if share.p_value >= least else Outcome.DIFFERS
        findings.append(
            Finding(
                f"lambda = {share.dim / share.n:g}",
                Outcome.SHORT if share.undecided else outcome,
                f"{percent(share.share)} % separable, Wendel {percent(share.wendel)} %, "
                f"p-value {number(share.p_value)}",
                reason=f"{share.undecided} draws without a proof",
            )
        )
    return [
        Verdict.of_all(
            f"{data[0].n} Gaussian points are separable from the origin with Wendel's probability, "
            "1/2 at lambda = 1/2",
            findings,
            stated="1/2 at lambda = 1/2",
        )
    ]


def make_separable_fraction(settings: Settings, folder: Path) -> Output:
    """Draw, decide and judge at the scale asked for, and write everything into `folder`."""

    def train(settings: Settings) -> tuple[Share, ...]:
        return separable_fraction(
            draws=_DRAWS[settings.scale], progress=settings.progress, processes=settings.threads
        )

    return make("separable", settings, folder, train, write_separable_fraction)


def write_separable_fraction(data: Sequence[Share], folder: Path) -> Output:
    """Write the picture (separable.png), the counts (CSV and npz) and the report (Markdown)."""
    rows = [
        {
            "n": share.n,
            "dim": share.dim,
            "lambda": share.dim / share.n,
            "separable": share.separable,
            "boundary": share.boundary,
            "interior": share.interior,
            "undecided": share.undecided,
            "wendel": share.wendel,
            "p_value": share.p_value,
        }
        for share in data
    ]
    verdicts = judge_separable_fraction(data)
    return write_item(
        "separable",
        folder,
        pictures={"": draw_separable_fraction(data)},
        tables={"": rows},
        arrays=as_columns(rows),
        verdicts=verdicts,
        report=report_separable_fraction(data, verdicts),
    )


def report_separable_fraction(data: Sequence[Share], verdicts: Sequence[Verdict]) -> str:
    """Write the Markdown report: how it was made, the verdict, the counts."""
    n, draws = data[0].n, data[0].draws
    header = ("d", "lambda", "separable", "boundary", "interior", "undecided", "expected")
    table = markdown_table(
        header,
        [
            (
                *map(str, (s.dim, f"{s.dim / s.n:g}", s.separable, s.boundary, s.interior)),
                str(s.undecided),
                f"{draws * s.wendel:.1f}",
            )
            for s in data
        ],
    )
    parts = [
        "# Beck et al. (2025), section 4: the edge of separability",
        f"{n} standard normal points, drawn {draws} times in each of {len(data)} dimensions. Every "
        "draw is decided by `fastgrok.separability`, whose verdicts are proved: a half-space that "
        "holds all points, or weights that balance them.",
        *(verdict.markdown() for verdict in verdicts),
        "A dimension agrees if the two-sided p-value of its count under the binomial law with "
        f"Wendel's probability is at least {SIGNIFICANCE:g} / {len(data)}; for points that follow "
        f"the law the verdict is 'differs' with a chance of at most {percent(SIGNIFICANCE)} %.",
        "## The counts",
        table,
        "## Made by",
        f"{versions()}.",
    ]
    return "\n\n".join(parts) + "\n"
