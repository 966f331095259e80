"""What is said of leaps: the printed evidence, why exact steps followed, a warning beforehand."""

import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import fastgrok as fg
from fastgrok import _core
from fastgrok.descent import lost_leaps
from fastgrok.descent.lost_leaps import why_exact
from fastgrok.descent.settings import Settings
from leaps import cube
from runs import StopAtStep, polling_always, train_quietly

CUBE = {"lr": 1e-2, "reduction": "sum", "threads": 1}


def report(**changes):
    fields = {
        "first": 1024.0, "last": 1e30, "pairs": False, "converged": False, "tolerance": 4e-10,
        "accepted": 281, "rejected": 3, "of_order": (0, 1, 2, 3, 4, 5, 6), "evaluations": 1783,
        "products": 2, "overlap_until": 2050.0, "overlap_difference": 1.3e-9, "error": 6.2e-9,
        "checks": ((11_330.0, 256, 2e-9), (2.5e12, 256, 1.04e-4), (8e14, 8, 3e-6)), "ended": "",
    }  # fmt: skip
    return fg.LeapReport(**fields | changes)


SMOOTH = """\
leap, 2,050 steps one by one, v3, 2 threads, 0.125 s
            leap 1,024 to 1e+30: 281 BDF steps, 1,783 evaluations and 2 products
              error estimated at 6e-09 of ||w|| or of max(|b|, 1) at most (allowed: rtol = 1e-08)
              exact steps beside it up to step 2,050 differ by at most 1e-09 of the same \
(allowed: 5e-09)
              3 spot checks: what 256 exact steps add to the weights differs by at most 0.0001 of \
itself (allowed: 0.01), at step 2,500,000,000,000"""
PAIRS = """\
leap, 2,050 steps one by one, v3, 2 threads, 0.125 s
            leap 1,024 to 60,001: over cycles of 2 steps, 281 BDF steps, 1,783 evaluations
              error estimated at 6e-09 of ||w|| or of max(|b|, 1) at most (allowed: rtol = 1e-08)
              exact steps beside it up to step 2,050 differ by at most 1e-09 of the same \
(allowed: 5e-09)
              1 spot check: what 256 exact steps add to the weights differs by at most 4e-09 of \
itself (allowed: 0.01), at step 46,938"""
CONVERGED = """\
leap, 2,050 steps one by one, v3, 2 threads, 0.125 s
            leap 1,024 to 1e+30: 281 BDF steps, 1,783 evaluations and 2 products, at rest
              error estimated at 6e-09 of ||w|| or of max(|b|, 1) at most (allowed: rtol = 1e-08)
              exact steps beside it up to step 2,050 differ by at most 1e-09 of the same \
(allowed: 5e-09)"""
ENDED = """\
leap, 2,050 steps one by one, v3, 2 threads, 0.125 s
            leap 1,024 to 3,350: 281 BDF steps, 1,783 evaluations and 2 products; ended because \
lr * lambda_max exceeds 2 at step 3.5e+03, so that errors can grow
              error estimated at 6e-09 of ||w|| or of max(|b|, 1) at most (allowed: rtol = 1e-08)
              exact steps beside it up to step 2,050 differ by at most 1e-09 of the same \
(allowed: 5e-09)
            no other leap: the updates turned back and forth irregularly at step 8192"""


@pytest.mark.parametrize(
    ("leap", "reason", "expected"),
    [
        (report(), "", SMOOTH),
        (
            report(last=60_001.0, pairs=True, products=0, checks=((46_938.0, 256, 4e-9),)),
            "",
            PAIRS,
        ),
        (report(converged=True, checks=()), "", CONVERGED),
        (
            report(
                last=3350.0,
                checks=(),
                ended="lr * lambda_max exceeds 2 at step 3.5e+03, so that errors can grow",
            ),
            "the updates turned back and forth irregularly at step 8192",
            ENDED,
        ),
    ],
    ids=["smooth", "pairs", "converged", "ended"],
)
def test_the_text_of_a_report(leap, reason, expected):
    engine = fg.EngineReport("leap", 2050, "v3", 2, 0.125, leaps=(leap,), rtol=1e-8, reason=reason)
    assert str(engine) == expected
    without = fg.EngineReport("leap", 2050, "v3", 2, 0.125, leaps=(leap,), reason=leap.ended)
    assert "rtol" not in str(without)
    assert "no other leap" not in str(without)  # said already
    assert str(leap).splitlines()[0] == expected.splitlines()[1].strip()


def test_a_leap_made_again_says_so():
    """The former of two that begin at the same step; the latter may end as well."""
    first = report(last=3350.0, checks=(), ended="the error at step 3500 is estimated at 2e-08")
    for ended in ("", "lr * lambda_max exceeds 2 at step 1e+09, so that errors can grow"):
        second = report(last=1e8, checks=(), tolerance=first.tolerance / 10, ended=ended)
        for third in ((), (report(first=1e8, last=1e9, checks=()),)):
            leaps = (first, second, *third)
            engine = fg.EngineReport("leap", 2050, "v3", 2, 0.125, leaps=leaps, rtol=1e-8)
            told = [line for line in str(engine).splitlines() if line.strip().startswith("leap 1")]
            assert len(told) == len(leaps)
            assert told[0].endswith(
                "; made again from its beginning, with a smaller tolerance, because " + first.ended
            )
            assert told[1].endswith(f"; ended because {ended}" if ended else "products")
            assert str(engine).count("made again") == 1
    assert "made again" not in str(first)


