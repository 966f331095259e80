"""What others say of separation: whether there is any, and which coefficients are finite."""

import warnings
from collections.abc import Callable

import numpy as np

import fastgrok as fg

Answer = tuple[bool | None, list[str] | None]
"""Whether rows are separated, and the signs of coefficients, the intercept last; None: not said."""


def by_fastgrok(X: np.ndarray, y: np.ndarray) -> Answer:
    found = fg.separation(X, y)
    return found.separated, found.coefficients


def by_firthmodels(X: np.ndarray, y: np.ndarray) -> Answer:
    from firthmodels import detect_separation  # noqa: PLC0415

    try:
        found = detect_separation(X, (y > 0).astype(int))
    except np.linalg.LinAlgError:
        return None, None
    signs = {0: "finite", 1: "+inf", -1: "-inf"}
    return bool(found.separation), [signs[int(sign)] for sign in found.directions]


def by_statsmodels(X: np.ndarray, y: np.ndarray) -> Answer:
    """Its warnings: of separation, or none; a fit that merely fails to converge says nothing."""
    import statsmodels.api as sm  # noqa: PLC0415
    from statsmodels.tools.sm_exceptions import (  # noqa: PLC0415
        PerfectSeparationError,
        PerfectSeparationWarning,
    )

    design = np.column_stack([X, np.ones(len(X))])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            fit = sm.Logit((y > 0).astype(int), design).fit(disp=0)
        except PerfectSeparationError:
            return True, None
        except np.linalg.LinAlgError:
            return None, None
    if any(issubclass(one.category, PerfectSeparationWarning) for one in told):
        return True, None
    return (False if fit.mle_retvals["converged"] else None), None


PEERS: dict[str, Callable[[np.ndarray, np.ndarray], Answer]] = {
    "fastgrok": by_fastgrok,
    "firthmodels": by_firthmodels,
    "statsmodels": by_statsmodels,
}


def judged(said: Answer, separated: bool, coefficients: list[str]) -> tuple[str, str]:
    """In words: what was said of separation, and of coefficients ("either" is one that is not)."""
    first = "no answer" if said[0] is None else "right" if said[0] == separated else "wrong"
    if said[1] is None:
        return first, "no answer"
    # Who knows signs only is right with either of them where both can be.
    right = sum(
        a == b or (b == "either" and a != "finite")
        for a, b in zip(said[1], coefficients, strict=True)
    )
    return first, f"{right} of {len(coefficients)}"
