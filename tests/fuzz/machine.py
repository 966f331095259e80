"""Train, stop, resume, extend and ask in any order, and exact steps beside plain NumPy.

A run in pieces must be the run at once: to the last bit of exact steps, within rtol of leaps.
"""

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from calls import WrongError
from drawn import Draw

import fastgrok as fg
from fastgrok.testing import assert_same_bits

sys.path.append(str(Path(__file__).parents[1]))
import reference
from runs import polling_always

LOSSES = ("logistic", "exponential", "squared", "hinge", "squared_hinge")


def _problem(r: Draw) -> tuple[Any, Any, dict[str, Any]]:
    n, d = r.randint(1, 40), r.one_of(1, 2, 3, 7, 16, 17, 20)
    X = r.array(n, d) if r.randrange(3) == 0 else r.array(n, d) % 7.0
    X = np.clip(X, -1e3, 1e3)
    y = np.array([r.one_of(-1.0, 1.0) for _ in range(n)])
    how = {"loss": r.one_of(*LOSSES), "reduction": r.one_of("mean", "sum"),
           "bias": r.one_of(True, False)}  # fmt: skip
    lr = reference.stable_rate(X, y, how["loss"], how["reduction"])
    return X, y, how | {"lr": r.uniform(0.05, 0.9) * min(lr, 1e3)}


def steps(number: int) -> None:
    """Compare exact steps, the loss and the counts with plain NumPy's."""
    r = Draw(number)
    X, y, how = _problem(r)
    count = r.randint(1, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fg.StabilityWarning)
        run = fg.train(
            X, y, steps=count, record=1, keep_weights=True, engine="exact", threads=1, **how
        )
    lr = how.pop("lr")
    w, b = reference.descend(X, y, count, lr, **how)
    c = reference.scale(len(y), how["reduction"])
    size = lr * c * max(reference.gradient_scale(X, y, w[0], 0.0, how["loss"]), 1e-300)
    allowed = 1e-12 * (1.0 + np.arange(count + 1)) * max(size, float(np.abs(w).max()), 1e-300)
    m = np.abs(np.column_stack([reference.margins(X, y, *at) for at in zip(w, b, strict=True)]) - 1)
    if how["loss"].endswith("hinge") and m.min() < 1e-9:
        return  # either side of the kink is right
    apart = np.abs(run.weights[:, :-1] - w).max(axis=1)
    if not ((apart <= allowed) & (np.abs(run.b - b) <= allowed)).all():
        raise WrongError(f"{how} {X.shape}: weights are {apart.max():.3g} apart")
    value = reference.total_loss(X, y, w[-1], b[-1], how["loss"], how["reduction"])
    if not np.isclose(run.losses["train"][-1], value, rtol=1e-9, atol=1e-9 * c):
        raise WrongError(f"{how}: loss {run.losses['train'][-1]!r}, not {value!r}")


class _Stop:
    """Ctrl-C at one of the calls."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, _: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def machine(number: int) -> None:
    """Make one run in pieces."""
    r = Draw(number)
    X, y, how = _problem(r)
    how["engine"] = r.one_of("exact", "auto")
    if how["engine"] == "exact" and r.randrange(2):
        how["optimizer"] = r.one_of("momentum", "adam", "nesterov", "sign", "normalized")
    if r.randrange(4) == 0:
        how["sample_weight"] = np.array([float(r.randint(1, 3)) for _ in y])
    long = how["engine"] == "auto"
    total = r.randint(300, 10**5) if long else r.randint(5, 400)
    record = np.unique([0, *(r.randint(1, total) for _ in range(r.randint(1, 8))), total])
    how |= {"keep_weights": True, "threads": 1, "exact_limit": 2e5}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), polling_always():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", fg.StabilityWarning)
        warnings.simplefilter("ignore", fg.LeapWarning)
        file = Path(folder) / "run"
        try:
            whole = fg.train(X, y, steps=total, record=record, **how)
        except fg.FastgrokError:
            return
        upto = record[: r.randint(1, record.size)]
        pieces = 0
        extended = False
        while True:
            extends = upto[-1] < total
            options = how | {"steps": int(upto[-1]), "record": upto, "checkpoint": file,
                             "checkpoint_interval": 0.0}  # fmt: skip
            if upto[-1] > 0:
                try:
                    pieces += 1
                    stops = pieces < 6 and r.randrange(2)
                    part = fg.train(
                        X, y, progress=_Stop(r.randint(0, 8)) if stops else False, **options
                    )
                except fg.Interrupted:
                    continue
                except fg.FastgrokError as error:
                    raise WrongError(f"{how}: {type(error).__name__}: {error}") from error
            if not extends:
                break
            extended = True
            upto = record[: r.randint(upto.size + 1, record.size)]
        _compare(part, whole, exact=not (long and extended), r=r)


def _compare(part: fg.Trajectory, whole: fg.Trajectory, exact: bool, r: Draw) -> None:
    try:
        if exact:
            assert_same_bits(part, whole)
    except AssertionError as error:
        raise WrongError(f"{whole.params}: in pieces: {error}") from error
    rtol = whole.engine.rtol or 0.0
    apart = np.linalg.norm(part.weights[:, :-1] - whole.weights[:, :-1], axis=1)
    size = np.linalg.norm(whole.weights[:, :-1], axis=1) + 1e-3
    if not (apart <= 2.0 * rtol * size + 1e-300).all():
        raise WrongError(f"{whole.params}: in pieces {(apart / size).max():.3g} apart")
    at = whole.steps[r.randrange(whole.steps.size)]
    w, b = whole.at(int(at))
    row = int(np.flatnonzero(whole.steps == at)[0])
    off = np.abs(w - whole.weights[row, : w.size]).max()
    if off > 0.0 or b != whole.b[row]:
        raise WrongError(f"{whole.params}: at({at}) is {off:.3g} off the record")
    asked = r.randint(0, int(whole.steps[-1]))
    w, _ = whole.at(asked)
    if not np.isfinite(w).all():
        raise WrongError(f"{whole.params}: at({asked}) is {w}")