def masked(engine):
    """The text with numbers as #."""
    return re.sub(r"\d[\d,.]*(e[+-]\d+)?", "#", re.sub(r"v[234]|neon", "simd", str(engine)))


FIRST = "leap, # steps one by one over # % of the rows, simd, # thread, # s"
EVIDENCE = [
    "              error estimated at # of ||w|| or of max(|b|, #) at most (allowed: rtol = #)",
    "              exact steps beside it up to step # differ by at most # of the same (allowed: #)",
]
CHECKS = [
    "              # spot checks: what # exact steps add to the weights differs by at most # of "
    "itself (allowed: #), at step #",
]


def test_the_text_of_a_smooth_run():
    X, y = cube()
    run = train_quietly(X, y, steps=1e30, **CUBE)
    line = "            leap # to #: # BDF steps, # evaluations and # products"
    assert masked(run.engine).splitlines() == [FIRST, line, *EVIDENCE, *CHECKS]
    text, (leap,) = str(run.engine), run.engine.leaps
    worst = max(check[2] for check in leap.checks)
    assert f"at most {worst:.1g} of itself (allowed: 0.01)" in text
    assert f"error estimated at {leap.error:.1g} of" in text
    assert worst > 100 * run.engine.rtol  # which is why it has to be said what it is a share of
    assert str(run.engine) in repr(run)


def test_the_text_of_an_orbit():
    X, y = cube((350, 350))
    run = train_quietly(X, y, steps=60_001, **CUBE)
    line = (
        "            leap # to #: over cycles of # steps, # BDF steps, # evaluations and # products"
    )
    check = [CHECKS[0].replace("checks", "check")]
    assert masked(run.engine).splitlines() == [FIRST, line, *EVIDENCE, *check]


def test_the_text_of_a_run_that_came_to_rest():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 2))
    y = np.where(X[:, 0] + 2.0 * rng.normal(size=60) > 0, 1.0, -1.0)
    run = fg.train(X, y, steps=1e20, lr=0.1, threads=1)
    assert run.engine.leaps[-1].converged
    lines = masked(run.engine).splitlines()
    assert lines[0] == FIRST.replace(" over # % of the rows", "")
    assert lines[-len(EVIDENCE) :] == EVIDENCE or lines[-len(EVIDENCE) - 1 : -1] == EVIDENCE
    assert sum(line.endswith(", at rest") for line in lines) == 1


def test_the_text_of_a_leap_that_ended():
    X, y = cube()
    with polling_always(), pytest.raises(fg.Interrupted) as stopped:
        train_quietly(X, y, steps=1e60, progress=StopAtStep(1e9), **CUBE)
    engine = stopped.value.trajectory.engine
    line = (
        "            leap # to #: # BDF steps, # evaluations and # products; ended because it was "
        "stopped"
    )
    assert masked(engine).splitlines() == [FIRST, line, *EVIDENCE, *CHECKS]
    assert engine.reason == "it was stopped"


# ------------------------------------------------------------------------ why exact steps followed


def engine(*leaps, reason="", reached=1e6, exact_steps=4000, exact_ahead=0.0):
    fields = ("first", "last", "ended")
    return SimpleNamespace(
        leaps=[dict(zip(fields, leap, strict=True)) for leap in leaps], reason=reason,
        reached=reached, exact_steps=exact_steps, exact_ahead=exact_ahead,
    )  # fmt: skip


TO_THE_END = (2048.0, 1e6, "")


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (engine(), ""),
        (engine(reason="irregular"), "irregular"),
        (engine(TO_THE_END), ""),
        (engine(TO_THE_END, reason="too early at 128"), ""),  # before the leap, which is no loss
        (engine((128.0, 900.0, "wrong")), "wrong"),
        (engine((128.0, 1e6, "it was stopped"), reason="too early at 64"), "it was stopped"),
        (engine((128.0, 900.0, "wrong"), reason="irregular later"), "irregular later"),
        (engine((128.0, 900.0, "wrong"), TO_THE_END), "wrong"),
        (engine((128.0, 900.0, "wrong"), TO_THE_END, reason="still wrong"), "still wrong"),
        # Leaped again from the same step with a finer tolerance: no exact steps in between.
        (engine((2048.0, 900.0, "wrong"), TO_THE_END), ""),
        (engine((128.0, 900.0, "coarse"), (128.0, 2000.0, "wrong"), TO_THE_END), "wrong"),
        (engine((128.0, 900.0, "")), "the leap to step 900 went no further"),
    ],
)
def test_why_exact_steps_followed_a_leap(engine, reason):
    assert why_exact(engine) == reason


