"""Attacks that would take for ever, stopped by a signal whose handler raises."""

import numpy as np
import pytest

from cases import python

# Small steps that never arrive, or starts without end: millennia, if nobody asks for signals.
ENDLESS_STEPS = {"step_size": 1e-12, "steps": 2**53}
ENDLESS_STARTS = {"random_start": True, "restarts": 2**50, "random_state": 1}
ENDLESS = [
    {"method": "autodiff64", "norm": np.inf, **ENDLESS_STEPS},
    {"method": "autodiff64", "norm": 2, **ENDLESS_STEPS},
    {"method": "pgd", "norm": 2, "bounds": "data", **ENDLESS_STEPS},
    {"method": "pgd", "norm": 2, **ENDLESS_STEPS, "random_start": True, "random_state": 1},
    {"method": "pgd", "norm": np.inf, **ENDLESS_STARTS, "steps": 1},
    {"method": "autodiff32", "norm": 2, **ENDLESS_STARTS},
]

CHILD = """
import signal, sys
import numpy as np
import fastgrok as fg
from cases import point, problem
from test_attacks_interrupt import ENDLESS

class Alarm(Exception):
    pass

def ring(*_):
    raise {error}

fg.pgd, fg.adversarial_accuracy  # imported: what a handler raises may get lost in an import
signal.signal(signal.SIGALRM, ring)
X, y = problem(3, int(sys.argv[1]))
w, b = point(int(sys.argv[1]))
settings = ENDLESS[int(sys.argv[2])]
threads = int(sys.argv[3])
{before}
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    {call}
except {caught} as error:
    print("stopped:", error)
"""


def stopped(call, case, *, dim=3, threads=1, error="Alarm('rang')", caught="Alarm", before=""):
    """What a child printed that the alarm has stopped; it is killed after some minutes."""
    code = CHILD.format(call=call, error=error, caught=caught, before=before)
    done = python(code, str(dim), str(case), str(threads))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("case", range(len(ENDLESS)))
@pytest.mark.parametrize("call", ["adversarial_accuracy", "pgd"])
def test_a_signal_stops_an_attack(case, call):
    # Beyond 16 columns rows are stored otherwise.
    for dim in (3, 40):
        shown = stopped(f"fg.{call}(X, y, w, b, **settings, threads=threads)", case, dim=dim)
        assert shown == "stopped: rang"


def test_all_threads_stop():
    before = "X, y = np.tile(X, (5000, 1)), np.tile(y, 5000)"
    call = "fg.adversarial_accuracy(X, y, w, b, **settings, threads=threads)"
    assert stopped(call, 0, dim=40, threads=2, before=before) == "stopped: rang"


def test_what_follows_is_as_if_nothing_had_been():
    before = "expected = fg.adversarial_accuracy(X, y, w, b, threads=threads)"
    call = """fg.pgd(X, y, w, b, **settings, threads=threads)
except Alarm:
    assert fg.adversarial_accuracy(X, y, w, b, threads=threads) == expected
    print("the same")
try:
    pass"""
    assert stopped(call, 0, before=before) == "the same"


def test_ctrl_c_during_the_record_of_a_run():
    call = """fg.train(
        X, y, steps=100, lr=0.1, evals={"a": fg.Pgd(X, y, **settings)}, threads=threads
    )"""
    loaded = "fg.train"  # else it is imported under the alarm
    shown = stopped(call, 0, error="KeyboardInterrupt", caught="fg.Interrupted", before=loaded)
    assert shown.startswith("stopped: interrupted")


def test_a_handler_that_raises_nothing_stops_nothing():
    before = """rung = []
def ring(*_):
    rung.append(1)
    if len(rung) == 3:
        start(signal.ITIMER_REAL, 0.0)
        raise Alarm("rang three times")
signal.signal(signal.SIGALRM, ring)
start = signal.setitimer
signal.setitimer = lambda which, seconds: start(which, seconds, 0.1)"""
    call = "fg.pgd(X, y, w, b, **settings, threads=threads)"
    assert stopped(call, 0, before=before) == "stopped: rang three times"
