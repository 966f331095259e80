"""Bars that show how far something long is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


def progress_bar(**options: Any) -> tqdm[Any]:
    """Make a bar with these options of tqdm, which is imported only when a bar is asked for."""
    from tqdm.auto import tqdm as make  # noqa: PLC0415 (slow to import)

    return make(**options)
