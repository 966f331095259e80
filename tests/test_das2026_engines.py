"""Every figure of Das et al. (2026) with leaps and with exact steps: the same data within rtol."""

import numpy as np
import pytest

from fastgrok.cli import main
from fastgrok.papers.das2026 import _item, _masking

STEPS = 12_000
ITEMS = ("figure1", "figure2", "figure3", "figure4", "table1")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_item, "SCALES", {"quick": {"steps": STEPS, "seeds": 1}})
        patch.setattr(_masking, "_SEEDS", {"quick": 1})
        for engine in ("auto", "exact"):
            made[engine] = tmp_path_factory.mktemp(engine)
            arguments = ["reproduce", "das2026", "--quick", "--engine", engine]
            assert main([*arguments, "--out", str(made[engine])]) == 0
    return made


@pytest.mark.parametrize("name", ITEMS)
def test_the_data_of_both_engines(folders, name):
    leaped, exact = (np.load(folders[engine] / f"{name}.npz") for engine in ("auto", "exact"))
    assert leaped.files == exact.files
    for key in exact.files:
        ours, theirs = leaped[key], exact[key]
        if key == "weights":
            size = np.linalg.norm(theirs[..., :-1], axis=-1)
            w = np.linalg.norm(ours[..., :-1] - theirs[..., :-1], axis=-1)
            assert (w <= 1e-8 * size).all()
            b, c = ours[..., -1], theirs[..., -1]
            assert (np.abs(b - c) <= 1e-8 * np.maximum(np.abs(c), 1.0)).all()
        elif key.startswith("accuracy"):
            assert np.abs(ours - theirs).max() <= 1.5 / 2000, key
            assert (ours != theirs).mean() < 0.01, key
        elif ours.dtype.kind == "f":
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=key)
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=key)


@pytest.mark.parametrize("name", ["figure1", "figure2", "figure4", "table1"])
def test_reports_say_how_the_runs_were_computed(folders, name):
    said = {engine: (folder / f"{name}.md").read_text() for engine, folder in folders.items()}
    assert "every step taken" in said["exact"]
    assert "leaped over most" in said["auto"]
    assert "took every one" in said["auto"]
