"""Which examples tests draw: others in every run, and with the profile "ci" always the same."""

import os
import shutil
import subprocess
import sys

import pytest

from cases import TESTS

DRAWS = """
from hypothesis import given, settings, strategies as st

@settings(max_examples=5)
@given(st.integers(0, 2**60), st.floats())
def test_few(k, x):
    print("few", k, x)

@given(st.integers(0, 2**60))
def test_many(k):
    print("many", k)
"""


def drawn(folder, *arguments):
    """Return what a run of these two tests draws."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    words = [line.lstrip(".").split() for line in done.stdout.splitlines()]
    return [tuple(line) for line in words if line[:1] in (["few"], ["many"])]


@pytest.mark.parametrize("profile", ["ci", None])
def test_draws_from_run_to_run(tmp_path, profile):
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "test_drawn.py").write_text(DRAWS)
    arguments = [] if profile is None else [f"--hypothesis-profile={profile}"]
    first, second = drawn(tmp_path, *arguments), drawn(tmp_path, *arguments)
    assert (first == second) == (profile == "ci")
    for draws in (first, second):
        assert [name for name, *_ in draws].count("few") == 5
        assert [name for name, *_ in draws].count("many") == 50
