"""Descents: what a run may be, and running it to its end."""

from fastgrok.descent import schedules, stop

__all__ = ["schedules", "stop"]
