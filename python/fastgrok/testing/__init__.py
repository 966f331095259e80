"""For the tests of what is built on fastgrok: runs compared to the bit, and sets of a known kind.

`fastgrok.testing.strategies` draws data sets whose verdict is known without rounding; it needs
hypothesis, and is imported by its own name. Where fastgrok is installed, pytest explains two runs
that a test compares by ``==``.
"""

from fastgrok.testing._bits import assert_same_bits, explain_difference

__all__ = ["assert_same_bits", "explain_difference"]
