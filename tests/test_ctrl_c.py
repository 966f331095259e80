"""
Ctrl-C in calls that would take very long: a signal is seen to within a fraction of a second.

No time is measured but a limit that nothing but a call that does not look for signals would exceed.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastgrok._checks.aside import aside, if_long
from runs import after_ctrl_c

# What is longest in it is one call, which would take minutes or more.
PROGRAM = """
import signal, threading, warnings
from dataclasses import replace
import numpy as np
import scipy.sparse
import fastgrok as fg
from fastgrok.theory import two_point

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was ignored
warnings.simplefilter("ignore")
for name in fg.__all__:  # imported: in an import a KeyboardInterrupt may change the exit status
    getattr(fg, name)
rng = np.random.default_rng(0)
X = rng.normal(size=({n}, {d}))
side = np.where(X[:, 0] > 0, 1.0, -1.0)
mixed = np.where(rng.normal(size={n}) > 0, 1.0, -1.0)
w = rng.normal(size={d})
{before}
threading.Timer(0.5, lambda: print("started", flush=True)).start()
try:
    {call}
    print("came to its end")
except KeyboardInterrupt as stop:
    print("stopped", type(stop).__name__)
"""

# Rows and columns, and the call.
SMALL = (500, 20)
LOSSES = ("logistic", "exponential", "squared", "hinge", "squared_hinge")
OPTIMIZERS = ("momentum", "nesterov", "normalized", "sign", "adam", "adamw")
EXACT = "steps=10**14, lr=1e-9, engine='exact', skip_rows=False"
CALLS = {
    **{f"train, {one}": (*SMALL, f"fg.train(X, side, {EXACT}, loss='{one}')") for one in LOSSES},
    **{
        f"train, {one}": (*SMALL, f"fg.train(X, mixed, {EXACT}, optimizer='{one}')")
        for one in OPTIMIZERS
    },
    "train, sparse": (20_000, 500, f"fg.train(sparse, mixed, {EXACT})"),
    "train, large": (400_000, 100, f"fg.train(X, mixed, {EXACT})"),
    "train, records": (2000, 50, "fg.train(X, side, steps=10**6, lr=1e-9, record=1)"),
    "train, attacked": (
        *SMALL,
        "fg.train(X, side, steps=10**5, lr=0.1, engine='exact', record=1, "
        "evals={'attacked': fg.Pgd(X, side, eps=0.1, method='autodiff64', steps=10**7)})",
    ),
    "train_many": (*SMALL, f"fg.train_many([dict(X=X, y=side, {EXACT})] * 9)"),
    "refine": (*SMALL, "long.refine('train')"),
    "at": (*SMALL, "long.at(10**11 - 1)"),
    "max_margin": (4000, 2000, "fg.max_margin(X, side, bias='free')"),
    "max_margin in l1": (6000, 1500, "fg.max_margin(X, side, norm='l1')"),
    "kernel_rows": (5000, 30, "fg.kernel_rows(kernel, kernel)"),
    "separability": (12_000, 6001, "fg.separability(X, mixed)"),
    "separation": (20_000, 1500, "fg.separation(X, mixed)"),
    "regularized_limit": (20_000, 2000, "fg.regularized_limit(X, mixed, 1e-9)"),
    "late_time": (3000, 1400, "fg.theory.bias.late_time(X, side, lr=1.0)"),
    "margin_cube": (2, 2, "fg.datasets.margin_cube((10**6, 10**6), dim=400, seed=0)"),
    "attack": (
        *SMALL,
        "fg.pgd(X, side, w, steps=2**53, step_size=1e-12, norm=2, random_start=True, "
        "random_state=0)",
    ),
    "law of a sweep": (
        2, 2,
        "fg.sweep('two_point', {'lam': list(np.linspace(0.1, 0.45, 900)), "
        "'sigma': list(np.linspace(1, 5, 900))}, progress=False)",
    ),
    "sweep": (
        *SMALL,
        "fg.sweep(last_loss, {'lr': [1e-9, 2e-9, 3e-9]}, progress=False)",
    ),
    "theory": (2, 2, "two_point.state(times, 0.3, 2.0, 0.01)"),
}  # fmt: skip
# A run that says of itself that months of steps lie between its two records.
LONG = """
short = fg.train(X, mixed, steps=3, lr=1e-9, record=[0, 3], keep_weights=True, engine='exact')
long = replace(short, steps=np.array([0, 10**12]), params=short.params | {'steps': 10**12})
"""
SPARSE = "sparse = scipy.sparse.random(20_000, 500, density=0.02, random_state=0, format='csr')"
SWEPT = f"def last_loss(lr): return fg.train(X, side, **dict({EXACT}) | dict(lr=lr)).loss[-1]"
KERNEL = "kernel = np.exp(X @ X.T / 30)"
BEFORE = {
    "train, sparse": SPARSE,
    "kernel_rows": KERNEL,
    "theory": "times = np.logspace(0, 30, 10**7)",
    "sweep": SWEPT,
    "refine": LONG,
    "at": LONG,
}


@pytest.mark.parametrize("case", CALLS)
def test_ctrl_c_ends_a_long_call(case):
    n, d, call = CALLS[case]
    out = after_ctrl_c(PROGRAM.format(n=n, d=d, call=call, before=BEFORE.get(case, "")))
    assert out in ("stopped KeyboardInterrupt\n", "stopped Interrupted\n"), out


LEFT = """
import signal, threading
from fastgrok._checks.aside import aside

signal.signal(signal.SIGINT, signal.default_int_handler)
go_on, ended = threading.Event(), threading.Event()

def call():
    print("started", flush=True)
    go_on.wait()
    ended.set()

try:
    aside(call)
except KeyboardInterrupt:
    print("stopped", ended.is_set())
    print(aside(divmod, 7, 2))  # beside the other
    go_on.set()
"""


def test_a_call_made_aside_is_left_alone():
    assert after_ctrl_c(LEFT) == "stopped False\n(3, 1)\n"


def test_calls_made_aside_return_and_raise():
    assert aside(divmod, 7, 2) == (3, 1)
    assert if_long(1, threading.current_thread) is threading.current_thread()
    assert if_long(1 << 30, threading.current_thread) is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        aside(divmod, 7, 0)


def test_a_call_made_aside_has_the_settings_of_its_caller():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        aside(np.divide, 1.0, 0.0)


def test_a_thread_that_hears_of_no_signals_makes_the_call_itself():
    with ThreadPoolExecutor(1) as pool:
        own, other = pool.submit(
            lambda: (threading.get_ident(), aside(threading.get_ident))
        ).result()
    assert own == other
