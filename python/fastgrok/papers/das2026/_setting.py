"""The paper's setting at d = 2 and d = 1024, and the numbers it states."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastgrok.papers._report import Stated

DIM = 2
#: The columns of the paper's other data set, of 5e5 points of each class.
WIDE = 1024
CLASSES = (1000, 1000)
GAMMA = 1e-3
ALPHA = 10.0
HALF_WIDTH = 5.0
LEARNING_RATE = 1e-2
STEPS = 10_000_000
REDUCTIONS = ("mean", "sum")
TEST_SETS = ("standard", "concentrated")

#: The paper speaks of grokking where zeta = T_te / T_tr is of this order or more.
GROKKING = 100.0


@dataclass(frozen=True)
class Variant:
    """
    A reading of the paper: how the losses are reduced, and which data are trained on.

    Attributes
    ----------
    reduction : {"mean", "sum"}
        How the losses are reduced.
    support : (int, int)
        Planted support vectors S(s+, s-), counted in `classes`; (0, 0) plants none.
    bias : bool
        Whether the bias is learnt.
    classes : (int, int)
        Points of each class, D(n+, n-).
    """

    reduction: str
    support: tuple[int, int]
    bias: bool = True
    classes: tuple[int, int] = CLASSES

    @property
    def planted(self) -> str:
        """The planted support vectors in the paper's notation."""
        if self.support == (0, 0):
            return "none planted"
        return f"S({self.support[0]},{self.support[1]})"

    @property
    def population(self) -> str:
        """The points of each class in the paper's notation."""
        return f"D({self.classes[0]},{self.classes[1]})"

    @property
    def data(self) -> str:
        """What is trained on; classes of the same size go without saying."""
        balanced = self.classes[0] == self.classes[1]
        return self.planted if balanced else f"{self.population} {self.planted}"

    def __str__(self) -> str:
        return f"{self.reduction}, {self.data}{'' if self.bias else ', no bias'}"


def readings(
    reductions: Sequence[str],
    supports: Sequence[tuple[int, int]],
    classes: tuple[int, int],
    *,
    bias: bool = True,
) -> list[Variant]:
    """Combine every reduction with all planted support vectors."""
    return [
        Variant(reduction, support, bias, classes)
        for reduction in reductions
        for support in supports
    ]


@dataclass(frozen=True)
class TableRow:
    """A row of the paper's Table 1: times to (1 - eps) of the best accuracy, in steps."""

    test: str
    eps: float
    t_train: Stated
    t_test: Stated
    zeta: Stated


#: Table 1 of the paper, the rows of d = 2.
TABLE_1 = (
    TableRow("standard", 0.0, Stated(5e5), Stated(2e6), Stated(4.0)),
    TableRow("concentrated", 0.0, Stated(4e2), Stated(7e6), Stated(1.75e4)),
    TableRow("concentrated", 1e-3, Stated(10.0, "<="), Stated(1e6), Stated(1.75e4, ">=")),
)

#: The rows of d = 1024.
WIDE_TABLE_1 = (
    TableRow("standard", 0.0, Stated(1e6), Stated(1e6), Stated(1.0)),
    TableRow("concentrated", 0.0, Stated(1e2), Stated(5e6), Stated(5e4)),
    TableRow("concentrated", 1e-3, Stated(10.0), Stated(4e6), Stated(5e4, ">=")),
)


def table_1(dim: int) -> tuple[TableRow, ...]:
    """Return the rows of the paper's Table 1 for so many columns of the data."""
    return {DIM: TABLE_1, WIDE: WIDE_TABLE_1}.get(dim, ())


#: More than the share of points that S(350,35) puts on the margin of the smaller class (1.75 %).
#: They are right only once the concentrated set is, so below it a delay cannot be seen.
EPS_BEYOND_MARGIN = 0.02

#: Every eps_0 at which times are read.
EPSILONS = (*sorted({row.eps for row in TABLE_1}), EPS_BEYOND_MARGIN)

#: Ends of the first two phases that the paper names for the setting of Figure 1, in steps.
PHASE_1_END = Stated(5e3)
PHASE_2_END = Stated(5e4)

#: Where |b| / ||w|| peaks for balanced classes, and for more points of class +1, in steps.
PEAK = Stated(2e3)
PEAK_TOWARDS_PLUS = Stated(7e2)

#: End of the early dynamics of balanced classes, in steps.
EARLY_END = Stated(1e2)
