"""C++ beside a benchmark, compiled by the compiler that the installation needs (`CXX`, or c++)."""

import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

COMPILER = shlex.split(os.environ.get("CXX", "c++"))


def is_possible() -> bool:
    return shutil.which(COMPILER[0]) is not None


def library(source: str, *options: str) -> ctypes.CDLL:
    """A file of this folder as a library, compiled with these options."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "library.so"
        shared = ["-std=c++20", "-shared", "-fPIC"]
        command = [*COMPILER, *options, *shared, str(Path(__file__).with_name(source))]
        subprocess.run([*command, "-o", str(file)], check=True)
        return ctypes.CDLL(str(file))
