"""What inputs are drawn from: a number is an input, and says all about it."""

import random
from typing import Any

import numpy as np

STRANGE: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 10**30, -(10**30), 2**63, 0.0, -0.0, 0.5, 1.5, -1.0, 1e-320,
    1e308, -1e308, float("nan"), float("inf"), float("-inf"), 1j, "", "a", "1", "auto", "logistic",
    "l2", b"b", [], [1.0], [[]], [[1.0]], [1, "a"], (), (1, 2), (0.0, 1.0), {}, {"a": 1}, {1, 2},
    set(), object(), np.float64(2.0), np.int8(3), np.array(1.0), np.array([]), range(3),
    np.array("a"), np.array([None]), np.array(["2020-01-01"], dtype="datetime64[D]"), Ellipsis,
    np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((2, 2, 2)), np.ma.masked_array([1.0], mask=[True]),
]  # fmt: skip
DTYPES = ("f8", "f4", "f2", "i8", "i1", "u1", "?", ">f8", "c16", "O", "U3", "longdouble")


class Draw(random.Random):
    """Draws of one input."""

    def one_of(self, *values: Any) -> Any:
        return values[self.randrange(len(values))]

    def value(self) -> float:
        """Any float64, the usual ones more often."""
        how = self.randrange(8)
        if how < 4:
            return self.gauss(0.0, 1.0)
        if how < 6:
            return float(self.randint(-3, 3))
        if how < 7:
            return self.gauss(0.0, 1.0) * 10.0 ** self.randint(-320, 300)
        return self.one_of(float("nan"), float("inf"), -float("inf"), 5e-324, 1.7e308, -0.0)

    def array(self, *shape: int, finite: bool = True) -> Any:
        """Numbers of one scale, or all sorts."""
        size = int(np.prod(shape))
        if finite:
            numbers = [self.gauss(0.0, 1.0) for _ in range(size)]
            if self.randrange(4) == 0:
                numbers = [float(round(x)) for x in numbers]
            scale = 10.0 ** self.one_of(0, 0, 0, 1, -3, 6, -150, 150)
            return np.array(numbers).reshape(shape) * scale
        return np.array([self.value() for _ in range(size)]).reshape(shape)

    def disturbed(self, right: Any) -> Any:
        """Something else in the place of an argument, strange or hardly different."""
        if not isinstance(right, np.ndarray) or self.randrange(3) == 0:
            return STRANGE[self.randrange(len(STRANGE))]
        how = self.randrange(9)
        if how == 0:
            return right[..., None]
        if how == 1:
            return right.ravel()[: self.randrange(right.size + 1)]
        if how == 2:
            return right[::-1] if self.randrange(2) else np.asfortranarray(right)
        if how == 3:
            return right.tolist()
        if how == 4:
            with np.errstate(all="ignore"):
                return right.astype(self.one_of(*DTYPES))
        if how == 5:
            return self.array(*right.shape, finite=False)
        if how == 6:
            return np.repeat(right, 2, axis=0)[::2]
        if how == 7:
            return right[:0]
        other = right.astype("f8", copy=True)
        if other.size:
            other.flat[self.randrange(other.size)] = self.value()
        return other
