"""Ensembles of Das et al. (2026) made up so that the answer is known."""

from fastgrok.papers.das2026 import _ensemble, _setting
from fastgrok.papers.das2026._ensemble import Ensemble
from fastgrok.papers.das2026._setting import Variant
from synthetic_runs import make_run

UNPLANTED = Variant("mean", (0, 0))


def synthetic(variant=UNPLANTED, seed=0, *, steps, counts, phases=None, **fields):
    """Make a run from the counts of correct points, of 2000, by data set."""
    sizes = dict.fromkeys(counts, 2000)
    run = make_run(steps=steps, counts=counts, sizes=sizes, **fields)
    made = _ensemble.summarise(variant, seed, run, support=None)
    return _ensemble.Run(variant, seed, made.trajectory, made.times, phases)


def ensemble(*runs, steps=_setting.STEPS, planting="antipodal"):
    settings = {"steps": steps, "lr": 1e-2, "engine": "auto", "gamma": 1e-3, "alpha": 10.0}
    return Ensemble(tuple(runs), {**settings, "planting": planting})


def find(verdicts, start):
    """Return the verdict on the one claim that starts so."""
    (verdict,) = (verdict for verdict in verdicts if verdict.claim.startswith(start))
    return verdict
