"""Everything of Das et al. (2026), shrunk, with leaps and with exact steps: the same data files."""

import csv
from functools import partial

import numpy as np
import pytest
from matplotlib.figure import Figure

from fastgrok.cli import main
from fastgrok.papers import das2026
from fastgrok.papers.das2026 import (
    _figure1,
    _figure2,
    _figure4,
    _item,
    _masking,
    _setting,
    _table1,
    _theory,
)

STEPS = 100_000
CLASSES = (200, 200)
NAMES = [
    item.number if isinstance(item.number, str) else f"{item.kind}{item.number}"
    for item in das2026.PAPER.items
]
#: What the runs of the theorems are asked for, and all others by default.
RTOL = dict.fromkeys(NAMES, 1e-8) | {"theory": 1e-6}
#: No point, attacked or not, is farther from the origin.
REACH = _setting.HALF_WIDTH * np.sqrt(_setting.DIM)


def shrink(patch):
    patch.setattr(_item, "SCALES", {"quick": {"steps": STEPS, "seeds": 1}})
    supports = [(0, 0), (70, 70), (70, 7)]
    for module, name, small in (
        (_figure1, "figure1", {"n": CLASSES, "supports": supports}),
        (_table1, "table1", {"n": CLASSES, "supports": supports}),
        (_figure2, "figure2", {"n": CLASSES, "supports": [(70, 70), (70, 40), (70, 7), (7, 70)]}),
        (_figure4, "figure4", {"populations": [((300, 100), (70, 7)), (CLASSES, (70, 7))]}),
        (_masking, "masking", {"n": (20, 20), "dims": [2], "norms": [1.0, 100.0]}),
    ):
        patch.setattr(module, name, partial(getattr(module, name), **small))
    real = _theory.theory_runs
    small = {"supports": [(70, 70), (70, 20)], "classes": CLASSES, "steps": STEPS}
    patch.setattr(_theory, "theory_runs", lambda **options: real(**(options | small)))
    patch.setattr(Figure, "savefig", lambda *_, **__: None)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        for engine in ("auto", "exact"):
            made[engine] = tmp_path_factory.mktemp(engine)
            arguments = ["reproduce", "das2026", "--quick", "--engine", engine]
            assert main([*arguments, "--out", str(made[engine])]) == 0
    return made


def columns(path):
    """Every column of a table, or every array, by name: numbers where all of it is numbers."""
    if path.suffix == ".npz":
        return dict(np.load(path))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = {}
    for key in rows[0]:
        cells = [row[key] for row in rows]
        try:
            table[key] = np.array([float(cell) for cell in cells])
        except ValueError:
            table[key] = np.array(cells)
    return table


def margin_error(table, rtol):
    """How much any margin may be off at every record."""
    if "weights" in table:
        norm_w, b = np.linalg.norm(table["weights"][..., :-1], axis=-1), table["weights"][..., -1]
    else:
        norm_w, b = table["norm_w"], table["b"]
    return rtol * (REACH * norm_w + np.maximum(np.abs(b), 1.0))


def assert_alike(key, ours, table, rtol):
    """Of one column, as `rtol` of the weights implies."""
    theirs = table[key]
    size = np.maximum(np.abs(theirs), 1.0) if theirs.dtype.kind == "f" else None
    if key == "weights":
        w = np.linalg.norm(ours[..., :-1] - theirs[..., :-1], axis=-1)
        assert (w <= rtol * np.linalg.norm(theirs[..., :-1], axis=-1)).all()
        assert (np.abs(ours - theirs) <= rtol * size)[..., -1].all()
    elif key == "norm_w":
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=0.0)
    elif key == "b":
        assert (np.abs(ours - theirs) <= rtol * size).all()
    elif key == "distance":  # |b| / ||w||, not a number at the start
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
        with np.errstate(invalid="ignore", divide="ignore"):
            allowed = rtol * (np.maximum(np.abs(table["b"]), 1.0) / table["norm_w"] + theirs)
        assert not (np.abs(ours - theirs) > allowed).any()
    elif "accuracy" in key:
        # A point within the error of the hyperplane may lie on either side.
        assert np.abs(ours - theirs).max() <= 1.5 / sum(CLASSES)
        assert (ours != theirs).mean() < 0.01
    elif "loss" in key or key == "sharpness":
        # Neither log l nor log l'' changes faster than the margin.
        assert (np.abs(ours - theirs) <= np.expm1(margin_error(table, rtol)) * theirs).all()
    elif key == "sharpness_mean":  # in a leap the mean with the next iterate, not the last
        np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    elif key.startswith(("theorem_4_5", "reduced_b", "reduced_norm_w")):
        # They begin at the run's own bias.
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
        assert not (np.abs(ours - theirs) > 2.0 * rtol * size).any()
    else:  # times, and what each row is about
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_the_data_of_both_engines(folders, name):
    exact = sorted(
        path for path in folders["exact"].glob(f"{name}*") if path.suffix in (".csv", ".npz")
    )
    assert exact
    for path in exact:
        ours, theirs = columns(folders["auto"] / path.name), columns(path)
        assert list(ours) == list(theirs)
        for key in theirs:
            try:
                assert_alike(key, ours[key], theirs, RTOL[name])
            except AssertionError as error:
                raise AssertionError(f"{key!r} of {path.name}") from error


@pytest.mark.parametrize("name", ["figure1", "figure2", "figure4", "table1"])
def test_the_report_says_how_the_runs_were_computed(folders, name):
    said = {engine: (folder / f"{name}.md").read_text() for engine, folder in folders.items()}
    assert "every step taken" in said["exact"]
    assert "leaped over most" in said["auto"]


def test_what_cannot_be_leaped_is_counted(folders):
    assert "took every one" in (folders["auto"] / "figure2.md").read_text()
