"""Ensembles of Das et al. (2026): the runs, what they share, and what is kept of them."""

import numpy as np
import pytest

import fastgrok as fg
from fastgrok import _core
from fastgrok.papers import das2026
from fastgrok.papers.das2026 import _ensemble
from fastgrok.papers.das2026._ensemble import EnsembleInterrupted
from fastgrok.papers.das2026._setting import Variant
from runs import polling_always

SMALL = {"steps": 300, "seeds": range(2), "n": (40, 40), "supports": [(0, 0), (10, 4)]}


@pytest.fixture(scope="module")
def small():
    return das2026.figure1(**SMALL)


def test_one_run_for_each_reading_and_draw(small):
    assert [(str(r.variant), r.seed) for r in small.runs] == [
        (name, seed)
        for name in (
            "mean, none planted",
            "mean, S(10,4)",
            "sum, none planted",
            "sum, S(10,4)",
            "mean, none planted, no bias",
            "sum, none planted, no bias",
        )
        for seed in (0, 1)
    ]
    assert len(small.variants) == 6
    assert [run.seed for run in small.of(small.variants[1])] == [0, 1]


def test_runs_are_those_of_train(small):
    """The same numbers as training by hand on the data that the report names."""
    run = small.of(Variant("sum", (10, 4), classes=(40, 40)))[1]
    data = fg.datasets.margin_cube((40, 40), 2, gamma=1e-3, support=(10, 4), seed=3)
    test = fg.datasets.concentrated((40, 40), 2, gamma=1e-3, alpha=10.0, seed=5)
    with pytest.warns(fg.StabilityWarning):
        again = fg.train(data.X, data.y, steps=300, lr=1e-2, reduction="sum", evals={"test": test})
    np.testing.assert_array_equal(run.trajectory.w, again.w)
    np.testing.assert_array_equal(run.trajectory.accuracy["concentrated"], again.accuracy["test"])
    assert run.phases == again.__class__.phases(run.trajectory, data.support)


def test_what_the_report_says_is_no_warning(monkeypatch):
    """A leap that was lost, say, about which whoever makes the figures can do nothing."""
    monkeypatch.setattr(_core.LeapingDescent, "exact_ahead", 2.5e7, raising=False)
    with polling_always():
        ensemble = das2026.figure1(**SMALL | {"steps": 30_000, "engine": "auto"})
    assert any(run.trajectory.engine.leaps for run in ensemble.runs)


def test_threads_do_not_matter(small):
    again = das2026.figure1(**SMALL, threads=1)
    for one, other in zip(small.runs, again.runs, strict=True):
        np.testing.assert_array_equal(one.trajectory.w, other.trajectory.w)
        assert one.times == other.times


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"steps": 0}, "steps"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [-1]}, "seeds"),
        ({"supports": []}, "supports"),
        ({"reductions": []}, "reading"),
        ({"supports": [(41, 0)]}, "support"),
        ({"reductions": ["median"]}, "reduction"),
        ({"lr": -1.0}, "lr"),
    ],
)
def test_bad_settings(bad, error):
    with pytest.raises(ValueError, match=error):
        das2026.figure1(**{**SMALL, **bad})


def test_the_bias_stays_where_it_starts_if_it_is_not_learnt(small):
    without = small.where(lambda variant: not variant.bias)
    assert len(without.runs) == 4
    assert all(not run.trajectory.b.any() for run in without.runs)
    assert all(run.trajectory.b.any() for run in small.where(lambda v: v.bias).runs)


def test_test_sets_have_classes_of_one_size_whatever_the_training_set_has():
    law = {"gamma": 1e-3, "alpha": 10.0, "planting": "antipodal"}
    variant = Variant("mean", (2, 2), classes=(30, 11))
    training, tests = _ensemble.draw_sets(variant, 0, **law)
    assert [(training.y == y).sum() for y in (1, -1)] == [30, 11]
    for test in tests.values():
        assert [(test.y == y).sum() for y in (1, -1)] == [21, 20]


class TestCache:
    """Figures and tables of one command share their runs."""

    VARIANTS = (
        Variant("mean", (4, 4), classes=(20, 20)),
        Variant("mean", (4, 1), classes=(20, 20)),
    )
    OPTIONS = {"steps": 50, "seeds": [0, 1], "threads": 1}  # noqa: RUF012

    @pytest.fixture
    def trained(self, monkeypatch):
        """Count the calls of `train`."""
        calls = []
        original = _ensemble.train

        def counting(*args, **options):
            calls.append(options["steps"])
            return original(*args, **options)

        monkeypatch.setattr(_ensemble, "train", counting)
        return calls

    def test_what_is_there_is_not_trained_again(self, trained):
        cache = {}
        first = das2026.train_ensemble(self.VARIANTS, **self.OPTIONS, cache=cache)
        again = das2026.train_ensemble(self.VARIANTS[::-1], **self.OPTIONS, cache=cache)
        assert len(trained) == 4
        assert again.variants == self.VARIANTS[::-1]
        assert [id(run) for run in again.of(self.VARIANTS[0])] == [
            id(run) for run in first.of(self.VARIANTS[0])
        ]

    def test_what_is_missing_is_trained(self, trained):
        cache = {}
        das2026.train_ensemble(self.VARIANTS[:1], **self.OPTIONS, cache=cache)
        both = das2026.train_ensemble(
            self.VARIANTS, **self.OPTIONS | {"seeds": [2, 1]}, cache=cache
        )
        assert len(trained) == 2 + 3
        assert [(run.variant, run.seed) for run in both.runs] == [
            (variant, seed) for variant in self.VARIANTS for seed in (2, 1)
        ]

    @pytest.mark.parametrize(
        "other",
        [{"steps": 51}, {"lr": 0.02}, {"gamma": 2e-3}, {"alpha": 9.0}, {"record": [10, 50]}],
    )
    def test_other_settings_are_other_runs(self, trained, other):
        cache = {}
        das2026.train_ensemble(self.VARIANTS, **self.OPTIONS, cache=cache)
        das2026.train_ensemble(self.VARIANTS, **self.OPTIONS | other, cache=cache)
        assert len(trained) == 8

    def test_runs_under_attack_serve_without_but_not_the_other_way(self, trained):
        for first, second, runs in ((True, False, 4), (False, True, 8)):
            cache = {}
            trained.clear()
            for adversarial in (first, second):
                data = das2026.train_ensemble(
                    self.VARIANTS, adversarial=adversarial, **self.OPTIONS, cache=cache
                )
            assert len(trained) == runs
            assert "adversarial_exact" in data.runs[0].trajectory.sizes


def test_an_interrupted_figure_keeps_its_records(monkeypatch):
    """The third run is told to stop half-way, as Ctrl-C would."""
    original = _ensemble.train
    calls = []

    def stopping(*args, progress, **options):
        calls.append(1)
        if len(calls) < 3:
            return original(*args, progress=progress, **options)

        def stop(step):
            progress(step)
            if step > 0:
                raise KeyboardInterrupt

        return original(*args, progress=stop, **{**options, "steps": 10**9, "engine": "exact"})

    monkeypatch.setattr(_ensemble, "train", stopping)
    with pytest.raises(EnsembleInterrupted) as caught:
        das2026.figure1(**SMALL, threads=1)
    stopped = caught.value
    assert len(stopped.finished.runs) == 2
    assert len(stopped.unfinished) >= 1  # a fourth may have begun before the stop was seen
    assert stopped.unfinished[0].trajectory.params["interrupted"] > 0
