"""The shell command: ``fastgrok reproduce``, ``fastgrok separation`` and ``fastgrok info``."""

import argparse
import json
import shutil
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

from fastgrok import _checks
from fastgrok._files import Table, read_csv
from fastgrok.descent.settings import ENGINES
from fastgrok.errors import FastgrokError
from fastgrok.linear.config import show_config
from fastgrok.papers import (
    FORMATS,
    PAPERS,
    Item,
    Output,
    Paper,
    Settings,
    Stopped,
    require_matplotlib,
    table_lines,
    tally,
    write_gallery,
    write_overview,
)

_ALL = "all"
_FAILED = 1
_USAGE = 2
_SEPARATED = {"none": 0, "quasi-complete": 1, "complete": 2}
_UNDECIDED = 3
"""And whatever else is no verdict, of the command that has verdicts."""
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_WIDTH = 110  # of the table of verdicts where the terminal does not say


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage in front."""

    status = _USAGE

    def error(self, message: str) -> NoReturn:
        self.exit(self.status, f"{self.prog}: error: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; default those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed, 130 stopped by Ctrl-C. Of ``separation``: 0 none, 1
        quasi-complete, 2 complete, 3 undecided or failed.

    Raises
    ------
    SystemExit
        With status 2 for arguments that make no sense, 3 for those of ``separation``, 0 after
        ``--help`` and ``--version``.
    """
    parser = _parser()
    arguments, unknown = parser.parse_known_args(argv)
    if arguments.command is None:
        parser.error(
            "say which COMMAND: info, separation or reproduce (fastgrok COMMAND --help has more)"
        )
    if unknown:
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        if arguments.command == "info":
            print(show_config())
            return 0
        if arguments.command == "separation":
            return _separation(arguments)
        return _reproduce(arguments, parser)
    except KeyboardInterrupt as stop:
        kept = str(stop) if isinstance(stop, Stopped) else "nothing was kept"
        print(f"\nfastgrok: stopped by Ctrl-C; {kept}", file=sys.stderr)
        return _INTERRUPTED
    except (FastgrokError, ImportError, OSError) as error:
        print(f"fastgrok: error: {error}", file=sys.stderr)
        return _UNDECIDED if arguments.command == "separation" else _FAILED
    except Exception:
        if arguments.command != "separation":
            raise
        traceback.print_exc()  # Python's own status for it, 1, would read as a verdict
        return _UNDECIDED


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fastgrok",
        description="Exact full-batch gradient descent for the study of grokking in linear models.",
    )
    parser.add_argument("--version", action="version", version=show_config()["fastgrok"])
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    info = commands.add_parser(
        "info", help="print versions, compiler, instruction sets and threads"
    )
    info.set_defaults(parser=info)

    separation = commands.add_parser(
        "separation",
        help="say which rows and coefficients of a regression are separated, with proof",
        description="Say whether the estimates of a regression exist, and which rows and "
        "coefficients are to blame if not. Columns of text become flags, one for each value but "
        "the first in order. Rows count from 0, the first below the header.",
        epilog="exit status: 0 no separation, 1 quasi-complete, 2 complete, 3 undecided, failed, "
        "or arguments that make no sense",
    )
    separation.status = _UNDECIDED
    separation.set_defaults(parser=separation)
    separation.add_argument(
        "file",
        type=Path,
        metavar="FILE.csv",
        help="table with a header, in UTF-8, perhaps packed by gzip; - is the standard input",
    )
    separation.add_argument("--target", required=True, metavar="NAME", help="column to explain")
    separation.add_argument("--weights", metavar="NAME", help="column with weights of the rows")
    separation.add_argument(
        "--model",
        choices=("logistic", "poisson"),
        default="logistic",
        help="of two classes (default), or of counts",
    )
    separation.add_argument(
        "--no-bias", action="store_true", help="leave out the intercept, which is there by default"
    )

    separation.add_argument(
        "--classes",
        nargs=2,
        metavar=("FIRST", "SECOND"),
        help="labels of the target: coefficients are those of the second; default: in their order",
    )
    separation.add_argument(
        "--json", action="store_true", help="print all of it, all rows too, for other programs"
    )

    offered = "\n".join(
        f"  {paper.key}: {paper.citation}\n"
        + "\n".join(
            [
                *(f"    {item.name}: {item.title}" for item in paper.items),
                *(
                    f"    {item.name} with --dim {dim}: {item.title}"
                    for dim, items in paper.dims.items()
                    for item in items
                ),
            ]
        )
        for paper in PAPERS.values()
    )
    reproduce = commands.add_parser(
        "reproduce",
        help="train, draw and judge the figures and tables of a paper",
        description="Train, draw and judge the figures and tables of a paper, from scratch.",
        epilog=f"offered:\n{offered}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    reproduce.set_defaults(parser=reproduce)
    reproduce.add_argument("paper", choices=(*PAPERS, _ALL), help="which paper, or all of them")
    which = reproduce.add_mutually_exclusive_group()
    which.add_argument("--figure", metavar="N", help="this figure only, by number or name")
    which.add_argument("--table", type=int, metavar="N", help="this table only")
    reproduce.add_argument(
        "--dim",
        type=_positive,
        metavar="D",
        help="columns of the data: 1024 makes das2026's figure 1 and table 1 at d = 1024, of 10^5 "
        "points, with --full of the paper's 10^6",
    )
    scale = reproduce.add_mutually_exclusive_group()
    scale.add_argument(
        "--quick",
        action="store_true",
        help="within a minute on two idle cores: fewer draws of the data, and less of it in "
        "beck2025 and open",
    )
    scale.add_argument(
        "--full", action="store_true", help="the paper's size, and more draws of what is smaller"
    )
    reproduce.add_argument(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="leap over steps where that is possible (auto, the default), take every step, or fail "
        "where a leap is not possible",
    )
    reproduce.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the results; default: ./fastgrok-PAPER, and of all papers, with a page "
        "index.html, ./fastgrok-gallery",
    )
    reproduce.add_argument(
        "--format",
        type=_formats,
        default=Settings.formats,
        metavar="KIND[,KIND]",
        help="what pictures are written as, of png, svg and pdf; default: png,svg",
    )
    reproduce.add_argument(
        "--threads", type=_positive, metavar="K", help="runs at the same time; default: all cores"
    )
    reproduce.add_argument(
        "--seeds", type=_positive, metavar="S", help="draws of the data, in place of the default"
    )
    return parser


