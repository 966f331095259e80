"""What this build of fastgrok is and what it runs on."""

from __future__ import annotations

import numpy as np

from fastgrok import _checks
from fastgrok._core import build_info, simd, simd_available


class Config(dict[str, str]):
    """Names and values of a configuration; prints as a table."""

    def __repr__(self) -> str:
        """Align the values in a column, a line each."""
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.items())

    __str__ = __repr__


def show_config() -> Config:
    """
    Versions, compiler, instruction sets and threads of this installation.

    Nothing is printed: the result shows itself at a prompt, ``print(show_config())`` prints it in
    a program, and every value can be looked up by name.

    Returns
    -------
    Config
        A dict of strings: "fastgrok", "python", "numpy", "scipy", "platform", what the extension
        was compiled with (compiler, flags and the like), "simd" (the instruction set in use),
        "simd_available" (what FASTGROK_SIMD may name on this machine) and "threads" (what
        ``threads=None`` means now: of the cores this process may use, OMP_NUM_THREADS and what
        OpenMP has been set to since, as by threadpoolctl, the smallest. It is 1 in a child of
        fork, where OpenMP has no threads and whatever is asked for is done by one).

    Examples
    --------
    >>> import fastgrok as fg
    >>> fg.show_config()["simd"] in fg.show_config()["simd_available"].split()
    True
    """
    import platform  # noqa: PLC0415 (slow to import, as all of these)
    from importlib.metadata import version  # noqa: PLC0415 (slow to import)

    import scipy  # noqa: PLC0415 (likewise)

    return Config(
        {
            "fastgrok": version("fastgrok"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "platform": platform.platform(),
            **build_info(),
            "simd": simd(),
            "simd_available": " ".join(simd_available()),
            "threads": str(_checks.threads(None)),
        }
    )
