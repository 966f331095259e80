"""Who computes: threads here, processes, a cluster; and what becomes of it on Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import distributed
import numpy as np
import pytest
import xarray as xr

import fastgrok as fg
import sweep_cases as cases
from fastgrok import _checks

TESTS = Path(__file__).parent
GRID = {"x": range(5), "y": [1, 2, 3]}


def swept(run, grid, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fg.SweepWarning)
        return fg.sweep(run, grid, progress=False, **options)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def cluster():
    """Two processes, which are talked to over TCP."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, protocol="tcp://",
            dashboard_address=":0",
        ) as workers,
        distributed.Client(workers) as client,
    ):  # fmt: skip
        client.run(_find_cases, str(TESTS))
        yield client


def _find_cases(folder):
    sys.path.insert(0, folder)


def test_everybody_computes_the_same(processes, cluster):
    here = swept(cases.fails, GRID)
    for executor in (processes, cluster, ThreadPoolExecutor(3)):
        xr.testing.assert_identical(here, swept(cases.fails, GRID, executor=executor))


def test_experiments_go_anywhere(processes, cluster):
    grid = {"lam": [0.1, 0.4], "seed": [0, 1], "n": 20, "horizon": 1e4}
    here = swept("edge", grid)
    assert not here.failed.any()
    for executor in (processes, cluster):
        xr.testing.assert_identical(here, swept("edge", grid, executor=executor))


def test_a_cluster_uses_all_its_workers_and_a_store_is_here(cluster, tmp_path):
    found = swept(
        cases.slow, {"x": range(8), "y": 0, "seconds": 0.1}, executor=cluster, store=tmp_path
    )
    assert len(list(tmp_path.glob("*.json"))) == 8
    xr.testing.assert_identical(found, swept(cases.slow, {"x": range(8), "y": 0, "seconds": 0.1}))
    pids = swept(cases.here, {"x": range(8)}, executor=cluster).pid
    assert os.getpid() not in pids.to_numpy()


def test_a_worker_that_dies_is_a_failed_cell(cluster):
    del cluster  # which is started first, so that it stays the default
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as own,
        distributed.Client(own, set_as_default=False) as client,
    ):
        client.run(_find_cases, str(TESTS))
        found = swept(cases.dies, {"x": [1]}, executor=client)
    assert bool(found.failed.all())
    assert "KilledWorker" in str(found.traceback.to_numpy()[0])


def test_a_process_that_dies_is_a_failed_cell(tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = swept(cases.dies_at_3, {"x": range(6)}, executor=pool, store=tmp_path)
    assert found.x.to_numpy()[found.failed.to_numpy()].tolist() == [3]
    assert "the process that computed this cell" in str(found.traceback.sel(x=3).item())
    assert len(list(tmp_path.glob("*.json"))) == 5
    assert len(list(tmp_path.glob("*.failed.txt"))) == 1


def test_another_executor_that_breaks_ends_the_sweep_and_says_how_far_it_was(tmp_path):
    class Breaks(ThreadPoolExecutor):
        def submit(self, function, *arguments):
            return super().submit(self._breaks, function, *arguments)

        def _breaks(self, function, run, cells, *rest):
            if cells[0]["x"] == 2:
                raise BrokenExecutor("no more")
            return function(run, cells, *rest)

    with Breaks(1) as pool, pytest.raises(BrokenExecutor) as error:
        swept(cases.here, {"x": [1, 2, 3]}, executor=pool, store=tmp_path)
    assert "1 of 3 cells done" in error.value.__notes__[0] or "2 of 3" in error.value.__notes__[0]
    assert swept(cases.here, {"x": [1, 2, 3]}, store=tmp_path).failed.sum() == 0


def test_kernels_get_their_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(_checks._arguments, "default_threads", lambda: 6)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    grid = {"x": range(12)}
    assert set(swept(cases.threads_of, grid).threads.to_numpy()) == {1}
    for workers, share in ((1, 6), (2, 3), (4, 1), (9, 1)):
        with ThreadPoolExecutor(workers) as pool:
            found = swept(cases.threads_of, grid, executor=pool)
        assert set(found.threads.to_numpy()) == {share}
    assert fg.show_config()["threads"] == "6"


def test_a_limit_of_threads_is_that_of_the_thread_alone(monkeypatch):
    monkeypatch.setattr(_checks._arguments, "default_threads", lambda: 6)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with ThreadPoolExecutor(1) as pool, _checks.at_most_threads(2):
        assert _checks.threads(None) == 2
        assert _checks.threads(5) == 5
        assert pool.submit(_checks.threads, None).result() == 6
        with _checks.at_most_threads(1):
            assert _checks.threads(None) == 1
        assert _checks.threads(None) == 2
    assert _checks.threads(None) == 6


def test_an_asynchronous_client_is_refused():
    class Asynchronous(distributed.Client):
        asynchronous = True

        def __init__(self):
            pass

        def __del__(self):
            pass

    with pytest.raises(TypeError, match="executor must be a Client with asynchronous=False"):
        swept(cases.plain, {"x": [1]}, executor=Asynchronous())


PROGRAM = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it
sys.path.insert(0, {str(TESTS)!r})
import fastgrok as fg
import sweep_cases
grid = {{"lr": [1e-4, 2e-4, 3e-4, 4e-4, *[0.1 + k for k in range(20)]]}}
print("begun", flush=True)
try:
    fg.sweep(sweep_cases.trains, grid, store=sys.argv[1])
except KeyboardInterrupt as stop:
    print(type(stop).__name__, stop, flush=True)
"""


def test_ctrl_c_stops_trainings_that_would_take_hours(tmp_path):
    job = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with job:
        assert job.stdout is not None
        assert job.stdout.readline() == "begun\n"
        end = time.monotonic() + 60.0
        while len(list(tmp_path.glob("*.json"))) < 4:
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.3)
        job.send_signal(signal.SIGINT)
        try:
            out, error = job.communicate(timeout=60)
        finally:
            job.kill()  # or leaving would wait for it
    assert job.returncode == 0, error
    assert re.match(r"KeyboardInterrupt sweep interrupted: 4 of 24 cells done, 0 failed; they", out)
    assert str(tmp_path) in out
    assert "Traceback" not in error
    assert "4 done, 0 failed" in error
    assert len(list(tmp_path.glob("*.json"))) == 4


def test_an_error_of_the_store_ends_the_sweep(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fastgrok.sweeps._store.write_atomically", full)
    with pytest.raises(OSError, match="No space left") as error:
        swept(cases.plain, {"x": range(50)}, store=tmp_path)
    assert "0 of 50 cells done" in error.value.__notes__[0]


def test_the_results_do_not_hang_on_the_order_in_which_they_come(cluster):
    grid = {"x": range(6), "y": [1], "seconds": [0.0, 0.15]}
    found = swept(cases.slow, grid, executor=cluster)
    expected = np.sin(np.arange(6))[:, None, None] / 2.0
    expected = np.where(np.arange(6)[:, None, None] % 7 == 6, np.nan, expected)
    np.testing.assert_array_equal(found.value, np.broadcast_to(expected, (6, 1, 2)))
