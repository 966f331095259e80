"""Checkpoints of runs over rows on a cluster: taken up there or here, to the same bits."""

import numpy as np
import pytest

import fastgrok as fg
from clusters import classes, in_blocks, same_bits, two_workers
from fastgrok import distributed
from fastgrok.distributed import _remote
from runs import StopAtStep, polling_always

pytest.importorskip("dask.array")

EXACT = {"steps": 120, "lr": 0.5, "engine": "exact", "record": 20}
# Rows, columns, the step that a run is stopped behind, the run.
KINDS = {
    "exact": (4001, 24, 50, EXACT),
    "packed": (3000, 3, 50, EXACT),
    "leap": (1501, 20, 10**4, {"steps": 10**5, "lr": 0.5, "record": fg.log_spaced(10**5, 2)}),
}


@pytest.fixture(scope="module")
def client():
    with two_workers() as client:
        yield client


def stopped(X, y, step, **options):
    """Leave a checkpoint of a run that is stopped behind a step, and say how far it came."""
    with polling_always(), pytest.raises(fg.Interrupted) as ended:
        fg.train(X, y, progress=StopAtStep(step), **options)
    return ended.value.step


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_taken_up_there_or_here(client, tmp_path, kind):
    n, d, stop, options = KINDS[kind]
    X, y = classes(n, d)
    data = distributed.scatter(in_blocks(X, (n // 3,)), y, client)
    whole = fg.train(X, y, **options)
    here, there = (X, y), (data.X, data.y)
    for first, second in ((there, here), (here, there)):
        path = tmp_path / "run"
        assert stop < stopped(*first, stop, checkpoint=path, **options) < options["steps"]
        same_bits(fg.train(*second, checkpoint=path, **options), whole)
        same_bits(fg.train(*first, checkpoint=path, **options), whole)  # which is over
        path.unlink()


def test_a_checkpoint_of_other_rows_is_refused(client, tmp_path):
    X, y = classes(1001, 24)
    fg.train(X, y, checkpoint=tmp_path / "run", **EXACT)
    other, turned = X.copy(), y.copy()
    other[-1, -1] += 1.0
    turned[0] *= -1.0
    for rows, labels, name in ((other, y, "X"), (X, turned, "y")):
        with pytest.raises(fg.CheckpointError, match=rf"another run: {name} holds other values;"):
            fg.train(
                in_blocks(rows, (700,)), labels,
                executor=client, checkpoint=tmp_path / "run", **EXACT,
            )  # fmt: skip
    with pytest.raises(fg.CheckpointError, match=r"another run: X had dtype <f8, has dtype <f4;"):
        fg.train(
            in_blocks(X.astype(np.float32), (700,)), y,
            executor=client, checkpoint=tmp_path / "run", **EXACT,
        )  # fmt: skip


def test_a_run_that_lost_its_cluster_goes_on_from_what_was_written_last(
    client, tmp_path, monkeypatch
):
    monkeypatch.setattr(_remote, "ANY_WITHIN", 0.5)
    X, y = classes(4001, 24)
    options = {"steps": 400, "lr": 0.5, "engine": "exact", "record": 100, "watch_sharpness": False}
    path = tmp_path / "run"
    with two_workers() as other:
        data = distributed.scatter(in_blocks(X, (1000,)), y, other)

        def progress(step):
            if step > 150:
                other.cluster.scale(0)

        with polling_always(), pytest.raises(distributed.ClusterError, match="no worker"):
            fg.train(
                data.X, data.y,
                progress=progress, checkpoint=path, checkpoint_interval=0.0, **options,
            )  # fmt: skip
    seen = []
    with polling_always():
        resumed = fg.train(
            in_blocks(X, (3000,)), y,
            executor=client, checkpoint=path, progress=seen.append, **options,
        )  # fmt: skip
    assert seen[0] > 100
    same_bits(resumed, fg.train(X, y, **options))
