"""Files that are whole at any time."""

from fastgrok._files._atomic import remove_leftovers, write_atomically

__all__ = ["remove_leftovers", "write_atomically"]
