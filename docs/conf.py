"""The site that Sphinx makes of these pages and of the docstrings of the installed package.

    sphinx-build -W -n docs FOLDER

Nothing is fetched: names of other packages are not linked.
"""

from __future__ import annotations

import inspect
import math
import os
import re
from enum import Enum
from importlib.metadata import version as installed
from typing import Any

import numpy as np
from docutils import nodes
from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature
from sphinx.util.typing import stringify_annotation

project = "fastgrok"
author = "The fastgrok developers"
copyright = "The fastgrok developers"
release = version = installed("fastgrok")

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
html_theme = "furo"
html_title = f"fastgrok {release}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]

# The pages are read on code hosts as well: headings are linked to, and nothing else is special.
myst_heading_anchors = 4

# The tutorial is a notebook in text, which is executed whenever the site is made.
nb_execution_mode = "force"
os.environ.pop("MPLBACKEND", None)  # its kernel has one of its own, which draws into the page
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # see `as_written`
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
default_role = "py:obj"
python_maximum_signature_line_length = 88
# Types of other packages, as annotations write them; then ours that have no entry of their own:
# what functions accept in several forms, which they describe in words, and what figures keep. All
# other names in signatures must be on these pages.
_OUTSIDE = r"""(np|matplotlib|numpy|os|pathlib|pd|sklearn|typing|xr)\..+
    |AbstractContextManager|ArrayLike|Axes|Callable|Client|DataFrame|Decimal|DTypeLike|Executor|Figure|Fraction|InitVar
    |Mapping|NDArray|Path|SearchStrategy|Sequence"""
_OURS = r"""Bounds|Cell|Condition|Config|EvaluationSet|Evidence|Labelled|Population|Proof
    |RandomState|Recipe|Record|RegularizedLimit|Remote|Schedule|Stop|_Recorded|D|DataDraws|Draw
    |Ensemble|Figure\d|Groups|Masking|Options|Row|Theory"""
nitpick_ignore_regex = [
    ("py:class", re.sub(r"\s", "", f"{_OUTSIDE}|{_OURS}")),
]

# What Python shows of annotations and defaults, and what the source says.
_AS_WRITTEN = {
    r"\b(collections\.abc|pathlib|typing)\.": "",  # first: the next is as it is without these
    re.escape(stringify_annotation(ArrayLike)): "ArrayLike",
    r"numpy\.ndarray\[tuple\[Any, \.\.\.\], numpy\.dtype\[([\w.]+)\]\]": r"NDArray[\1]",
    r"\bF64\b": "NDArray[np.float64]",
    r"<class '([\w.]+)'>": r"\1",
    "<factory>": "...",
    r"\bnumpy\.": "np.",
    r"\bfastgrok\.[\w.]+\.": "",
}


class Written:
    """A default as the source has it, or an ellipsis where the docstring says it better."""

    def __init__(self, value: object) -> None:
        """Keep what `value` is shown as."""
        self.text = repr(value)
        if isinstance(value, float) and ("e" in self.text or 1e5 <= value < math.inf):
            short = re.sub(r"\.?0*e\+?(-?)0*", r"e\1", f"{value:e}")
            self.text = short if float(short) == value else self.text
        if len(self.text) > 120:
            self.text = "..."

    def __repr__(self) -> str:
        """Show it."""
        return self.text


def as_written(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str, returned: str
) -> tuple[str, str] | None:
    """Show annotations as the source has them, where autodoc writes every union out."""
    if signature is None or not callable(value):
        return None
    if what == "class" and issubclass(value, (Enum, np.ndarray)):
        return "", ""  # which nobody makes by calling
    shown = inspect.signature(value)
    parameters = [
        one if one.default is one.empty else one.replace(default=Written(one.default))
        for one in shown.parameters.values()
    ]
    shown = shown.replace(parameters=parameters)
    if what == "method" and parameters and parameters[0].name in ("self", "cls"):
        shown = shown.replace(parameters=parameters[1:])
    text = stringify_signature(shown)
    for shown_as, written in _AS_WRITTEN.items():
        text = re.sub(shown_as, written, text)
    arguments, arrow, result = text.rpartition(" -> ")
    return (arguments, "" if what in ("class", "exception") else result) if arrow else (text, "")


def as_text(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Keep |b| and A_ as they are in docstrings, which are written for `help`, not for markup."""
    example = False
    for i, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if example:
            continue
        parts = re.split(r"(`[^`]+`_?)", line)
        parts[::2] = [re.sub(r"(?<!\\)\||(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
        lines[i] = "".join(parts)


def without_fields(
    app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out the fields of named tuples, which the class describes."""
    return True if type(value).__name__ == "_tuplegetter" else None


def in_words(app: Sphinx, env: Any, node: nodes.Element, shown: nodes.Element) -> Any:
    """Show as code what stands in single backticks and is no name here, such as an argument."""
    if node["reftype"] != "obj":
        return None
    python, name = env.get_domain("py"), f"fastgrok.{node['reftarget']}"
    if "." in node["reftarget"] and name in python.objects:  # such as Trajectory.plot
        return python.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, shown)
    return shown


def decisions(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the decisions below their overview, whose table is what a code host shows."""
    if page == "decisions/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def setup(app: Sphinx) -> None:
    """Have Sphinx ask us."""
    app.connect("source-read", decisions)
    app.connect("autodoc-skip-member", without_fields)
    app.connect("autodoc-process-signature", as_written)
    app.connect("autodoc-process-docstring", as_text, priority=900)  # behind numpydoc
    app.connect("missing-reference", in_words)
