"""Leaps over rows on the workers of a cluster, to the bits of one machine."""

import pytest

import fastgrok as fg
from clusters import classes, in_blocks, kill_one, same_bits, two_workers
from fastgrok import distributed
from runs import polling_always

pytest.importorskip("dask.array")


@pytest.fixture(scope="module")
def client():
    with two_workers() as client:
        yield client


@pytest.mark.parametrize(
    ("n", "d", "noise", "options"),
    [
        (2001, 20, 0.3, {"steps": 10**6, "lr": 0.5}),
        (1500, 33, 0.0, {"steps": 10**7, "lr": 0.5, "rtol": 1e-6}),
        (1500, 20, 0.0, {"steps": 3000, "lr": 0.01, "optimizer": "normalized"}),
        (1500, 20, 0.3, {"steps": 10**5, "lr": 0.2, "weight_decay": 1e-3, "bias": False}),
        (3000, 4, 0.3, {"steps": 10**6, "lr": 0.5}),
    ],
)
def test_leaps_have_the_bits_of_one_machine(client, n, d, noise, options):
    (X, y), (Z, t) = classes(n, d, noise=noise), classes(900, d, seed=1)
    options = {"record": fg.log_spaced(options["steps"], 4), **options}
    here = fg.train(X, y, evals={"test": (Z, t)}, **options)
    evals = {"test": (in_blocks(Z, (100,)), t)}
    there = fg.train(in_blocks(X, (n // 3,)), y, evals=evals, executor=client, **options)
    assert here.engine.name == "leap"
    same_bits(there, here)


def test_a_worker_is_killed_in_the_middle_of_a_leap(client):
    X, y = classes(3000, 24, noise=0.0)
    steps = 10**7
    options = {"steps": steps, "lr": 0.5, "rtol": 1e-6, "record": fg.log_spaced(steps, 4)}
    here = fg.train(X, y, **options)
    data = distributed.scatter(in_blocks(X, (1000,)), y, client)
    killed = []

    def progress(step):
        if step > 1000 * 10 ** len(killed) and len(killed) < 2:
            killed.append(kill_one(client, data.X.workers()[len(killed)]))

    with polling_always():
        there = fg.train(data.X, data.y, progress=progress, **options)
    assert len(killed) == 2
    assert not set(killed) & set(data.X.workers())
    same_bits(there, here)
