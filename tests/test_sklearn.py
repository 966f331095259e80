"""Estimators: scikit-learn's own checks, and that they say what train and max_margin say."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import fastgrok as fg
from fastgrok.sklearn import GDLogisticRegression, MaxMarginClassifier


def failed(estimator):
    checks = check_estimator(estimator, on_fail=None, on_skip=None)
    assert sum(check["status"] == "passed" for check in checks) > 35
    return [check for check in checks if check["status"] not in ("passed", "skipped")]


@pytest.mark.filterwarnings("ignore")
def test_the_checks_of_scikit_learn():
    assert not failed(GDLogisticRegression(steps=1e4))


@pytest.mark.filterwarnings("ignore")
def test_what_fails_of_them_has_classes_that_nothing_separates():
    for check in failed(MaxMarginClassifier()):
        error = check["exception"]
        if isinstance(error, AssertionError):  # so that of sparse rows is told
            error = error.__cause__
        assert isinstance(error, fg.NotSeparableError), check["check_name"]
        assert error.certificate.verdict in ("boundary", "interior")


@pytest.mark.parametrize("model", [GDLogisticRegression(steps=1e4), MaxMarginClassifier()])
def test_sparse_rows_are_those_of_an_array(model):
    X, y = irises()
    rows = csr_matrix(X.to_numpy())
    got, expected = clone(model).fit(rows, y), clone(model).fit(X.to_numpy(), y)
    np.testing.assert_allclose(got.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(got.intercept_, expected.intercept_, rtol=1e-6)
    assert got.predict(rows).tolist() == y.tolist()


def irises():
    data = load_iris(as_frame=True)
    some = data.target < 2
    return data.data[some], data.target[some].map(dict(enumerate(data.target_names)))


def test_descent_is_that_of_train():
    X, y = irises()
    settings = {"steps": 1e6, "lr": 0.1, "weight_decay": 1e-3}
    model = GDLogisticRegression(**settings).fit(X, y)
    run = fg.train(X, np.where(y == "versicolor", 1, -1), **settings)
    np.testing.assert_array_equal(model.coef_, run.w[None])
    np.testing.assert_array_equal(model.intercept_, [run.bias_final])
    assert model.n_iter_.tolist() == [1e6]
    assert model.classes_.tolist() == ["setosa", "versicolor"]
    assert model.feature_names_in_.tolist() == list(X.columns)
    assert model.trajectory_.params["weight_decay"] == 1e-3
    logits = X.to_numpy() @ run.w + run.bias_final
    np.testing.assert_allclose(model.decision_function(X), logits, rtol=1e-12)
    np.testing.assert_allclose(
        model.predict_proba(X), np.column_stack([expit(-logits), expit(logits)]), rtol=1e-9
    )
    assert model.predict(X).tolist() == y.tolist()
    free = GDLogisticRegression(fit_intercept=False, steps=100, lr=0.1).fit(X, y)
    assert free.intercept_.tolist() == [0.0]


def test_probabilities_far_from_the_hyperplane_are_small_and_not_zero():
    model = GDLogisticRegression(steps=1000).fit([[-1.0], [1.0]], [0, 1])
    far = np.array([[-300.0 / model.coef_[0, 0]], [300.0 / model.coef_[0, 0]]])
    first, second = model.predict_proba(far).T
    small = [second[0], first[1]]
    np.testing.assert_allclose(small, np.exp(-np.abs(model.decision_function(far))), rtol=1e-12)


def test_margins_are_those_of_max_margin():
    X, y = irises()
    model = MaxMarginClassifier(bias="free").fit(X, y)
    found = fg.max_margin(X, np.where(y == "versicolor", 1, -1), bias="free")
    np.testing.assert_array_equal(model.coef_, found.w[None])
    assert model.intercept_[0] == found.b
    assert model.margin_ == found.margin
    np.testing.assert_array_equal(model.support_, found.support)
    assert model.score(X, y) == 1.0
    assert not hasattr(model, "predict_proba")


def test_pipelines_and_searches():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), GDLogisticRegression())
    grid = {"gdlogisticregression__steps": [10, 1000], "gdlogisticregression__lr": [0.1, "auto"]}
    search = GridSearchCV(pipe, grid, cv=3, scoring="roc_auc").fit(X, y)
    assert search.best_score_ > 0.98
    model = search.best_estimator_[-1]
    assert model.feature_names_in_.tolist() == list(X.columns)
    assert cross_val_score(clone(search.best_estimator_), X, y, cv=3).min() > 0.9


@pytest.mark.parametrize("model", [GDLogisticRegression(steps=5), MaxMarginClassifier()])
def test_what_is_not_two_classes_is_refused(model):
    X = np.arange(6.0)[:, None]
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        model.fit(X, [0, 1, 2, 0, 1, 2])
    with pytest.raises(ValueError, match="got one class only: 'a'"):
        model.fit(X, ["a"] * 6)
    model.fit(pd.DataFrame(X, columns=["x"]), [0, 0, 0, 1, 1, 1])
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(pd.DataFrame(X, columns=["z"]))
