"""All pictures and verdicts on one page, which a browser shows from a folder, without a server."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite
from pathlib import Path

from fastgrok import _checks
from fastgrok.papers._catalogue import FORMATS, Item, Output, Paper
from fastgrok.papers._report import Outcome, Verdict, head_and_foot, versions
from fastgrok.papers._summary import REPORT, Made, tally

#: The file that `write_gallery` writes.
GALLERY = "index.html"

# Marks stand beside colours that readers who are colour-blind tell apart.
_MARKS = {
    Outcome.AGREES: ("agrees", "&#10003;"),
    Outcome.DIFFERS: ("differs", "&#10007;"),
    Outcome.OPEN: ("open", "&#126;"),
    Outcome.SHORT: ("short", "&#63;"),
}


def write_gallery(papers: Sequence[tuple[Paper, Made]], folder: Path, *, size: str) -> Path:
    """
    Write the page with everything that was made.

    Parameters
    ----------
    papers : sequence of (Paper, sequence of (Item, Output))
        What was made, each paper's files in the folder of its key.
    folder : Path
        Where these folders are, and where the page goes.
    size : str
        At which size the items were made, in words.

    Returns
    -------
    Path
        The page. It needs nothing but the files beside it, to which its links are relative.
    """
    folder = Path(_checks.path("folder", folder))
    body = [
        "<header><h1>Grokking in linear models: every figure and table</h1>",
        f"<p>Made at {escape(size)} by {escape(versions())}. Draws of the data have the seeds 0, "
        "1, 2, and so on, as many as is said at each figure. A verdict is reached from the runs "
        "alone, by the rule in the report of its figure.</p>",
        "<nav>",
        *(_contents(paper, made) for paper, made in papers),
        "</nav></header>",
        "<main>",
        *(_section(paper, made, folder) for paper, made in papers),
        "</main>",
    ]
    path = folder / GALLERY
    path.write_text(_PAGE.format(style=_STYLE, body="\n".join(body)), encoding="utf-8")
    return path


def _contents(paper: Paper, made: Made) -> str:
    links = " ".join(f'<a href="#{_anchor(paper, item)}">{_words(item)}</a>' for item, _ in made)
    return (
        f"<section><h2>{escape(paper.citation)}</h2>\n<p>{links}</p>\n"
        f"<p>{escape(tally(made, paper))}.</p></section>"
    )


def _section(paper: Paper, made: Made, folder: Path) -> str:
    return "\n".join(
        [
            f"<h2>{escape(paper.citation)}</h2>",
            f'<p><a href="{paper.key}/{REPORT}">The report</a></p>',
            *(_article(paper, item, output, folder) for item, output in made),
        ]
    )


def _article(paper: Paper, item: Item, output: Output, folder: Path) -> str:
    links = {path: path.relative_to(folder).as_posix() for path in output.files}
    (report,) = (path for path in output.files if path.suffix == ".md")
    made_of, made_by = head_and_foot(report.read_text(encoding="utf-8"))
    rest = [path for path in output.files if path.suffix in (".md", ".csv", ".npz")]
    time = f"{output.seconds:.3g} s; " if isfinite(output.seconds) else ""
    return "\n".join(
        [
            f'<article id="{_anchor(paper, item)}">',
            f"<h3>{_words(item)}: {escape(item.title)}</h3>",
            f"<p>{_inline(made_of)}</p>",
            *(
                _picture({kind: links[path] for kind, path in files.items()}, item)
                for files in output.pictures().values()
            ),
            _table(output.verdicts),
            f'<p class="made">Made in {time}{_inline(made_by.splitlines()[0])}</p>',
            '<p class="files">'
            + " ".join(f'<a href="{links[path]}">{escape(path.name)}</a>' for path in rest)
            + "</p>",
            "</article>",
        ]
    )


def _picture(files: Mapping[str, str], item: Item) -> str:
    """Show a picture, which leads to the one for print, above links to all of its formats."""
    kinds = [kind for kind in FORMATS if kind in files]
    name = Path(files[kinds[0]]).stem
    links = " ".join(f'<a href="{files[kind]}">{kind.upper()}</a>' for kind in kinds)
    image = ""
    if kinds[0] != "pdf":  # which no page shows as an image
        alt = f"{escape(item.title)}: {name}"
        vector = files.get("svg", files[kinds[-1]])
        image = f'<a href="{vector}"><img src="{files[kinds[0]]}" alt="{alt}"></a>'
    return f"<figure>{image}<figcaption>{name} {links}</figcaption></figure>"


def _table(verdicts: Iterable[Verdict]) -> str:
    rows = "\n".join(map(_row, verdicts))
    head = "".join(f"<th>{name}</th>" for name in ("Claim", "The paper's value", "Verdict", "Ours"))
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _row(verdict: Verdict) -> str:
    kind, mark = _MARKS[verdict.outcome]
    findings = "".join(
        f"<dt>{_badge(finding.outcome)} {_inline(finding.reading)}</dt>"
        f"<dd>{_inline(finding.numbers)}</dd>"
        for finding in verdict.findings
    )
    count = len(verdict.findings)
    what = "part" if verdict.parts else "reading"
    return (
        f"<tr><td>{_inline(verdict.claim)}</td>"
        f"<td>{_inline(verdict.stated) or 'in words'}</td>"
        f'<td><span class="{kind}">{mark} {escape(verdict.label)}</span></td>'
        f"<td><details><summary>{count} {what}{'s' if count != 1 else ''}: "
        f"{_inline(verdict.findings[0].numbers) if count else ''}</summary>"
        f"<dl>{findings}</dl></details></td></tr>"
    )


def _badge(outcome: Outcome) -> str:
    kind, mark = _MARKS[outcome]
    return f'<span class="{kind}">{mark}</span>'


def _anchor(paper: Paper, item: Item) -> str:
    return f"{paper.key}-{item.name.replace(' ', '-')}"


def _words(item: Item) -> str:
    return escape(item.name.capitalize())


def _inline(text: str) -> str:
    """Write a line of Markdown: code and what is bold, links without where they lead."""
    text = escape(text)
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]*)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Grokking in linear models</title>
<link rel="icon" href="data:,">
<style>
{style}
</style>
</head>
<body>
{body}
</body>
</html>
"""

