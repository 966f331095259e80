"""Files that are whole at any time, and tables of others."""

from fastgrok._files._atomic import (
    remove_leftovers,
    remove_old_leftovers,
    write_atomically,
)
from fastgrok._files._csv import Table, read_csv

__all__ = ["Table", "read_csv", "remove_leftovers", "remove_old_leftovers", "write_atomically"]
