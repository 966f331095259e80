"""A figure of Das et al. (2026) with leaps and with exact steps: the same data within rtol."""

import numpy as np
import pytest

from fastgrok.cli import main
from fastgrok.papers.das2026 import _item

STEPS = 12_000


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_item, "SCALES", {"quick": {"steps": STEPS, "seeds": 1}})
        for engine in ("auto", "exact"):
            made[engine] = tmp_path_factory.mktemp(engine)
            arguments = ["reproduce", "das2026", "--figure", "2", "--quick", "--engine", engine]
            assert main([*arguments, "--out", str(made[engine])]) == 0
    return made


def test_the_data_of_both_engines(folders):
    leaped, exact = (np.load(folders[engine] / "figure2.npz") for engine in ("auto", "exact"))
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
        elif key == "sharpness_mean":  # in a leap the mean with the next iterate, not the last
            np.testing.assert_allclose(ours, theirs, rtol=1e-3)
        elif ours.dtype.kind == "f":
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=key)
        else:
            np.testing.assert_array_equal(ours, theirs, err_msg=key)


def test_the_report_says_how_the_runs_were_computed(folders):
    said = {engine: (folder / "figure2.md").read_text() for engine, folder in folders.items()}
    assert "every step taken" in said["exact"]
    assert "leaped over most" in said["auto"]
    assert "took every one" in said["auto"]
