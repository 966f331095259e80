"""Rows on the workers of a cluster: the bits of one machine, whoever is lost."""

import contextlib
import gc
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse

import fastgrok as fg
from clusters import classes, in_blocks, kill_one, same_bits, two_workers
from fastgrok import distributed
from fastgrok.distributed import _remote
from runs import polling_always

da = pytest.importorskip("dask.array")


@pytest.fixture(scope="module")
def client():
    with two_workers() as client:
        yield client


EXACT = {"steps": 120, "lr": 0.5, "engine": "exact", "record": 20}


@pytest.mark.parametrize(
    ("n", "d", "dtype", "options"),
    [
        (4001, 24, np.float64, {}),
        (3000, 33, np.float32, {"bias": False, "optimizer": "normalized"}),
        (5003, 3, np.float64, {"loss": "exponential", "reduction": "sum", "lr": 1e-4}),
        (2500, 17, np.float64, {"lr": 60.0, "optimizer": "gd"}),
        (40, 20, np.float64, {"loss": "squared_hinge", "lr": 0.01}),
    ],
)
@pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")
def test_exact_steps_have_the_bits_of_one_machine(client, n, d, dtype, options):
    X, y = classes(n, d, dtype=dtype)
    here = fg.train(X, y, **{**EXACT, **options})
    blocks = in_blocks(X, (n // 7, n // 3, 1))
    there = fg.train(blocks, y, executor=client, **{**EXACT, **options})
    same_bits(there, here)
    assert there.data is None


@pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")
def test_rows_that_do_not_matter_are_skipped_on_the_workers(client):
    X, y = classes(3000, 20, noise=0.0)
    options = {"steps": 400, "lr": 400.0, "engine": "exact", "skip_rows": True}
    here = fg.train(X, y, **options)
    there = fg.train(in_blocks(X, (1000,)), y, executor=client, **options)
    same_bits(there, here)
    assert here.engine.row_share < 0.9
    assert there.engine.row_share < 0.9


def test_evaluation_sets_lie_there_or_here(client):
    (X, y), (Z, t) = classes(3001, 20), classes(2000, 20, seed=1)
    here = fg.train(X, y, evals={"there": (Z, t), "here": (Z[:50], t[:50])}, **EXACT)
    there = fg.train(
        in_blocks(X, (500, 1200)),
        da.from_array(y, chunks=700),
        executor=client,
        evals={"there": (in_blocks(Z, (3, 900)), t), "here": (Z[:50], t[:50])},
        **EXACT,
    )
    same_bits(there, here)


def test_rows_that_are_there_serve_many_runs(client):
    X, y = classes(3001, 20)
    data = distributed.scatter(in_blocks(X, (500, 1200)), y, client)
    assert len(set(data.X.workers())) == 2
    for options in ({"bias": False}, {"loss": "exponential"}, {"watch_sharpness": False}):
        same_bits(fg.train(data.X, data.y, **EXACT, **options), fg.train(X, y, **EXACT, **options))
    gathered = data.X.gathered()
    np.testing.assert_array_equal(gathered[0], X)
    np.testing.assert_array_equal(gathered[1], y)


def test_runs_at_once_over_the_same_rows_do_not_meet(client):
    X, y = classes(3001, 20)
    data = distributed.scatter(in_blocks(X, (500, 1200)), y, client)
    kinds = ({"lr": 0.3}, {"lr": 1.1, "engine": "leap"}, {"lr": 0.8, "loss": "exponential"})
    options = [EXACT | {"steps": 20_000, "record": 97, "engine": "exact"} | kind for kind in kinds]
    with ThreadPoolExecutor(len(options)) as pool:
        runs = pool.map(lambda given: fg.train(data.X, data.y, **given), options)
        for run, given in zip(runs, options, strict=True):
            same_bits(run, fg.train(X, y, **given))


def test_a_worker_that_is_killed_is_replaced(client):
    X, y = classes(4001, 24)
    options = {**EXACT, "record": 30, "steps": 300}
    here = fg.train(X, y, **options)
    killed = []

    def progress(step):
        if step > 50 and not killed:
            killed.append(kill_one(client, data.X.workers()[1]))

    data = distributed.scatter(in_blocks(X, (1000, 2000)), y, client)
    before = data.X.workers()
    with polling_always():
        there = fg.train(data.X, data.y, progress=progress, **options)
    same_bits(there, here)
    assert killed == [before[1]]
    assert data.X.workers()[0] == before[0]
    assert killed[0] not in data.X.workers()
    client.wait_for_workers(2)


def test_nothing_is_asked_for_of_workers_that_have_done_it(client):
    """Or others could not make the same blocks once one is gone."""

    def recipe(rng, n):
        time.sleep(1.2)  # longer than a look at who is alive
        X = rng.normal(size=(n, 20))
        return X, np.where(X[:, 0] > 0.0, 1, -1)

    gc.disable()
    try:
        data = distributed.scatter(*distributed.from_recipe(recipe, 400, 20, seed=1), client)
        client.sync(client.scheduler.identity)  # behind what was sent before
        asked = [key for key in client.futures if not key.startswith("fastgrok-rows")]
    finally:
        gc.enable()
    assert not asked
    assert data.X.shape == (400, 20)


def test_rows_of_files_are_read_by_the_workers(client, tmp_path):
    zarr = pytest.importorskip("zarr")
    X, y = classes(3001, 20, dtype=np.float32)
    zarr.save(str(tmp_path / "rows.zarr"), X)
    np.save(tmp_path / "rows.npy", X)
    np.save(tmp_path / "labels.npy", y)
    here = fg.train(X, y, **EXACT)
    labels = distributed.from_npy(tmp_path / "labels.npy", block=999)
    for rows in (
        da.from_zarr(str(tmp_path / "rows.zarr")),
        distributed.from_npy(tmp_path / "rows.npy", block=700),
    ):
        same_bits(fg.train(rows, labels, executor=client, **EXACT), here)


def test_rows_are_made_by_recipe(client):
    def recipe(rng, n):
        X = rng.normal(size=(n, 20))
        return X, np.where(X[:, 0] > 0.3 * rng.normal(size=n), 1, -1)

    X, y = distributed.from_recipe(recipe, 3001, 20, seed=4, dtype=np.float32, block=1000)
    parts = [recipe(np.random.default_rng([4, i]), n) for i, n in enumerate((1000, 1000, 1000, 1))]
    rows = np.concatenate([part[0] for part in parts]).astype(np.float32)
    labels = np.concatenate([part[1] for part in parts])
    same_bits(fg.train(X, y, executor=client, **EXACT), fg.train(rows, labels, **EXACT))


def test_workers_are_killed_while_they_make_their_rows(client, tmp_path):
    folder = str(tmp_path)

    def recipe(rng, n):
        for death in range(2):  # mkdir is done once
            with contextlib.suppress(FileExistsError):
                os.mkdir(f"{folder}/{death}")
                os.kill(os.getpid(), signal.SIGKILL)
        X = rng.normal(size=(n, 20))
        return X, np.where(X[:, 0] > 0.3 * rng.normal(size=n), 1, -1)

    X, y = distributed.from_recipe(recipe, 3001, 20, seed=4, block=700)
    there = fg.train(X, y, executor=client, **EXACT)
    assert sorted(os.listdir(folder)) == ["0", "1"]
    rows, labels = X.compute(scheduler="sync"), y.compute(scheduler="sync")
    same_bits(there, fg.train(rows, labels, **EXACT))


def test_what_is_wrong_is_said(client):
    X, y = classes(1000, 20)
    blocks = in_blocks(X, (300,))

    def train(X=blocks, y=y, **options):
        fg.train(X, y, **{**EXACT, "executor": client, **options})

    with pytest.raises(TypeError, match=r"^X must be a dask array .*from_array"):
        train(X)
    with pytest.raises(TypeError, match=r"^executor must be a distributed\.Client, got 3"):
        train(executor=3)
    with pytest.raises(ValueError, match=r"^y must have one label a row: 1000 rows, 999"):
        train(y=y[:-1])
    with pytest.raises(ValueError, match=r"labels -1 and \+1 only"):
        train(y=da.from_array(2 * y, chunks=100))
    wrong = X.copy()
    wrong[700, 3] = np.nan
    with pytest.raises(ValueError, match=r"^X must be finite, but X\[700, 3\] = nan"):
        train(in_blocks(wrong, (300,)))
    with pytest.raises(ValueError, match=r"^sample_weight must be None where a cluster"):
        train(sample_weight=np.ones(1000))
    with pytest.raises(TypeError, match=r"^X\[0:300\] must be a dense array, got csr_array"):
        train(in_blocks(X, (300,)).rechunk({1: -1}).map_blocks(scipy.sparse.csr_array))
    with pytest.raises(ValueError, match=r"^lr must be a number"):
        train(lr="auto")
    with pytest.raises(ValueError, match=r"evals\['t'\] X must have 20 columns"):
        train(evals={"t": (in_blocks(X[:, :19], (300,)), y)})
    data = distributed.scatter(blocks, y, client)
    with pytest.raises(TypeError, match=r"^y must be what came with X"):
        train(data.X, y, executor=None)
    with pytest.raises(ValueError, match=r"^problems\[0\] has rows on a cluster"):
        fg.train_many([{"X": data.X, "y": data.y, **EXACT}])
    with pytest.raises(TypeError, match=r"gathered\(\) copies them"):
        fg.margins(data.X, y, np.zeros(20))


# Which may come between dask's making a coroutine and waiting for it.
@pytest.mark.filterwarnings("ignore:coroutine 'ActorFuture._result' was never awaited")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_blocks_are_as_their_array_says(client):
    X, y = classes(600, 20)
    short = in_blocks(X, (100, 300)).map_blocks(lambda block: block[:-1], meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match=r"X\[0:100\] must be of shape \(100, 20\).*\(99, 20\)"):
        fg.train(short, y, executor=client, **EXACT)
    labels = da.from_array(y, chunks=200).map_blocks(lambda block: block[:1], meta=np.empty(0))
    with pytest.raises(ValueError, match=r"y\[\d+:\d+\] must be of shape \(200,\)"):
        fg.train(in_blocks(X, (100, 300)), labels, executor=client, **EXACT)


def test_what_the_recipe_raises_is_raised(client):
    def recipe(rng, n):
        raise IndexError("no such column")

    with pytest.raises(IndexError, match="no such column"):
        distributed.scatter(*distributed.from_recipe(recipe, 400, 20, seed=1), client)


def test_workers_forget_runs_that_are_over(client):
    X, y = classes(3001, 20)
    data = distributed.scatter(in_blocks(X, (500, 1200)), y, client)
    sizes = []
    for _ in range(4):
        fg.train(data.X, data.y, steps=1e5, lr=0.5, engine="leap")
        gc.collect()
        sizes.append(len(data.X._remote._asked))
    assert 0 < sizes[-1] <= sizes[0]


def test_ctrl_c_stops_a_run_and_the_rows_serve_the_next(client):
    X, y = classes(4001, 24)
    data = distributed.scatter(in_blocks(X, (1000,)), y, client)
    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(fg.Interrupted) as stopped:
        fg.train(data.X, data.y, steps=10**6, lr=0.5, engine="exact", watch_sharpness=False)
    assert stopped.value.trajectory is not None
    same_bits(fg.train(data.X, data.y, **EXACT), fg.train(X, y, **EXACT))


def test_without_any_worker_it_ends(monkeypatch):
    monkeypatch.setattr(_remote, "ANY_WITHIN", 0.5)
    X, y = classes(4001, 24)
    with two_workers() as client:
        data = distributed.scatter(in_blocks(X, (1000,)), y, client)

        def progress(step):
            if step > 300:  # some records are made by then
                client.cluster.scale(0)

        with pytest.raises(distributed.ClusterError, match=r"no worker for 0\.5 s") as ended:
            fg.train(data.X, data.y, steps=10**6, lr=0.5, engine="exact", progress=progress)
        assert ended.value.trajectory.steps[0] == 0