def _separation(arguments: argparse.Namespace) -> int:
    from fastgrok.geometry import separation  # noqa: PLC0415 - SciPy behind it is slow to import

    try:
        table = read_csv(arguments.file, arguments.target, arguments.weights)
        classes = _target(table, arguments)
        found = separation(
            table.X,
            table.y,
            bias=not arguments.no_bias,
            weights=table.weights,
            model=arguments.model,
            classes=classes,
            names=table.names,
        )
    except (TypeError, ValueError) as error:
        print(f"fastgrok: error: {error}", file=sys.stderr)
        return _UNDECIDED
    if arguments.json:
        print(json.dumps(found.to_dict(), indent=1))
    else:
        print(found)
    for name, count in table.flags.items():
        said = f"column {name!r} is text: {_checks.plural(count, 'flag')}"
        print(f"fastgrok: {said}", file=sys.stderr)
    return _SEPARATED.get(found.kind, _UNDECIDED)


def _target(table: Table, arguments: argparse.Namespace) -> tuple[Any, Any] | None:
    """Check the target of a logistic model, by its name, and return what its classes are called."""
    if arguments.model != "logistic":
        if arguments.classes is not None:
            raise ValueError(f"--classes are of --model logistic, got {arguments.classes}")
        return None
    name = f"column {arguments.target!r}"
    given, y = arguments.classes, table.y
    numeric = y.dtype.kind == "f"
    if numeric and (y == y.astype("int64")).all():
        y = y.astype("int64")  # as they are to be shown
    if given is not None and numeric:
        try:
            given = [int(label) if label.isdecimal() else float(label) for label in given]
        except ValueError:
            raise ValueError(f"--classes must be numbers, as {name} is, got {given}") from None
    try:
        _, classes = _checks.two_classes(name, y, len(y), given, settled=True)
    except ValueError as error:
        counts = numeric and len(set(y.tolist())) > 2
        hint = "; for counts say --model poisson" if counts else ""
        raise ValueError(f"{error}{hint}") from None
    return None if given is None else classes


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1, got {text!r}")
    return value


