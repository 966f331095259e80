"""The parts that the reports of all figures and tables have in common."""

from collections.abc import Mapping, Sequence

from fastgrok._checks import plural
from fastgrok.papers._report import (
    DECISIVE_SPREAD,
    READING,
    Outcome,
    Verdict,
    assemble_report,
    markdown_table,
    number,
    percent,
    versions,
)
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._blocks import ROWS, SEED_STEP
from fastgrok.papers.das2026._ensemble import Ensemble

_RESOLVED_FROM = 100


def write_report(
    title: str,
    made_of: str,
    verdicts: Sequence[Verdict],
    sections: Mapping[str, str],
    choices: Mapping[str, str],
    *,
    engine: str = "",
) -> str:
    """
    Assemble a Markdown report as `assemble_report` does, of verdicts reached by one rule.

    `engine` says how the runs were computed, if there were any.
    """
    return assemble_report(
        f"Das et al. (2026), {title}",
        made_of,
        verdicts,
        rule=f"a number agrees if it lies within a factor of {READING:g} of the range of the "
        f"draws, unless the range itself spans more than a factor of {DECISIVE_SPREAD:g}, which "
        "confirms no number; other claims agree (differ) if they hold for all (none) of the "
        "draws. Where readings come out differently the verdict depends on the reading, because "
        "the paper does not say which one it took. Claims about times are judged only by runs of "
        f"at least {number(setting.STEPS)} steps, because the times refer to the best accuracy up "
        "to the horizon. A run in which what a claim needs does not come by then decides nothing "
        "about it.",
        sections=sections,
        choices=choices,
        made_by=f"{versions()}{engine and '; '}{engine}.",
    )


def of_runs(data: Ensemble) -> str:
    """Say what an ensemble is, for the head of a report."""
    several = orders(data)
    drawn = plural(len(seeds(data)), "draw")
    if several > 1:
        drawn += f" of the data in up to {several} orders of the rows"
    else:
        drawn += " of the data"
    return (
        f"{len(data.runs)} runs of {number(data.settings['steps'])} steps, {_ways(data)}; "
        f"{drawn} for each reading of the paper. Numbers are "
        "`median [smallest, largest]` over the draws (of an even number of draws the larger of the "
        "two in the middle); times are in steps."
    )


def _ways(data: Ensemble) -> str:
    """Say how many runs leaped, and how well."""
    engines = [run.trajectory.engine for run in data.runs]
    errors = [max(leap.error for leap in engine.leaps) for engine in engines if engine.leaps]
    if not errors:
        return "every step taken"
    rest = len(engines) - len(errors)
    ended = sum(bool(run.stopped) for run in data.runs)
    short = f"; {ended} ended early, as they could not be leaped" if ended else ""
    return (
        f"of which {len(errors)} leaped over most (to within {number(max(errors))} of ||w|| and of "
        f"max(|b|, 1), as estimated) and {rest} took every one{short}"
    )


def engine(data: Ensemble) -> str:
    """Say how the runs were computed, by the first of them."""
    return f"the first run's engine: {data.runs[0].trajectory.engine}"


def seeds(data: Ensemble) -> list[int]:
    """Return the draws of the data, in order."""
    return sorted({run.seed for run in data.runs})


def orders(data: Ensemble) -> int:
    """Return in how many orders of the rows a draw was trained at most."""
    return 1 + max(run.order for run in data.runs)


def headline(data: Ensemble, what: str, median: str = "thick") -> str:
    """Write a picture's title: the setting that all its panels share."""
    used = data.settings
    populations = {variant.population for variant in data.variants}
    if len(populations) == 1 and data.dim == setting.DIM:
        points = populations.pop()
    else:
        points = f"N = {sum(data.variants[0].classes)}"
    draws, several = plural(len(seeds(data)), "draw"), orders(data)
    if several > 1:
        draws += f" in {several} orders"
    return (
        f"d = {data.dim}, {points}, $\\gamma$ = {used['gamma']:g}, "
        f"$\\eta$ = {used['lr']:g}, {what}; "
        + (draws if draws == "1 draw" else f"{draws}, median {median}")
    )


def tally(data: Ensemble, verdicts: Sequence[Verdict]) -> str:
    """Make a table of how many claims each reading agrees with."""
    outcomes = (Outcome.AGREES, Outcome.DIFFERS, Outcome.OPEN, Outcome.SHORT)
    rows = []
    for variant in data.variants:
        of_reading = [f.outcome for v in verdicts for f in v.findings if f.reading == str(variant)]
        rows.append((str(variant), *(str(of_reading.count(outcome)) for outcome in outcomes)))
    header = ("Reading", "agrees", "differs", "depends on the draw", "not decided by the runs")
    return markdown_table(header, rows)


def choices(data: Ensemble) -> dict[str, str]:
    """Say how the paper was read where it leaves a choice, for items made of runs."""
    used = data.settings
    populations = ", ".join(dict.fromkeys(v.population for v in data.variants))
    supports = ", ".join(dict.fromkeys(v.planted for v in data.variants))
    reductions = " and ".join(dict.fromkeys(v.reduction for v in data.variants))
    total = sum(data.variants[0].classes)
    recipe = (
        "antipodal (pairs mirrored at the normal, so that the paper's Assumption 3.1 holds exactly)"
        if used["planting"] == "antipodal"
        else f"{used['planting']} (uniform on the margin)"
    )
    stated = {
        "Sum or mean": "the text says sum (Eq. 3), which does not settle how the losses of its "
        f"runs were reduced; run: {reductions}, with the same learning rate {used['lr']:g} (the "
        f"sum is the mean with a learning rate {total} times as large).",
        "Support vectors": f"{supports}. Planted ones lie exactly on the margin and are counted "
        f"in {populations}; recipe: {recipe}.",
        "Classes": f"{populations} in training; the test sets have as many points, in classes of "
        "the same size.",
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
        "Draws": f"seeds {', '.join(map(str, seeds(data)))}; run s uses the data seeds 3s, 3s + 1 "
        "and 3s + 2 for the training, standard and concentrated set. The paper shows one draw.",
    }
    return stated if data.dim == setting.DIM else stated | _wide_choices(data)


def _wide_choices(data: Ensemble) -> dict[str, str]:
    total = sum(data.variants[0].classes)
    ended = [run for run in data.runs if run.stopped]
    said = {
        "Size": f"N = {total}; the paper has 10^6 points, 5e5 of each class. Training rows are "
        "rounded to float32, all arithmetic is in float64; leaps are within 1e-6 of ||w||.",
        "Draws": f"seeds {', '.join(map(str, seeds(data)))}; run s trains on the data seed 3s, and "
        f"block k of {ROWS} rows of its standard and concentrated set has the seeds 3s + 1 and "
        f"3s + 2, each plus k * {number(SEED_STEP)}. The paper shows one draw.",
        "Orders": f"the sum is trained in {orders(data)} orders of the same rows, in place of "
        "other draws. Its first steps are chaotic at this learning rate for d of hundreds: two "
        "orders differ in the last bits of the sums over the points, which grow by a factor of 3 "
        "to 4 a step until descent is smooth, so that times of the transient belong to an order "
        "and not to the data. The mean has no such transient and one order, and "
        "so have runs without a bias.",
    }
    if ended:
        reasons = dict.fromkeys(run.stopped.split("; ")[0] for run in ended)
        said["Runs that ended early"] = (
            f"{len(ended)} of {len(data.runs)}, for: {'; '.join(reasons)}. They decide nothing "
            "that hangs on later steps."
        )
    return said


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
