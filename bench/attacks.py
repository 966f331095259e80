"""Adversarial accuracy beside foolbox, torchattacks and ART: 20 steps of l_inf PGD, in one run.

All sides attack the same float32 rows inside the same box and must report the same accuracy (||w||
is small, so that no gradient vanishes). They take turns; what is printed is the median of the turns
and its ratio to fastgrok's. Peers that are not installed are skipped: pip install '.[bench]' brings
them.

    python bench/attacks.py [--turns 3] [--threads 2] [--shapes 10000x200 100000x1024]
"""

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrok as fg

EPS, STEP, STEPS, LOW, HIGH = 0.1, 0.025, 20, -5.0, 5.0
BATCH = 4096  # rows that a peer holds at once; larger ones are no faster and need more memory

Attack = Callable[[], float]


def make_data(n: int, dim: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    X = rng.uniform(LOW, HIGH, (n, dim)).astype(np.float32)
    w = rng.normal(size=dim).astype(np.float32)
    w /= np.linalg.norm(w)
    return X, np.where(X @ w > 0, 1.0, -1.0), w


def fastgrok_sides(X: Any, y: Any, w: Any, threads: int) -> dict[str, Attack]:
    settings = {"eps": EPS, "step_size": STEP, "steps": STEPS, "bounds": (LOW, HIGH)}

    def side(method: str) -> Attack:
        return lambda: float(
            fg.adversarial_accuracy(
                X, y, w.astype(float), method=method, threads=threads, **settings
            )
        )

    return {
        "fastgrok exact": side("exact"),
        "fastgrok pgd": side("pgd"),
        "fastgrok autodiff32": side("autodiff32"),
    }


def peer_sides(X: Any, y: Any, w: Any, threads: int) -> dict[str, Attack]:
    missing = [
        name
        for name in ("torch", "foolbox", "torchattacks", "art")
        if importlib.util.find_spec(name) is None
    ]
    for name in missing:
        print(f"{name} is not installed: skipped", flush=True)
    if "torch" in missing:
        return {}
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
    module = torch.nn.Linear(X.shape[1], 2, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(np.stack([np.zeros_like(w), w])))
    module.eval()
    rows, labels = torch.from_numpy(X), torch.from_numpy((y > 0).astype(np.int64))
    sides: dict[str, Attack] = {}

    def batches(count_correct: Callable[[Any, Any], int]) -> Attack:
        pairs = list(zip(rows.split(BATCH), labels.split(BATCH), strict=True))
        return lambda: sum(count_correct(x, t) for x, t in pairs) / len(rows)

    if "foolbox" not in missing:
        import foolbox  # noqa: PLC0415

        model = foolbox.PyTorchModel(module, bounds=(LOW, HIGH), device="cpu")
        pgd = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=STEPS, random_start=False)
        sides["foolbox"] = batches(
            lambda x, t: int((~pgd(model, x, t, epsilons=EPS)[2]).sum().item())
        )
    if "torchattacks" not in missing:
        import torchattacks  # noqa: PLC0415

        # It attacks in the unit cube, so the rows and the step are scaled into it.
        width = HIGH - LOW
        scaled = torch.nn.Linear(X.shape[1], 2)
        with torch.no_grad():
            scaled.weight.copy_(width * module.weight)
            scaled.bias.copy_(LOW * module.weight.sum(axis=1))
        attack = torchattacks.PGD(
            scaled.eval(), eps=EPS / width, alpha=STEP / width, steps=STEPS, random_start=False
        )

        def correct(x: Any, t: Any) -> int:
            with torch.enable_grad():
                attacked = attack((x - LOW) / width, t)
            return int((scaled(attacked).argmax(axis=1) == t).sum().item())

        sides["torchattacks"] = batches(correct)
    if "art" not in missing:
        from art.attacks.evasion import ProjectedGradientDescentPyTorch  # noqa: PLC0415
        from art.estimators.classification import PyTorchClassifier  # noqa: PLC0415

        classifier = PyTorchClassifier(
            module, torch.nn.CrossEntropyLoss(), (X.shape[1],), 2, clip_values=(LOW, HIGH),
            device_type="cpu",
        )  # fmt: skip
        art_pgd = ProjectedGradientDescentPyTorch(
            classifier, norm=np.inf, eps=EPS, eps_step=STEP, max_iter=STEPS, num_random_init=0,
            batch_size=BATCH, verbose=False,
        )  # fmt: skip
        targets = labels.numpy()

        def art() -> float:
            guess = classifier.predict(art_pgd.generate(X, targets), batch_size=BATCH)
            return float((guess.argmax(axis=1) == targets).mean())

        sides["ART"] = art
    return sides


def compare(n: int, dim: int, turns: int, threads: int) -> list[dict[str, object]]:
    X, y, w = make_data(n, dim)
    sides = fastgrok_sides(X, y, w, threads) | peer_sides(X, y, w, threads)
    accuracies: dict[str, float] = {}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, attack in sides.items():
            start = time.perf_counter()
            accuracies[name] = attack()
            times[name].append(time.perf_counter() - start)
    exact = accuracies["fastgrok exact"]
    for name, accuracy in accuracies.items():
        # Float32 sums decide differently on the few rows that end within 1e-6 of the hyperplane.
        assert abs(accuracy - exact) <= 2e-5 + 1.0 / n, (name, accuracy, exact)
    median = {name: statistics.median(values) for name, values in times.items()}
    return [
        {
            "rows": n,
            "columns": dim,
            "threads": threads,
            "side": name,
            "seconds": median[name],
            "times_exact": median[name] / median["fastgrok exact"],
            "times_pgd": median[name] / median["fastgrok pgd"],
            "accuracy": accuracies[name],
        }
        for name in sides
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shapes", nargs="+", default=["10000x200", "100000x1024"])
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    args = parser.parse_args()
    for shape in args.shapes:
        n, dim = (int(size) for size in shape.split("x"))
        for row in compare(n, dim, args.turns, args.threads):
            if args.json:
                print(json.dumps(row), flush=True)
            else:
                print(
                    "({rows}, {columns}) {threads} threads {side}: {seconds:.4f} s, "
                    "{times_exact:.1f} times exact, {times_pgd:.1f} times pgd, "
                    "accuracy {accuracy:.5f}".format(**row),
                    flush=True,
                )


if __name__ == "__main__":
    main()
