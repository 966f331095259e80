"""What is said of rows on a cluster that cannot be had so, and of a cluster that is lost."""

import subprocess
import sys
import time
from unittest import mock

import dask.dataframe
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client

import fastgrok as fg
from clusters import classes, in_blocks, same_bits, two_workers
from fastgrok import distributed
from fastgrok.distributed import _talk
from fastgrok.distributed._line import BrokenLineError, Line
from runs import polling_always

da = pytest.importorskip("dask.array")

EXACT = {"steps": 60, "lr": 0.5, "engine": "exact", "record": 20}


@pytest.fixture(scope="module")
def client():
    with two_workers() as client:
        yield client


def test_a_client_that_is_closed(client):
    X, y = classes(1000, 20)
    blocks = in_blocks(X, (300,))
    other = Client(client.scheduler.address)
    data = distributed.scatter(blocks, y, other)
    other.close()
    with pytest.raises(ValueError, match=r"^executor is a Client that is closed: make another"):
        fg.train(blocks, y, executor=other, **EXACT)
    with pytest.raises(ValueError, match=r"^client is a Client that is closed: make another"):
        distributed.scatter(blocks, y, other)
    with pytest.raises(ValueError, match=r"^executor is a Client that is closed: make another"):
        fg.sweep("two_point", {"lam": [0.3, 0.4]}, executor=other, progress=False)
    with pytest.raises(distributed.ClusterError, match=r"^the Client that brought .* is closed"):
        fg.train(data.X, data.y, **EXACT)


def test_what_is_no_client_or_no_dask_array(client):
    X, y = classes(1000, 20)
    blocks = in_blocks(X, (300,))
    data = distributed.scatter(blocks, y, client)
    frame = dask.dataframe.from_pandas(pd.DataFrame(X), npartitions=3)
    column = dask.dataframe.from_pandas(pd.Series(y), npartitions=3)

    def said(match, X, y, client=client):
        with pytest.raises((TypeError, ValueError), match=match):
            distributed.scatter(X, y, client)

    said(
        r"^client must be a distributed\.Client, got None: distributed\.Client\(cluster\)",
        X,
        y,
        None,
    )
    said(r"^client must be .*: distributed\.Client\('tcp://a:1'\) makes one", X, y, "tcp://a:1")
    said(r"^client must be .* LocalCluster.*: distributed\.Client\(it\)", X, y, client.cluster)
    said(r"^y must hold one label a row, got None", blocks, None)
    said(r"^X must be a dask array.*: dask\.array\.from_array", X, y)
    said(r"(?s)^X must be a dask array.*: its to_dask_array\(lengths=True\) is one", frame, y)
    said(r"^y must be an array, .*: its to_dask_array\(lengths=True\) is one", blocks, column)
    said(r"^X must have a known shape: call its compute_chunk_sizes", frame.values, y)
    said(r"^y must have a known shape: call its compute_chunk_sizes", blocks, column.values)
    said(r"(?s)^X must be .*: its data is one", xr.DataArray(blocks), y)
    said(r"(?s)^X must be .*: its chunk\(\)\.data is one", xr.DataArray(X), y)
    said(r"(?s)^X must be .*: its X is on the cluster already", data, data.y)
    with pytest.raises(TypeError, match=r"^X must be rows: give the X of what scatter returned"):
        fg.train(data, data.y, **EXACT)
    with pytest.raises(TypeError, match=r"^y must be here, as X is, got <1000 labels"):
        fg.train(X, data.y, **EXACT)
    with pytest.raises(TypeError, match=r"^evals\['t'\] y must be what came with evals\['t'\] X"):
        fg.train(data.X, data.y, evals={"t": (data.X, y)}, **EXACT)