def _formats(text: str) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(text.lower().split(",")))
    if not set(kinds) <= set(FORMATS):
        raise argparse.ArgumentTypeError(f"must be of {', '.join(FORMATS)}, got {text!r}")
    return kinds


def _reproduce(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    papers = list(PAPERS.values()) if arguments.paper == _ALL else [PAPERS[arguments.paper]]
    try:
        if arguments.dim is not None:
            if arguments.paper == _ALL:
                raise LookupError(f"--dim needs one paper, not {_ALL!r}")
            papers = [paper.at(arguments.dim) for paper in papers]
        chosen = [(paper, _items(paper, arguments)) for paper in papers]
    except LookupError as error:
        parser.error(error.args[0])
    require_matplotlib()
    settings = Settings(
        scale="quick" if arguments.quick else "full" if arguments.full else "default",
        engine=arguments.engine,
        threads=_checks.threads(arguments.threads),
        seeds=arguments.seeds,
        formats=arguments.format,
    )
    gallery: list[tuple[Paper, list[tuple[Item, Output]]]] = []
    for paper, items in chosen:
        folder = _folder(paper, arguments)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{paper.citation} -> {folder}", flush=True)
        began = perf_counter()
        made = [(item, _make(item, settings, folder)) for item in items]
        print(f"\nVerdicts on {paper.citation}, {perf_counter() - began:.0f} s")
        print("\n".join(table_lines(made, shutil.get_terminal_size((_WIDTH, 0)).columns)))
        print(f"{tally(made, paper)}.")
        if items == paper.items:
            print(f"The report: {write_overview(paper, made, folder, size=_size(settings))}")
        print(f"Results are in {folder.resolve()}")
        gallery.append((paper, made))
        if arguments.paper == _ALL:  # also of those that are done when a later one is stopped
            page = write_gallery(gallery, folder.parent, size=_size(settings))
            print(f"All pictures, with the verdicts: {page}")
    return 0


def _size(settings: Settings) -> str:
    draws = (
        "" if settings.seeds is None else f", {_checks.plural(settings.seeds, 'draw')} of the data"
    )
    return f"{settings.scale} size{draws}, engine {settings.engine}"


def _items(paper: Paper, arguments: argparse.Namespace) -> tuple[Item, ...]:
    for kind in ("figure", "table"):
        wanted = getattr(arguments, kind)
        if wanted is not None:
            if arguments.paper == _ALL:
                raise LookupError(f"--{kind} needs one paper, not {_ALL!r}")
            return (paper.find(kind, wanted),)
    return paper.items


def _folder(paper: Paper, arguments: argparse.Namespace) -> Path:
    if arguments.paper == _ALL:
        return (arguments.out or Path("fastgrok-gallery")) / paper.key
    if arguments.out is None:
        dim = "" if arguments.dim is None else f"-d{arguments.dim}"
        return Path(f"fastgrok-{paper.key}{dim}")
    out: Path = arguments.out
    return out


def _make(item: Item, settings: Settings, folder: Path) -> Output:
    size = f"{settings.scale} size, {settings.threads} at a time"
    print(f"{item.name.capitalize()}: {item.title} ({size})", flush=True)
    began = perf_counter()
    output = item.make(settings, folder)
    output = replace(output, seconds=perf_counter() - began)
    for verdict in output.verdicts:
        print(f"\n{verdict.text()}")
    print(f"\n{item.name.capitalize()} took {output.seconds:.0f} s and wrote")
    for path in output.files:
        print(f"  {path}")
    return output
