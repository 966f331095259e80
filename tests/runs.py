"""Runs compared to the last bit, and stopped on purpose."""

import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any
from unittest.mock import patch

import numpy as np

import fastgrok as fg
from cases import TESTS
from fastgrok.descent import running
from fastgrok.testing import assert_same_bits  # noqa: F401 - the tests import it from here


def bits(run: fg.Trajectory) -> dict[str, Any]:
    """All that a run holds but how long it took and its data, as bytes."""
    out: dict[str, Any] = {}
    for field in fields(run):
        if field.name in ("engine", "data", "evals"):
            continue
        value = getattr(run, field.name)
        for name, part in (value if isinstance(value, dict) else {"": value}).items():
            out[f"{field.name} {name}"] = (
                (part.dtype, part.shape, part.tobytes()) if isinstance(part, np.ndarray) else part
            )
    return out


@contextmanager
def polling_always() -> Iterator[None]:
    """Let runs report progress after every block of steps and every pass of a record."""
    with patch.object(running, "POLL_SECONDS", 0.0):
        yield


def train_quietly(X: Any, y: Any, **options: Any) -> fg.Trajectory:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fg.StabilityWarning)
        return fg.train(X, y, **options)


class StopAt:
    """A progress function that presses Ctrl-C at its `poll`-th call."""

    def __init__(self, poll: int) -> None:
        self.left = poll

    def __call__(self, step: int) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


class StopAtStep:
    """A progress function that presses Ctrl-C behind a step."""

    def __init__(self, step: float) -> None:
        self.step = step

    def __call__(self, step: float) -> None:
        if step > self.step:
            raise KeyboardInterrupt


def after_ctrl_c(code: str, *arguments: object) -> str:
    """Return what code in a child process prints after a Ctrl-C, pressed once it says "started"."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)  # it would run for years
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 0, err
    return out