_STYLE = """:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1b1b; --soft: #5c5c5c; --line: #d9d9d9; --card: #f6f6f6;
  --link: #005a9c; --agrees: #00664a; --differs: #a33e00; --open: #6b4a00; --short: #555555;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181b; --ink: #e6e6e6; --soft: #a6a6a6; --line: #3a3d42; --card: #1f2226;
    --link: #7fbfff; --agrees: #52d3a8; --differs: #ff9a5c; --open: #f0c24b; --short: #b5b5b5;
  }
}
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
header, main { max-width: 72rem; margin: 0 auto; padding: 1rem 1.25rem; }
a { color: var(--link); }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin: 0 0 .5rem; }
nav h2 { margin: 1rem 0 .25rem; } nav p { margin: .25rem 0; } nav a { margin-right: .6rem; }
article { border: 1px solid var(--line); border-radius: 8px; background: var(--card);
  padding: 1.25rem; margin: 1.25rem 0; }
figure { margin: 1rem 0; }
img { display: block; max-width: 100%; height: auto; background: #ffffff; border-radius: 4px; }
figcaption, .made, .files { color: var(--soft); font-size: .85rem; }
.files a, figcaption a { margin-left: .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .6rem;
  border-top: 1px solid var(--line); }
th { white-space: nowrap; }
td:first-child { min-width: 16rem; } td:last-child { min-width: 18rem; }
dl { margin: .4rem 0 0; } dt { font-weight: 600; } dd { margin: 0 0 .35rem; color: var(--soft); }
.agrees { color: var(--agrees); } .differs { color: var(--differs); } .open { color: var(--open); }
.short { color: var(--short); }
td > span { font-weight: 600; }
code { font-size: .9em; }"""
