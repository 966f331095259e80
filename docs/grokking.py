"""Draw grokking.png beside this file: two draws of the same law, one of which is separable."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt

import fastgrok as fg
from fastgrok import plots
from fastgrok.theory import edge

POPULATION = {"population": edge.GaussianNoise(5.0)}

plt.style.use("fastgrok.plots.fastgrok")
figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.8), sharey=True, layout="constrained")
for ax, seed in zip(axes, (1, 0), strict=True):
    data = fg.datasets.gaussian_noise(400, 192, sigma=5.0, seed=seed)
    run = fg.train(data.X, data.y, steps=1e12, lr=0.01, evals=POPULATION)
    separable = fg.separability(data.X).separable
    ax.set_title(
        "separable from the origin: a limit below 1"
        if separable
        else "not separable from the origin: grokking"
    )
    plots.accuracy_curves(run, ax, limit="auto")
axes[1].set_ylabel("")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
