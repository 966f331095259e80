"""Functions that sweeps call, some of them in other processes."""

import os
import threading
import time

import numpy as np

import fastgrok as fg

LOG = "FASTGROK_TEST_LOG"


def plain(x, y=2, z=0.5):
    return {"sum": x + y, "product": x * y * z}


def arrays(x, k):
    return {
        "powers": ("p", float(x) ** np.arange(3)),
        "p": ("p", np.arange(3)),
        "table": np.full((2, 3), x * k),
    }


def flag(x):
    return {"even": x % 2 == 0, "count": np.int32(x), "single": np.float32(0.1) * x, "none": None}


def fails(x, y=0):
    if (x + y) % 3 == 0:
        raise ValueError(f"no {x}")
    return {"value": x + y}


def shapes(x):
    return {"value": np.zeros(2 if x < 3 else 3)}


def names(x):
    return {"a": 1.0} if x < 3 else {"b": 1.0}


def returned(x, what):
    return {
        "number": 3.0,
        "text": {"a": "text"},
        "argument": {"x": 1.0},
        "own": {"failed": 1.0},
        "key": {3: 1.0},
        "dims": {"a": (("b",), np.zeros((2, 2)))},
        "taken": {"a": ("x", np.zeros(2))},
        "object": {"a": object()},
        "fine": {"a": 1.0},
    }[what]


def threads_of(x):
    return {"threads": int(fg.show_config()["threads"]), "thread": threading.get_ident()}


def logged(x):
    """Say in a file that it was called."""
    with open(os.environ[LOG], "a", encoding="utf-8") as file:
        file.write(f"{x}\n")
    if x < 0:
        raise RuntimeError("below 0")
    return {"root": x**0.5}


def slow(x, y, seconds=0.02):
    """Take a while, and fail sometimes."""
    time.sleep(seconds)
    if (x * y) % 7 == 6:
        raise ArithmeticError(f"{x} times {y}")
    return {"value": np.sin(x) / (1.0 + y), "curve": ("k", np.arange(4) ** 0.5 * x + y)}


def burns(x, seconds):
    """Compute for a while, of processor time."""
    end = time.process_time() + seconds
    total = 0.0
    while time.process_time() < end:
        total += sum(k * 1e-6 for k in range(2000))
    return {"x2": x * x}


def trains(lr):
    """Begin a training that would take hours, or do one that takes no time."""
    X, y = np.array([[1.0, 2.0], [-1.0, 0.5], [0.5, -1.0]]), np.array([1.0, -1.0, 1.0])
    steps = 1000 if lr < 1e-3 else 10**13
    run = fg.train(X, y, steps=steps, lr=lr, engine="exact", record=[0, steps])
    return {"loss": run.loss[-1]}


def dies(x):
    """Kill the process that computes."""
    os._exit(3)


def dies_at_3(x):
    """Kill the process that computes, at 3 alone."""
    if x == 3:
        os._exit(3)
    time.sleep(0.05)
    return {"value": x}


def here(x):
    return {"pid": os.getpid()}
