"""How an item is made, whatever it is, and what a stop of its training leaves."""

import pytest

from fastgrok.papers import PAPERS, Finding, Outcome, Output, Settings, Stopped, Verdict, _draw
from fastgrok.papers._making import make
from fastgrok.papers._runs import JobsInterrupted
from fastgrok.papers._training import CaseTrainer, RunsInterrupted
from fastgrok.papers.beck2025 import _item as beck
from fastgrok.papers.das2026 import _item as das

ITEMS = [(key, item) for key, paper in PAPERS.items() for item in paper.items]


def write(data, folder):
    path = folder / "made.md"
    path.write_text(data, encoding="utf-8")
    return Output((path,), ())


def stop_by(error):
    def train(*_, **__):
        raise error

    return train


def test_what_was_trained_is_written(tmp_path):
    settings = Settings(seeds=3)
    output = make("it", settings, tmp_path, lambda given: f"{given.seeds} draws", write)
    assert [path.read_text(encoding="utf-8") for path in output.files] == ["3 draws"]


def test_what_is_kept_has_the_name_of_the_item(tmp_path):
    def keep(stop, path):
        path.write_text(str(stop), encoding="utf-8")
        return f"kept it in {path.name}"

    error = KeyboardInterrupt("half of it")
    with pytest.raises(Stopped, match=r"^kept it in it-partial\.csv$"):
        make("it", Settings(), tmp_path, stop_by(error), write, keep)
    assert [path.name for path in tmp_path.iterdir()] == ["it-partial.csv"]
    assert (tmp_path / "it-partial.csv").read_text(encoding="utf-8") == "half of it"


@pytest.mark.parametrize("maker", [make, das.make_item, beck.make_item])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "nothing was kept"),
        (JobsInterrupted({0: 1}, {}), "1 job finished, 0 stopped under way; nothing was kept"),
    ],
)
def test_nothing_is_kept_of_what_has_no_records(maker, error, message, tmp_path):
    with pytest.raises(Stopped) as stop:
        maker("it", Settings(progress=False), tmp_path, stop_by(error), write)
    assert str(stop.value) == message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("key", "item"), ITEMS, ids=[f"{k}-{i.number}" for k, i in ITEMS])
def test_every_item_says_that_it_was_stopped(key, item, tmp_path, monkeypatch):
    """Ctrl-C at the first draw of the data, wherever an item makes it."""
    for name in (
        "das2026._ensemble.run_jobs",
        "das2026._theory_runs.run_jobs",
        "das2026._figure3_draws.draw_sets",
        "das2026._masking.margin_cube",
        "_training.run_jobs",
        "_separable_fraction.separability",
    ):
        monkeypatch.setattr(f"fastgrok.papers.{name}", stop_by(JobsInterrupted({}, {})))
    with pytest.raises(Stopped):
        item.make(Settings(scale="quick", threads=1, progress=False), tmp_path)
    assert not list(tmp_path.iterdir())


class Doubler(CaseTrainer[int, int]):
    """Doubles odd numbers together and each even one by itself; 0 stops everything."""

    paper = "doubles"

    def groups(self, cases):
        return [[case for case in cases if case % 2], *([case] for case in cases if not case % 2)]

    def train(self, cases, report):
        if 0 in cases:
            raise KeyboardInterrupt
        self.cache.setdefault("trained", []).extend(cases)
        return [2 * case for case in cases]


def test_a_case_is_trained_once_for_a_command_even_if_that_is_stopped():
    trainer = Doubler(threads=1)
    assert trainer([3, 2, 1, 3]) == [6, 4, 2, 6]
    assert trainer([1, 4]) == [2, 8]
    assert trainer.cache["trained"] == [3, 1, 2, 4]
    with pytest.raises(RunsInterrupted, match=r"^2 runs finished$") as stop:
        trainer([5, 0, 4])
    assert stop.value.finished == (10, 8)
    assert trainer([5]) == [10]
    assert trainer.cache["trained"] == [3, 1, 2, 4, 5]
    assert Doubler(engine="exact", cache=trainer.cache)([5]) == [10]
    assert trainer.cache["trained"] == [3, 1, 2, 4, 5, 5]


def test_readings_are_combined_as_readings():
    agrees, differs, short = (
        Finding(outcome.name, outcome, "numbers")
        for outcome in (Outcome.AGREES, Outcome.DIFFERS, Outcome.SHORT)
    )
    verdict = Verdict.of_readings("It groks", iter([agrees, differs]), "so")
    assert verdict == Verdict("It groks", Outcome.OPEN, (agrees, differs), "so")
    assert verdict.label == "depends on the reading"
    assert Verdict.of_readings("It groks", [agrees, short]).outcome is Outcome.SHORT


def test_the_style_ends_with_the_picture():
    matplotlib = pytest.importorskip("matplotlib")
    before = matplotlib.rcParams["axes.spines.top"]
    with _draw.styled():
        assert matplotlib.rcParams["axes.spines.top"] is False
        assert matplotlib.rcParams["legend.frameon"] is False
    assert matplotlib.rcParams["axes.spines.top"] is before
    assert len(set(_draw.PALETTE)) == len(_draw.PALETTE)
