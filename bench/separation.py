"""
Verdicts on separation against rational arithmetic: python bench/separation.py [--sets 500].

With --peers it asks fastgrok, firthmodels (pip install firthmodels) and statsmodels about ten sets
and prints the table of docs/separation.md; --write puts it there.

Small designs are held against linear programs in integers, larger ones (up to 250 columns) against
their own certificates, which are checked in integers by code that shares nothing with the library.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np

import fastgrok as fg
from _designs import KINDS, Design
from _separation_peers import PEERS, judged
from _separation_sets import SETS
from _separation_truth import proved, truth, vectors


def mixed(rng: np.random.Generator) -> Design:
    """Flags, small integers and numbers of very different units, some rows twice."""
    n = int(rng.integers(20, 300))
    X = np.column_stack(
        [
            (rng.random((n, 3)) < 0.2).astype(float),
            rng.integers(0, 9, size=(n, 2)),
            np.round(rng.normal(size=(n, 3)), 2) * 10.0 ** rng.integers(-9, 10, size=3),
        ]
    )
    X = X[rng.integers(0, n, n)]
    side = X / np.maximum(np.abs(X).max(axis=0), 1e-300) @ rng.normal(size=X.shape[1])
    return X, np.where(side + rng.choice([0.0, 0.3]) * rng.normal(size=n) > 0.2, 1.0, -1.0), True


PAGE = Path(__file__).parents[1] / "docs" / "separation.md"
DRAWS = {**KINDS, "mixed": mixed}


def small(rng: np.random.Generator, design: Design) -> Design:
    """Few rows and columns of a design."""
    X, y, bias = design
    n, d = min(len(X), int(rng.integers(2, 25))), min(X.shape[1], int(rng.integers(1, 8)))
    rows, columns = rng.permutation(len(X))[:n], rng.permutation(X.shape[1])[:d]
    return np.ascontiguousarray(X[np.ix_(rows, columns)]), y[rows], bias


def report(name: str, sets: int, few: bool) -> None:
    """Draw designs of a kind and count what is right."""
    right, undecided, kinds, verdicts = 0, 0, Counter[str](), Counter[str]()
    slowest = 0.0
    for seed in range(sets):
        rng = np.random.default_rng([len(name), seed, few])
        X, y, bias = DRAWS[name](rng)
        if few:
            X, y, bias = small(rng, (X, y, bias))
        began = time.process_time()
        found = fg.separation(X, y, bias=bias)
        slowest = max(slowest, time.process_time() - began)
        kinds[found.kind] += 1
        verdicts.update(found.coefficients)
        undecided += found.kind == "undecided" or "undecided" in found.coefficients
        if few:
            seen = (found.kind, found.rows.tolist(), found.coefficients)
            good = seen == truth(vectors(X, y, bias), bias)
        else:
            good = found.kind != "undecided" and proved(X, y, bias, found)
        right += good
        if not good:
            print(f"  not right: {name}, seed {seed}, {X.shape}, {found!r}")
    how = "a program in integers" if few else "certificates in integers"
    print(
        f"{name}, {how}: {right} of {sets} right, {undecided} undecided, at most {slowest:.2f} s "
        f"(processor); {dict(kinds)}; {dict(verdicts)}",
        flush=True,
    )


def peers() -> str:
    """Ask everybody about all sets: a table in Markdown."""
    lines = [
        "| set | truth | " + " | ".join(PEERS) + " |",
        "|---|---|" + "---|" * len(PEERS),
    ]
    counts = dict.fromkeys(PEERS, 0)
    for name, draw in SETS.items():
        X, y = draw()
        kind, off, coefficients = truth(vectors(X, y, True), True)
        cells = []
        for peer, ask in PEERS.items():
            first, second = judged(ask(X, y), bool(off), coefficients)
            counts[peer] += first == "right" and second.split()[0] == second.split()[-1]
            cells.append(first if second == "no answer" else f"{first}; {second}")
        unbounded = sum(verdict != "finite" for verdict in coefficients)
        fact = kind if not unbounded else f"{kind}, {unbounded} of {len(coefficients)} unbounded"
        lines.append(f"| {name} | {fact} | " + " | ".join(cells) + " |")
    totals = " | ".join(f"{counts[peer]} of {len(SETS)}" for peer in PEERS)
    return "\n".join([*lines, f"| all right | | {totals} |"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500, help="designs of each size, of all kinds")
    parser.add_argument("--peers", action="store_true", help="ask others, too")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    arguments = parser.parse_args()
    if arguments.peers:
        table = peers()
        print(table)
        if arguments.write:
            head, _, tail = PAGE.read_text().partition("<!-- table -->\n")
            tail = tail.partition("<!-- end -->")[2]
            PAGE.write_text(f"{head}<!-- table -->\n{table}\n<!-- end -->{tail}")
        return
    each = -(-arguments.sets // len(DRAWS))
    for few in (True, False):
        for name in DRAWS:
            report(name, each, few)


if __name__ == "__main__":
    main()
