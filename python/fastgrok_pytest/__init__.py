"""A plug-in of pytest: two runs that are compared by ``==`` in a failed assertion are explained.

pytest imports this at every start, in every environment that has fastgrok. So it is a package of
its own, which imports nothing and works also where fastgrok itself does not.
"""

import sys
from typing import Any


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    """
    Say where two runs begin to differ.

    Parameters
    ----------
    op : str
        The comparison; only "==" is explained.
    left, right
        What was compared; only two runs are explained.

    Returns
    -------
    list of str or None
        Lines to show, a summary first; None leaves it to others.
    """
    # Who has runs has imported this.
    module = sys.modules.get("fastgrok.trajectory")
    if op != "==" or module is None:
        return None
    if not (isinstance(left, module.Trajectory) and isinstance(right, module.Trajectory)):
        return None
    from fastgrok.testing import explain_difference  # noqa: PLC0415

    said = explain_difference(left, right) or "their records are the same to the last bit"
    return [
        "one run == another: true only of a run and itself "
        "(fastgrok.testing.assert_same_bits compares what they hold)",
        *said.splitlines(),
    ]
