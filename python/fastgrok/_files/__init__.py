"""Files that are whole at any time, digests of what is in them, and tables of others."""

from fastgrok._files._atomic import (
    remove_leftovers,
    remove_old_leftovers,
    write_atomically,
)
from fastgrok._files._csv import Table, read_csv
from fastgrok._files._digests import BLOCK, DIGEST, digest, digests

__all__ = [
    "BLOCK",
    "DIGEST",
    "Table",
    "digest",
    "digests",
    "read_csv",
    "remove_leftovers",
    "remove_old_leftovers",
    "write_atomically",
]
