"""
Separation in public data whose answer is known.

data/endometrial.csv: Heinze, Schemper (2002), "A solution to the problem of separation in logistic
regression". data/spector.csv: Spector, Mazzeo (1980), "Probit analysis and economic education",
as printed by Greene, "Econometric Analysis". data/lizards.csv: Schoener (1970), "Nonsynchronous
spatial overlap of lizards in patchy habitats", as printed by McCullagh, Nelder (1989),
"Generalized Linear Models". data/poisson: the examples of Correia, Guimaraes, Zylkin (2019), whose
separated rows are marked, from ppmlhdfe (MIT, data/poisson/LICENSE); id columns are fixed effects.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import fastgrok as fg
from fastgrok.sklearn import GDLogisticRegression
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


def test_spector():
    table = pd.read_csv(DATA / "spector.csv")
    X, y = table[["GPA", "TUCE", "PSI"]], table["GRADE"]
    found = fg.separation(X, y)
    assert (found.kind, found.rows.tolist(), found.coefficients) == ("none", [], ["finite"] * 4)
    assert found.overlap.tolist() == list(range(32))
    assert_proved(X.to_numpy(dtype=float), 2 * y - 1, True, found)
    run = fg.train(X, y, steps=1e10, lr="auto")
    assert run.feature_names == ("GPA", "TUCE", "PSI")
    assert run.classes == (0, 1)
    estimates = [*run.w, run.bias_final]
    np.testing.assert_allclose(estimates, [2.82611, 0.09516, 2.37869, -13.02135], atol=1e-5)
    np.testing.assert_allclose(run.loss[-1] * 32, 12.88963, atol=1e-5)
    model = GDLogisticRegression(steps=1e10).fit(X, y)
    np.testing.assert_allclose([*model.coef_[0], model.intercept_[0]], estimates, rtol=1e-6)


def lizards():
    """A row for each species at each place, and how often it was seen there."""
    cells = pd.read_csv(DATA / "lizards.csv")
    factors = ["height", "diameter", "light", "time"]
    table = cells.melt(factors, ["opalinus", "grahami"], "species", "seen")
    reference = {"height_<5ft", "diameter_<=2in", "light_sunny", "time_early"}
    dummies = pd.get_dummies(table[factors])
    return table, dummies.drop(columns=list(reference))


def test_lizards():
    table, X = lizards()
    species = table["species"].astype("category")
    assert table["seen"].sum() == 564
    found = fg.separation(X, species, classes=("opalinus", "grahami"), weights=table["seen"])
    assert (found.kind, found.coefficients) == ("none", ["finite"] * 6)
    assert found.overlap.tolist() == np.flatnonzero(table["seen"]).tolist()
    given = {"sample_weight": table["seen"], "classes": ("opalinus", "grahami")}
    run = fg.train(X, species, steps=1e8, lr="auto", **given)
    # As the textbooks have them.
    known = {
        "height_>=5ft": 1.1300, "diameter_>2in": -0.7626, "light_shady": -0.8473,
        "time_midday": 0.2271, "time_late": -0.7368,
    }  # fmt: skip
    estimates = dict(zip(run.feature_names, run.w, strict=True))
    assert estimates == pytest.approx(known, abs=1e-4)
    assert run.bias_final == pytest.approx(1.9447, abs=1e-4)
    assert run.sizes["train"] == 564
    assert run.params["rows"] == np.count_nonzero(table["seen"])
    every = table.index.repeat(table["seen"])
    one_by_one = fg.train(
        X.loc[every], species.loc[every], steps=1e8, lr="auto", classes=("opalinus", "grahami")
    )
    np.testing.assert_allclose(run.w, one_by_one.w, rtol=1e-7)
    np.testing.assert_array_equal(run.counts["train"][-1], one_by_one.counts["train"][-1])


def test_lizards_with_a_parameter_for_every_place():
    """Where one species alone was seen, no estimate exists, and that is all that is separated."""
    table, _ = lizards()
    places = table[["height", "diameter", "light", "time"]].agg(" ".join, axis=1)
    X = pd.get_dummies(places)
    found = fg.separation(
        X, table["species"], classes=("opalinus", "grahami"), bias=False, weights=table["seen"]
    )
    seen = table.pivot_table("seen", places, "species")
    alone = seen.index[(seen == 0).any(axis=1)]
    assert sorted(alone) == [
        ">=5ft <=2in sunny early", ">=5ft <=2in sunny late", ">=5ft <=2in sunny midday",
        ">=5ft >2in sunny early",
    ]  # fmt: skip
    assert found.kind == "quasi-complete"
    expected = ["+inf" if name in set(alone) else "finite" for name in X.columns]
    assert found.coefficients == expected
    pushed = np.flatnonzero(places.isin(alone) & (table["seen"] > 0))
    assert found.rows.tolist() == pushed.tolist()
    by_sample = fg.separation(
        X, table["species"], classes=("opalinus", "grahami"), bias=False,
        sample_weight=table["seen"],
    )  # fmt: skip
    assert by_sample.rows.tolist() == found.rows.tolist()