def test_numbers_that_cannot_be_are_told_of_by_their_places(client):
    X, y = classes(1000, 20)
    rows = in_blocks(X, (300, 300))
    wrong = X.copy()
    wrong[701, 3] = np.inf
    wrong[705] = np.nan
    said = r"X must be finite, but {0} X\[701, 3\] = inf \(2 of the rows 600 to 999 hold NaN"
    test = in_blocks(wrong, (300, 300))
    with pytest.raises(ValueError, match=r"^evals\['t'\] " + said.format(r"evals\['t'\]")):
        fg.train(rows, y, executor=client, evals={"t": (test, y)}, **EXACT)
    large = np.full((1000, 20), 2**53)
    large[702, 4] += 1
    with pytest.raises(ValueError, match=r"^X\[702, 4\] is 9007199254740993, which float64 cannot"):
        fg.train(in_blocks(large, (300, 300)), y, executor=client, **EXACT)


def test_workers_do_not_log_what_is_raised_here(client):
    X, y = classes(1000, 20)
    wrong = X.copy()
    wrong[::100] = np.nan
    with pytest.raises(ValueError, match="finite"):
        fg.train(da.from_array(wrong, chunks=(50, 20)), y, executor=client, **EXACT)
    labels = da.from_array(np.arange(1000), chunks=50)
    with pytest.raises(ValueError, match="two classes"):
        fg.train(in_blocks(X, (300,)), labels, executor=client, **EXACT)
    logged = [text for log in client.get_worker_logs().values() for _, text in log]
    assert not [text for text in logged if "Compute Failed" in text]


def test_a_run_on_a_cluster_was_not_loaded(client):
    X, y = classes(1000, 20)
    rows = in_blocks(X, (300,))
    run = fg.train(rows, y, executor=client, evals={"t": (rows, y)}, keep_weights=True, **EXACT)
    for ask in (
        lambda: run.plot(limit="auto"),
        lambda: run.refine("t"),
        run.alignment,
        lambda: run.phases([0, 1]),
        lambda: run.at(7),
    ):
        with pytest.raises(ValueError, match=r"a cluster held its rows"):
            ask()
    with pytest.raises(ValueError, match=r"^this run does not hold evals\['t'\] \(a cluster held"):
        run.refine("t", X=X, y=y)
    own = fg.train(X, y, evals={"t": (X, y)}, keep_weights=True, **EXACT)
    assert run.refine("t", X=X, y=y, evals={"t": (X, y)}) == own.refine("t")


def test_recipes_are_looked_at_at_once():
    with pytest.raises(TypeError, match=r"^recipe must be a function .*, got 3"):
        distributed.from_recipe(3, 100, 20)
    with pytest.raises(TypeError, match=r"^recipe must take a generator and a number of rows"):
        distributed.from_recipe(lambda rng: None, 100, 20)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (
            lambda rng, n: np.zeros((n, 20)),
            r"^the recipe must return \(X, y\) of shapes \(50, 20\)",
        ),
        (lambda rng, n: (np.zeros((n, 3)), np.ones(n)), r"block \d, got \(50, 3\) and \(50,\)"),
        (lambda rng, n: (np.zeros((n, 20)), np.full(n, 0.5)), r"in block \d y\[0\] = 0\.5"),
        (lambda rng, n: (np.zeros((n, 20), complex), np.ones(n)), r"real numbers, got dtype comp"),
    ],
)
def test_what_a_recipe_returns_is_looked_at(recipe, said):
    X, y = distributed.from_recipe(recipe, 100, 20, block=50)
    for array in (X, y):
        with pytest.raises((TypeError, ValueError), match=said):
            array.compute(scheduler="sync")


def test_blocks_of_recipes_are_made_once(client, tmp_path):
    path = tmp_path / "made"

    def recipe(rng, n):
        with path.open("a") as file:
            file.write(".")
        X = rng.normal(size=(n, 20))
        return X, X[:, 0] > 0.0

    X, y = distributed.from_recipe(recipe, 1000, 20, block=100)
    data = distributed.scatter(2.0 * X, y, client)
    assert path.read_text() == 10 * "."
    np.testing.assert_array_equal(data.X.gathered()[0], 2.0 * X.compute(scheduler="sync"))


