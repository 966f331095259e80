"""Adversarial accuracy beside foolbox, torchattacks and ART: 20 steps of l_inf PGD, in one run.

All sides attack the same float32 rows inside the same box and must report the same accuracy (||w||
is small, so that no gradient vanishes). They take turns; what is printed is the median of the turns
and its ratio to fastgrok's, beside the time of one mere read of the rows. Peers that are not
installed are skipped: pip install '.[bench]' brings them.

    python bench/attacks.py [--turns 3] [--threads 2] [--shapes 10000x200 100000x1024]
        [--write]

--write puts the race into docs/benchmarks.md.

With --masking it is no race: the accuracies that all sides report where ||w|| grows and nothing
else does. foolbox must report what "autodiff32" says it will; torchattacks and ART take the mean of
the losses, whose gradients are smaller by the number of rows and vanish a little earlier.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import _page
import fastgrok as fg
from _limits import pooled_reader
from _race import installed, medians, show, sizes, take_turns

STEPS, LOW, HIGH = 20, -5.0, 5.0
BATCH = 4096  # rows that a peer holds at once; larger ones are no faster and need more memory

SIZES = (1.0, 30.0, 1000.0, 10_000.0)

Attack = Callable[[], float]


class Ball(NamedTuple):
    eps: float
    step: float


def make_data(n: int, dim: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    X = rng.uniform(LOW, HIGH, (n, dim)).astype(np.float32)
    w = rng.normal(size=dim).astype(np.float32)
    w /= np.linalg.norm(w)
    return X, np.where(X @ w > 0, 1.0, -1.0), w


def fastgrok_sides(X: Any, y: Any, w: Any, ball: Ball, threads: int) -> dict[str, Attack]:
    settings = {"eps": ball.eps, "step_size": ball.step, "steps": STEPS, "bounds": (LOW, HIGH)}

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


def peer_sides(X: Any, y: Any, w: Any, ball: Ball, threads: int) -> dict[str, Attack]:
    found = installed(("torch", "foolbox", "torchattacks", "art"))
    if "torch" not in found:
        return {}
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
    module = torch.nn.Linear(X.shape[1], 2, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(np.stack([np.zeros_like(w), w])))
    module.eval()
    rows, labels = torch.tensor(X), torch.from_numpy((y > 0).astype(np.int64))
    sides: dict[str, Attack] = {}

    def batches(count_correct: Callable[[Any, Any], int]) -> Attack:
        pairs = list(zip(rows.split(BATCH), labels.split(BATCH), strict=True))
        return lambda: sum(count_correct(x, t) for x, t in pairs) / len(rows)

    if "foolbox" in found:
        import foolbox  # noqa: PLC0415

        model = foolbox.PyTorchModel(module, bounds=(LOW, HIGH), device="cpu")
        pgd = foolbox.attacks.LinfPGD(abs_stepsize=ball.step, steps=STEPS, random_start=False)
        sides["foolbox"] = batches(
            lambda x, t: int((~pgd(model, x, t, epsilons=ball.eps)[2]).sum().item())
        )
    if "torchattacks" in found:
        import torchattacks  # noqa: PLC0415

        # It attacks in the unit cube, so the rows and the step are scaled into it.
        width = HIGH - LOW
        scaled = torch.nn.Linear(X.shape[1], 2)
        with torch.no_grad():
            scaled.weight.copy_(width * module.weight)
            scaled.bias.copy_(LOW * module.weight.sum(axis=1))
        attack = torchattacks.PGD(
            scaled.eval(),
            eps=ball.eps / width,
            alpha=ball.step / width,
            steps=STEPS,
            random_start=False,
        )  # fmt: skip

        def correct(x: Any, t: Any) -> int:
            with torch.enable_grad():
                attacked = attack((x - LOW) / width, t)
            return int((scaled(attacked).argmax(axis=1) == t).sum().item())

        sides["torchattacks"] = batches(correct)
    if "art" in found:
        from art.attacks.evasion import ProjectedGradientDescentPyTorch  # noqa: PLC0415
        from art.estimators.classification import PyTorchClassifier  # noqa: PLC0415

        classifier = PyTorchClassifier(
            module, torch.nn.CrossEntropyLoss(), (X.shape[1],), 2, clip_values=(LOW, HIGH),
            device_type="cpu",
        )  # fmt: skip
        art_pgd = ProjectedGradientDescentPyTorch(
            classifier, norm=np.inf, eps=ball.eps, eps_step=ball.step, max_iter=STEPS,
            num_random_init=0, batch_size=BATCH, verbose=False,
        )  # fmt: skip
        targets = labels.numpy()

        def art() -> float:
            guess = classifier.predict(art_pgd.generate(X, targets), batch_size=BATCH)
            return float((guess.argmax(axis=1) == targets).mean())

        sides["ART"] = art
    return sides


def compare(n: int, dim: int, turns: int, peer_turns: int, threads: int) -> list[dict[str, object]]:
    X, y, w = make_data(n, dim)
    ball = Ball(eps=0.1, step=0.025)
    ours, peers = (make(X, y, w, ball, threads) for make in (fastgrok_sides, peer_sides))
    sides = {"one read": pooled_reader(X, threads)} | ours | peers
    results: dict[str, float] = {}

    def timed(name: str) -> Callable[[], float]:
        def turn() -> float:
            start = time.perf_counter()
            results[name] = sides[name]()
            return time.perf_counter() - start

        return turn

    median = medians(
        take_turns(
            {name: timed(name) for name in sides}, turns, at_most=dict.fromkeys(peers, peer_turns)
        )
    )
    accuracies = {name: results[name] for name in (*ours, *peers)}
    exact = accuracies["fastgrok exact"]
    for name, accuracy in accuracies.items():
        # Float32 sums decide differently on the few rows that end within 1e-6 of the hyperplane.
        assert abs(accuracy - exact) <= 2e-5 + 1.0 / n, (name, accuracy, exact)
    return [
        {
            "rows": n,
            "columns": dim,
            "threads": threads,
            "side": name,
            "seconds": median[name],
            "times_exact": median[name] / median["fastgrok exact"],
            "times_pgd": median[name] / median["fastgrok pgd"],
            "accuracy": accuracies.get(name),
        }
        for name in sides
    ]


def masked(dim: int, threads: int) -> list[dict[str, object]]:
    """What all sides report at eps = 1 where the same hyperplane is given with larger weights."""
    data = fg.datasets.margin_cube((1000, 1000), dim=dim, gamma=1e-3, seed=0, dtype=np.float32)
    rows = []
    for size in SIZES:
        w = np.full(dim, size / np.sqrt(dim), np.float32)
        ball = Ball(eps=1.0, step=0.25)
        sides = fastgrok_sides(data.X, data.y, w, ball, threads)
        sides |= peer_sides(data.X, data.y, w, ball, threads)
        accuracies = {name: attack() for name, attack in sides.items()}
        if "foolbox" in accuracies:
            # The sums of the logits are rounded in another order, which may turn a single row.
            difference = abs(accuracies["foolbox"] - accuracies["fastgrok autodiff32"])
            assert difference <= 2.0 / len(data.X), accuracies
        rows.append({"columns": dim, "norm_w": size} | accuracies)
    return rows


def page(rows: list[dict[str, Any]]) -> str:
    """The table of the documentation: milliseconds, a line for each side and shape."""
    head = ("rows x columns", "side", "ms", "times exact", "times pgd")
    lines = [
        (
            f"{row['rows']} x {row['columns']}",
            str(row["side"]),
            f"{1e3 * row['seconds']:.3g}",
            f"{row['times_exact']:.3g}",
            f"{row['times_pgd']:.3g}",
        )
        for row in rows
    ]
    return _page.markdown(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--peer-turns", type=int, default=3, help="turns of the peers, at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shapes", type=sizes, nargs="+", default=[(10_000, 200), (100_000, 1024)])
    parser.add_argument("--masking", action="store_true", help="accuracies against ||w||, no race")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--write", action="store_true", help="the race into docs/benchmarks.md")
    args = parser.parse_args()
    if args.masking and args.write:
        parser.error("--write is of the race, not of --masking")
    if args.masking:
        tables = (masked(dim, args.threads) for dim in (2, 1024))
    else:
        tables = (
            compare(*shape, args.turns, args.peer_turns, args.threads) for shape in args.shapes
        )
    rows = []
    for table in tables:
        for row in table:
            print(json.dumps(row) if args.json else show(row), flush=True)
            rows.append(row)
    if args.write:
        _page.put("attacks", page(rows))


if __name__ == "__main__":
    main()
