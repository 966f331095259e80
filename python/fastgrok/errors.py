"""The base of the package's own exceptions, and its warnings.

The others stand where they are raised; bad arguments raise ValueError or TypeError.
"""


class FastgrokError(RuntimeError):
    """Base class of the errors that a run can end in."""


class StabilityWarning(UserWarning):
    """The learning rate is beyond 2 / lambda_max of the Hessian somewhere along the run."""


class LeapWarning(UserWarning):
    """A leap was lost, and more exact steps follow than one may want to wait for."""


class SweepWarning(UserWarning):
    """Some cells of a sweep failed: they are NaN, and `traceback` in the data set says why."""
