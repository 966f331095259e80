"""
Separation in public data whose answer is known.

data/endometrial.csv: Heinze, Schemper (2002), "A solution to the problem of separation in logistic
regression". data/poisson: the examples of Correia, Guimaraes, Zylkin (2019), whose separated rows
are marked, from ppmlhdfe (MIT, data/poisson/LICENSE); id columns are fixed effects.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import fastgrok as fg
from separation_cases import assert_proved

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("path", sorted((DATA / "poisson").glob("*.csv")), ids=lambda p: p.stem)
def test_poisson_examples_have_the_rows_that_are_marked(path):
    table = pd.read_csv(path)
    effects = [name for name in table if name.startswith("id")]
    X = pd.get_dummies(table.drop(columns=["y", "separated"]), columns=effects)
    found = fg.separation(X, table["y"], model="poisson")
    assert found.rows.tolist() == np.flatnonzero(table["separated"]).tolist()
    assert found.kind == ("quasi-complete" if table["separated"].any() else "none")
    if X.shape[1] < 12:
        assert_proved(X.to_numpy(dtype=float), table["y"], True, found, "poisson")


def test_endometrial():
    table = pd.read_csv(DATA / "endometrial.csv")
    X = table[["NV", "PI", "EH"]]
    found = fg.separation(X, table["HG"])
    assert found.kind == "quasi-complete"
    assert found.names == ["NV", "PI", "EH", "(intercept)"]
    assert found.coefficients == ["+inf", "finite", "finite", "finite"]
    # All with neovasculization, and they alone: the others are the same with and without it.
    np.testing.assert_array_equal(found.rows, np.flatnonzero(table["NV"]))
    assert [float(value) for value in found.direction] == [1.0, 0.0, 0.0, 0.0]
    assert_proved(X.to_numpy(dtype=float), 2 * table["HG"] - 1, True, found)
    assert list(found.to_pandas()["coefficient"]) == found.coefficients
    assert list(found.to_pandas().index) == found.names
    rest = fg.separation(X.iloc[found.overlap], table["HG"].iloc[found.overlap])
    assert rest.kind == "none"
    assert rest.aliased == [0]


@pytest.mark.parametrize(
    ("pair", "kind"), [((0, 1), "complete"), ((0, 2), "complete"), ((1, 2), "none")]
)
def test_pairs_of_irises(pair, kind):
    data = load_iris(as_frame=True)
    some = data.target.isin(pair)
    names = data.target[some].map(dict(enumerate(data.target_names)))
    found = fg.separation(data.data[some], names)
    assert found.kind == kind
    assert found.classes == tuple(sorted(data.target_names[list(pair)]))
    assert found.names[:2] == ["sepal length (cm)", "sepal width (cm)"]
    assert "undecided" not in found.coefficients
