"""What a user who has installed the wheel, and nothing but it, does first."""

import pathlib
import sys
import tempfile

import numpy as np

import fastgrok as fg

print(fg.show_config())
data = fg.datasets.margin_cube(seed=1)
test = fg.datasets.concentrated(seed=2)
run = fg.train(
    data.X, data.y, steps=20_000, lr=1e-2, reduction="mean", evals={"concentrated": test}
)
print(run)
w = np.zeros(2)
b = 0.0
for _ in range(1000):
    p = data.y / (1.0 + np.exp(data.y * (data.X @ w + b)))
    w += 1e-2 * (p @ data.X) / len(data.y)
    b += 1e-2 * p.sum() / len(data.y)
at_1000 = fg.train(data.X, data.y, steps=1000, lr=1e-2)
np.testing.assert_allclose(at_1000.w, w, rtol=1e-12)
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "run.npz"
    run.save(path)
    assert np.array_equal(fg.Trajectory.load(path).b, run.b)
assert "matplotlib" not in sys.modules
