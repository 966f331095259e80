"""Calls of all that computes, small, each with the same result every time."""

import numpy as np

import fastgrok as fg
from fastgrok.theory import bias, edge, two_point


def calls():
    """By name; each takes a part of a second at most."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6))
    side = np.where(X[:, 0] + 0.25 > 0, 1.0, -1.0)
    mixed = np.where(X[:, 0] + rng.normal(size=300) > 0, 1.0, -1.0)
    w = rng.normal(size=6)
    evals = {"attacked": fg.Pgd(X[:50], side[:50], eps=0.1), "law": edge.GaussianNoise(1.0)}
    how = {"steps": 2000, "lr": 0.05, "keep_weights": True}
    flags = np.where(X > 0.5, 1.0, 0.0)
    return {
        "exact": lambda: fg.train(X, side, engine="exact", evals=evals, threads=2, **how),
        "leap": lambda: fg.train(X, side, steps=1e20, lr=0.05),
        "losses": lambda: [
            fg.train(X, mixed, loss=loss, weight_decay=1e-3, **how)
            for loss in ("exponential", "squared", "hinge", "squared_hinge")
        ],
        "optimizers": lambda: [
            fg.train(X, mixed, optimizer=name, **how)
            for name in ("momentum", "nesterov", "normalized", "sign", "adam", "adamw")
        ],
        "many": lambda: fg.train_many([{"X": X, "y": side, **how}] * 3, threads=2),
        "refine": lambda: fg.train(X, mixed, **how).refine("train"),
        "margins": lambda: fg.margins(X, side, w, 0.5),
        "max_margin": lambda: [fg.max_margin(X, side, norm=norm) for norm in ("l2", "linf", "l1")],
        "separability": lambda: [fg.separability(X, y) for y in (side, mixed)],
        "separation": lambda: fg.separation(flags, mixed).to_dict(),
        "limit": lambda: fg.regularized_limit(X, mixed, 1e-3),
        "stable_lr": lambda: fg.stable_lr(X, mixed),
        "late_time": lambda: bias.late_time(X, side, 0.05),
        "attacks": lambda: [
            fg.pgd(X, side, w, method=method, random_start=True, random_state=0).X_adv
            for method in ("pgd", "autodiff32", "autodiff64")
        ],
        "worst": lambda: [fg.adversarial_accuracy(X, side, w, norm=p) for p in (1, 2, np.inf)],
        "kernel": lambda: fg.kernel_rows(np.exp(-((X[:60, :1] - X[:60, 0]) ** 2))),
        "data": lambda: [
            fg.datasets.margin_cube((300, 300), dim=5, gamma=0.1, support=(3, 3), seed=1).X,
            fg.datasets.gaussian_noise(300, 5, seed=1).X,
        ],
        "theory": lambda: [
            two_point.state(np.logspace(0, 9, 9), 0.3, 2.0, 0.01),
            edge.population_loss(2.0, 1.0, 1.0),
            edge.large_n_stationary(0.3),
            edge.stationary_point(X),
            bias.grokking_time((3, 5), 1e-2),
        ],
    }


def computed(names=None):
    """Results of these calls, or of all, in this order."""
    known = calls()
    return {name: known[name]() for name in (names or known)}