@pytest.mark.parametrize("seed", range(12))
def test_a_run_whose_leaps_were_lost_says_why(seed):
    """Rows far from the start become active all of a sudden: some leaps end there."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20, 3))
    y = np.where(X[:, 0] + rng.normal(size=20) > 0.3, 1.0, -1.0)
    run = fg.train(X, y, steps=6000, lr=0.02, w0=3.0 * rng.normal(size=3), b0=3.0)
    leaps = run.engine.leaps
    beyond = run.engine.exact_steps > leaps[0].overlap_until if leaps else True
    assert bool(run.engine.reason) == beyond
    assert all(leap.ended in (run.engine.reason, *(one.ended for one in leaps)) for leap in leaps)


# ------------------------------------------------------------------- a warning before many of them


class Losing:
    """The engine, as if a leap had been lost before: it polls with these numbers of exact steps."""

    def __init__(self, real, ahead):
        self._real, self._ahead = real, ahead
        self.reached, self.exact_steps, self.exact_ahead = 3e6, 514, 0.0
        self.leaps = [{"first": 256.0, "last": 3e6, "ended": "the error was too large"}]
        self.reason = "the error was too large"

    def run(self, poll, seconds):
        try:
            for ahead in self._ahead:
                self.exact_ahead = ahead
                for _ in range(3):
                    poll(self.reached)
                    self.exact_steps += 1000
        finally:  # from here on it is the real one
            for name in ("reached", "exact_steps", "leaps", "reason"):
                delattr(self, name)
            self.exact_ahead = 0.0
        return self._real.run(poll, seconds)

    def __getattr__(self, name):
        return getattr(self._real, name)


@pytest.fixture
def lose(monkeypatch):
    real = Settings.leaping

    def these(*ahead):
        def leaping(self, descent):
            engine = real(self, descent)
            return None if engine is None else Losing(engine, ahead)

        monkeypatch.setattr(Settings, "leaping", leaping)

    return these


TEXT = (
    "25,000,000 steps are taken one by one from step 3,514 on: a leap was lost because the error "
    "was too large; a larger rtol may keep it, a smaller exact_limit ends the run instead"
)


@pytest.mark.parametrize("progress", [False, True, lambda step: None])
def test_many_exact_steps_are_warned_of_once(lose, progress):
    lose(0.0, 2.5e7, 0.0, 3e7)
    X, y = cube(seed=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fg.train(X, y, steps=30_000, lr=1e-3, progress=progress)
    (warning,) = caught
    assert warning.category is fg.LeapWarning
    assert str(warning.message) == TEXT


@pytest.mark.parametrize("progress", [False, True, lambda step: None])
def test_the_warning_is_of_the_line_that_trains(monkeypatch, progress):
    monkeypatch.setattr(_core.LeapingDescent, "exact_ahead", 2.5e7, raising=False)
    X, y = cube(seed=3)
    with polling_always(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fg.train(X, y, steps=30_000, lr=1e-3, progress=progress)
    (warning,) = caught
    assert warning.filename == __file__


def test_few_exact_steps_are_not_warned_of(lose):
    X, y = cube(seed=3)
    lose(0.0, 1e6, 2256.0)
    assert fg.train(X, y, steps=30_000, lr=1e-3).engine.leaps


def test_a_warning_that_is_an_error_ends_the_run(lose):
    lose(2.5e7)
    X, y = cube(seed=3)
    with pytest.raises(fg.LeapWarning) as caught:
        fg.train(X, y, steps=30_000, lr=1e-3)
    assert caught.value.trajectory.engine.exact_steps == 0


class Terminal:
    def __init__(self, real):
        self._real = real

    def isatty(self):
        return True

    def __getattr__(self, name):
        return getattr(self._real, name)


@pytest.mark.filterwarnings("ignore::fastgrok.LeapWarning")
@pytest.mark.parametrize(
    ("progress", "terminal", "bar"),
    [(False, False, False), (False, True, True), (True, False, True), (print, True, False)],
)
def test_many_exact_steps_have_a_bar(lose, capsys, monkeypatch, progress, terminal, bar):
    """Without asking only on a terminal, and not where a function is told."""
    lose(2.5e7)
    X, y = cube(seed=3)
    stderr = lost_leaps.sys.stderr
    if terminal:
        monkeypatch.setattr(lost_leaps.sys, "stderr", Terminal(stderr))
    fg.train(X, y, steps=30_000, lr=1e-3, progress=progress)
    shown = capsys.readouterr().err
    assert ("exact steps:" in shown) == bar
    assert ("25.0M" in shown) == bar


def test_refine_does_not_repeat_the_warning(lose):
    X, y = cube()
    evals = {"near": fg.datasets.concentrated((300, 300), dim=2, gamma=1e-3, alpha=10, seed=7)}
    run = train_quietly(X, y, steps=1e9, evals=evals, keep_weights=True, **CUBE)
    expected = run.refine("near")
    lose(2.5e7)
    assert run.refine("near") == expected
