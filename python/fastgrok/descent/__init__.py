"""Descents: what a run may be, and running it to its end."""