def test_files_are_looked_at_at_once(tmp_path):
    def said(match, name, save):
        save(tmp_path / name)
        with pytest.raises(ValueError, match=match):
            distributed.from_npy(tmp_path / name)

    rows = np.zeros((3, 2))
    said(r"^path must be a \.npy file of one array", "a.npz", lambda path: np.savez(path, X=rows))
    said(r"^path must be a \.npy file of numbers", "b.npy", lambda path: path.write_text("1, 2"))
    said(r"rows, got shape \(0, 2\)", "c.npy", lambda path: np.save(path, rows[:0]))
    said(r"got dtype complex128", "d.npy", lambda path: np.save(path, rows.astype(complex)))
    said(r"^path must be a \.npy file of num", "e.npy", lambda path: np.save(path, [None, 1], True))


def running(dask_scheduler):
    return [one.address for one in dask_scheduler.running]


def test_a_worker_that_has_no_room_is_told_of(client, monkeypatch):
    monkeypatch.setattr(_talk, "PAUSED_FOR", 0.0)
    X, y = classes(3001, 20)

    def pause(dask_worker):
        memory = dask_worker.memory_manager
        before, memory.memory_pause_fraction = memory.memory_pause_fraction, 1e-6
        dask_worker.loop.call_later(5.0, setattr, memory, "memory_pause_fraction", before)

    client.run(pause)
    while client.run_on_scheduler(running):
        time.sleep(0.1)
    with pytest.warns(distributed.ClusterWarning, match=r"^waiting for tcp://.*lack of memory"):
        data = distributed.scatter(in_blocks(X, (500,)), y, client)
    same_bits(fg.train(data.X, data.y, **EXACT), fg.train(X, y, **EXACT))


def test_a_scheduler_that_is_gone_is_told_of(tmp_path):
    file = str(tmp_path / "scheduler.json")
    start = [sys.executable, "-m"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    module = "distributed.cli.dask_"
    options = ["--scheduler-file", file, "--no-dashboard"]
    scheduler = subprocess.Popen([*start, module + "scheduler", "--port", "0", *options], **quiet)
    worker = subprocess.Popen(
        [*start, module + "worker", "--nthreads", "1", "--no-nanny", *options], **quiet
    )
    X, y = classes(1000, 20, noise=0.0)
    try:
        with Client(scheduler_file=file, timeout=20) as client:
            client.wait_for_workers(1, timeout=60)
            client._timeout = 1.0  # for which it tries to come back
            data = distributed.scatter(in_blocks(X, (300,)), y, client)

            def progress(step):
                if step > 100:
                    scheduler.kill()

            with polling_always(), pytest.raises(distributed.ClusterError) as ended:
                fg.train(data.X, data.y, lr=0.5, steps=10**6, engine="exact", progress=progress)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    assert "scheduler" in str(ended.value)
    assert ended.value.trajectory.steps[-1] > 0


def test_a_line_that_could_not_be_had_is_tried_again(client, monkeypatch):
    X, y = classes(3001, 20)
    monkeypatch.setattr(_talk, "_LINE_AGAIN", (0.0, 0.0))
    with mock.patch.object(_talk, "Line", side_effect=OSError("for a moment")):
        data = distributed.scatter(in_blocks(X, (500,)), y, client)
        pieces = data.X._remote._pieces
        assert [piece.line for piece in pieces] == [None, None]
    fg.train(data.X, data.y, **EXACT)
    assert all(isinstance(piece.line, Line) for piece in pieces)


def test_what_comes_late_by_a_line_that_was_given_up_is_not_answered(client):
    X, y = classes(3001, 20)
    data = distributed.scatter(in_blocks(X, (500,)), y, client)
    remote = data.X._remote
    piece = remote._pieces[0]
    old = piece.line
    remote._talk.open_line(piece)
    old.ask([], [(0, 0, np.zeros(1))])
    with pytest.raises(BrokenLineError):
        old.result(20.0)
    same_bits(fg.train(data.X, data.y, **EXACT), fg.train(X, y, **EXACT))
