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


@pytest.mark.parametrize("model", [GDLogisticRegression(steps=5), MaxMarginClassifier()])
@pytest.mark.parametrize("form", [np.array, csr_matrix])
def test_integers_are_exact_or_refused(model, form):
    long = form(np.array([[2**53 + 1], [3], [-4], [-5]]))
    with pytest.raises(ValueError, match="float64 cannot hold"):
        clone(model).fit(long, [1, 1, 0, 0])
    short = form(np.array([[2**53], [3], [-4], [-5]]))
    fitted = clone(model).fit(short, [1, 1, 0, 0])
    with pytest.raises(ValueError, match="float64 cannot hold"):
        fitted.predict(long)
    assert fitted.predict(short).tolist() == [1, 1, 0, 0]


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


def test_weights_are_repeated_rows():
    X, y = load_breast_cancer(return_X_y=True)
    X, some = StandardScaler().fit_transform(X)[:, :4], np.random.default_rng(0)
    times = some.integers(0, 4, len(y))
    for model in (GDLogisticRegression(steps=1e5), GDLogisticRegression(steps=300, lr=0.1)):
        model.fit(X, y, sample_weight=times)
        again = clone(model).fit(X.repeat(times, axis=0), y.repeat(times))
        np.testing.assert_allclose(model.coef_, again.coef_, rtol=1e-6)
        np.testing.assert_allclose(model.intercept_, again.intercept_, rtol=1e-6)
    rows, labels = irises()
    rows = rows.to_numpy()
    first = MaxMarginClassifier().fit(rows, labels)
    left_out = np.ones(len(rows))
    left_out[first.support_[0]] = 0.0
    model = MaxMarginClassifier().fit(rows, labels, sample_weight=left_out)
    kept = np.flatnonzero(left_out)
    expected = fg.max_margin(rows[kept], labels.to_numpy()[kept])
    np.testing.assert_array_equal(model.coef_, expected.w[None])
    np.testing.assert_array_equal(model.support_, kept[expected.support])
    assert model.margin_ > first.margin_
    with pytest.raises(ValueError, match="got one class only: 'setosa'"):
        model.fit(rows, labels, sample_weight=labels == "setosa")
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        model.fit(rows, labels, sample_weight=-left_out)


class Listener:
    """A callback that keeps what it hears, and stops a fit behind a step."""

    def __init__(self, stop_at=np.inf):
        self.stop_at, self.heard, self.models = stop_at, [], []

    def setup(self, estimator, context):
        self.heard.append("setup")

    def teardown(self, estimator, context):
        self.heard.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, metadata=None):
        self.heard.append(f"begin {context.task_name}")
        self.metadata = metadata

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.heard.append(f"end {context.task_name}")
        if context.task_name == "record":
            self.models.append((fitted_estimator, fitted_estimator.score(X, y)))
            return fitted_estimator.n_iter_[0] >= self.stop_at
        return None


def test_callbacks_are_called_at_every_record():
    callback = pytest.importorskip("sklearn.callback")
    X, y = irises()
    weights = np.ones(len(y))
    listener = Listener()
    assert isinstance(listener, callback.FitCallback)
    model = GDLogisticRegression(steps=1e6).set_callbacks(listener)
    model.fit(X, y, sample_weight=weights)
    plain = GDLogisticRegression(steps=1e6).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    records = plain.trajectory_.steps.size
    assert listener.heard == [
        "setup", "begin fit", *["begin record", "end record"] * records, "end fit", "teardown"
    ]  # fmt: skip
    assert listener.metadata == {"sample_weight": weights}
    assert [one.n_iter_[0] for one, _ in listener.models] == plain.trajectory_.steps.tolist()
    scores = [score for _, score in listener.models]
    # At the start all logits are 0, which scikit-learn counts as one class.
    np.testing.assert_array_equal(scores[1:], model.trajectory_.accuracy["train"][1:])
    margins = MaxMarginClassifier().set_callbacks(Listener()).fit(X, y)
    assert margins._skl_callbacks[0].heard == ["setup", "begin fit", "end fit", "teardown"]


@pytest.mark.parametrize("settings", [{}, {"engine": "exact", "steps": 2e5}])
def test_a_callback_may_stop_a_fit(settings):
    pytest.importorskip("sklearn.callback")
    X, y = irises()
    settings = {"steps": 1e9, **settings}
    listener = Listener(stop_at=1000)
    model = GDLogisticRegression(**settings).set_callbacks(listener).fit(X, y)
    stopped, _ = listener.models[-1]
    assert 1000 <= model.n_iter_[0] < 1100
    np.testing.assert_array_equal(model.coef_, stopped.coef_)
    np.testing.assert_array_equal(model.intercept_, stopped.intercept_)
    whole = GDLogisticRegression(**settings).fit(X, y)
    at = whole.trajectory_.at(int(model.n_iter_[0]))[0]
    np.testing.assert_allclose(model.coef_[0], at, rtol=1e-7)
    assert listener.heard[-2:] == ["end fit", "teardown"]


@pytest.mark.parametrize("model", [GDLogisticRegression(steps=5), MaxMarginClassifier()])
def test_numbers_that_would_be_rounded_are_refused(model):
    """scikit-learn makes float64 of everything, without a word."""
    big, y = [[2**53], [2**53 + 1]], [0, 1]
    long = np.array([[1.0], [1 + np.finfo(np.longdouble).eps]], np.longdouble)
    tables = [
        np.array(big),
        big,
        np.array(big, dtype=object),
        pd.DataFrame({"t": [2**53, 2**53 + 1], "x": [0.5, 1.5]}),
        csr_matrix(np.array(big)),
        *([long] if np.finfo(np.longdouble).nmant > 52 else []),
    ]
    for table in tables:
        with pytest.raises(ValueError, match="which float64 cannot hold"):
            model.fit(table, y)
    fitted = model.fit([[0], [1]], y)
    with pytest.raises(ValueError, match="which float64 cannot hold"):
        fitted.predict([[2**53 + 1]])


def test_the_intercept_is_named_as_the_argument_is():
    with pytest.raises(TypeError, match=r"^fit_intercept must be True or False, got None"):
        GDLogisticRegression(fit_intercept=None).fit([[0.0], [1.0]], [0, 1])
