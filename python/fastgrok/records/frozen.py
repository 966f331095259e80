"""What a run holds, so that nobody changes it, and so that it answers to a wrong name."""

from typing import Any

import numpy as np


class ByName(dict[str, Any]):
    """A dict that says which names there are when it lacks one."""

    def __missing__(self, key: object) -> Any:
        """Raise a KeyError with the names that there are."""
        raise KeyError(f"no {key!r}: there are {', '.join(map(repr, self))}")


def frozen(value: Any) -> Any:
    """Give arrays (also inside a dict) as views that cannot be written to."""
    if isinstance(value, np.ndarray):
        value = value.view()
        value.setflags(write=False)
        return value
    if isinstance(value, dict):
        held = (dict, np.ndarray)
        return ByName(
            {key: frozen(item) if isinstance(item, held) else item for key, item in value.items()}
        )
    return value
