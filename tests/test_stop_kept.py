"""Runs that end where a condition holds, interrupted and gone on from a checkpoint."""

import numpy as np
import pytest

import fastgrok as fg
from fastgrok.descent import watching
from runs import StopAt, assert_same_bits, polling_always
from test_stop import planted


@pytest.mark.parametrize("optimizer", ["gd", "adam"])
@pytest.mark.parametrize("engine", ["exact", "auto"])
def test_interrupted_anywhere_and_gone_on_it_ends_at_the_same_step(tmp_path, optimizer, engine):
    X, y, evals = planted(6, n=300)
    options = {
        "lr": 0.02, "optimizer": optimizer, "engine": engine, "evals": evals, "steps": 9000,
        "on_record": lambda step, w, b: {"sum": w.sum(), "minus b": -b},
    }  # fmt: skip
    stop = fg.stop.norm_w(3.0 if optimizer == "gd" else 14.0)
    expected = fg.train(X, y, stop=stop, **options)
    assert 1000 < expected.steps[-1] < 9000
    interrupted = 0
    for number, poll in enumerate((1, 40, 130, 200, 500)):
        file = tmp_path / f"{number}"
        with polling_always():
            try:
                fg.train(X, y, stop=stop, checkpoint=file, progress=StopAt(poll), **options)
            except fg.Interrupted:
                interrupted += 1
        assert_same_bits(fg.train(X, y, stop=stop, checkpoint=file, **options), expected)
        done = fg.train(X, y, stop=stop, checkpoint=file, **options)  # nothing is left to do
        assert_same_bits(done, expected)
        longer = fg.train(X, y, stop=stop, checkpoint=file, **{**options, "steps": 12000})
        assert longer.steps[-1] == expected.steps[-1]
        assert longer.params["stopped"] == expected.params["stopped"]
        with pytest.raises(
            fg.CheckpointError, match=r"stop was \['\|\|w\|\| above 1?[34].0'\], is"
        ):
            fg.train(X, y, stop=fg.stop.norm_w(5.0), checkpoint=file, **options)
    assert interrupted >= 2


def test_a_finished_run_with_a_condition_that_was_not_met_goes_on_to_it(tmp_path):
    X, y, _ = planted(1)
    options = {"lr": 0.05, "engine": "exact", "stop": fg.stop.norm_w(6.0)}
    whole = fg.train(X, y, steps=20_000, **options)
    assert 500 < whole.steps[-1] < 20_000
    short = fg.train(X, y, steps=500, checkpoint=tmp_path / "run", **options)
    assert "stopped" not in short.params
    longer = fg.train(X, y, steps=20_000, checkpoint=tmp_path / "run", **options)
    assert longer.steps[-1] == whole.steps[-1]
    assert np.array_equal(longer.w, whole.w)


def test_interrupted_between_two_records_it_need_not_begin_anew(tmp_path):
    """The file holds a state from before the last record, which what is run again begins from."""
    X, y, _ = planted(1)
    options = {
        "lr": 0.05, "steps": 200_000, "record": [50_000, 100_000, 200_000], "engine": "exact",
        "optimizer": "adam", "watch_sharpness": False,
    }  # fmt: skip
    whole = fg.train(X, y, **{**options, "record": [150_000, 200_000]})
    stop = fg.stop.norm_w(float(whole.norm_w[0]))
    expected = fg.train(X, y, stop=stop, **options)
    assert 150_000 <= expected.steps[-1] <= 150_010

    def late(step):
        if step > 170_000:
            raise KeyboardInterrupt

    with polling_always(), pytest.raises(fg.Interrupted):
        fg.train(X, y, stop=stop, checkpoint=tmp_path / "run", progress=late, **options)
    begun = []

    class Begun(watching.Watch):
        def _walk(self, condition, without, until):
            begun.append(self._snapshot(without).step)
            return super()._walk(condition, without, until)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "Watch", Begun)
        assert_same_bits(
            fg.train(X, y, stop=stop, checkpoint=tmp_path / "run", **options), expected
        )
    assert len(begun) == 1
    assert 50_000 < begun[0] <= 100_000
