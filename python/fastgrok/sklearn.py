"""
Estimators with the manners of scikit-learn, which must be installed (1.6 or newer).

From 1.9 on they take callbacks (``set_callbacks``): descent calls them at every record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.descent.steps import log_spaced
from fastgrok.geometry import max_margin
from fastgrok.training import train
from fastgrok.trajectory import Trajectory

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks  # of 1.9
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for that of newer versions."""

    def with_callbacks(method: Any) -> Any:
        """Change nothing: there are none."""
        return method


class _StoppedError(Exception):
    """Ends a run because a callback said so."""


_SINGLE = (np.float64, np.float32)


class _LinearBinary(CallbackSupportMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What a hyperplane between two classes makes of rows."""

    classes_: NDArray[Any]
    coef_: F64
    intercept_: F64

    def __sklearn_tags__(self) -> Any:
        """Say that there are two classes only, and that rows may be sparse."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_class = False
        return tags

    def _labelled(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[NDArray[Any], F64, F64 | None]:
        """Rows, labels -1 and +1 of the two classes, and weights; rows of weight 0 are left in."""
        rows, labels = validate_data(self, X, y, dtype=_SINGLE, accept_sparse="csr")
        _checks.require_exact("X", X)  # which scikit-learn has rounded by now
        check_classification_targets(labels)
        weights = None
        if sample_weight is not None:
            weights = _checks.row_weights("sample_weight", sample_weight, len(labels))
        classes = np.unique(labels if weights is None else labels[weights > 0.0])
        if len(classes) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass: "
                f"{len(classes)} classes"
            )
        if len(classes) < 2:
            raise ValueError(
                f"y must hold two classes, got one class only: {classes.tolist()[0]!r}"
            )
        self.classes_ = classes
        return rows, np.where(labels == classes[1], 1.0, -1.0), weights

    def _begun(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, subtasks: int = 0
    ) -> tuple[Any, dict[str, Any]]:
        """Tell callbacks that a fit begins; None if there are none to tell."""
        if not getattr(self, "_skl_callbacks", None):
            return None, {}
        of: dict[str, Any] = {"estimator": self, "X": X, "y": y}
        if sample_weight is not None:
            of["metadata"] = {"sample_weight": sample_weight}
        context = self._init_callback_context(max_subtasks=subtasks)
        context.call_on_fit_task_begin(**of)
        return context, of

    def _set(self, w: F64, b: float) -> None:
        self.coef_, self.intercept_ = w[None].copy(), np.array([b])

    def decision_function(self, X: ArrayLike) -> F64:
        """
        Return w . x + b, positive on the side of ``classes_[1]``.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (m, d)
            Rows.

        Returns
        -------
        ndarray of shape (m,)
            Logits.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=_SINGLE, accept_sparse="csr")
        _checks.require_exact("X", X)
        out: F64 = rows.astype(np.float64, copy=False) @ self.coef_[0] + self.intercept_[0]
        return out

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """
        Return the class of each row; ``classes_[0]`` on the hyperplane itself.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (m, d)
            Rows.

        Returns
        -------
        ndarray of shape (m,)
            Labels.
        """
        side = self.decision_function(X) > 0.0
        out: NDArray[Any] = self.classes_[side.astype(np.intp)]
        return out


class GDLogisticRegression(_LinearBinary):
    """
    Logistic regression as full-batch gradient descent leaves it after so many steps.

    Parameters
    ----------
    steps : float, default 10000
        Number of steps, see `fastgrok.train`; 1e15 takes no longer where leaps are possible.
    lr : float or "auto", default "auto"
        Learning rate; "auto" is half of what is surely stable.
    engine : {"auto", "exact", "leap"}, default "auto"
        How the steps are taken.
    optimizer : str, default "gd"
        How a step is made of the gradient.
    optimizer_options : dict, optional
        Of the optimizer.
    weight_decay : float, default 0.0
        Adds weight_decay ||w||^2 / 2 to the loss.
    decay_bias : bool, default False
        Whether that acts on the intercept.
    fit_intercept : bool, default True
        Whether the hyperplane may miss the origin.
    schedule : callable, optional
        What lr is multiplied with, by step.
    rtol : float, default 1e-8
        Error that leaps may have.
    threads : int, optional
        As in `fastgrok.train`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels; coefficients are those of the second.
    coef_ : ndarray of shape (1, d)
        Weights.
    intercept_ : ndarray of shape (1,)
        Bias, 0 without.
    n_iter_ : ndarray of shape (1,)
        Steps taken.
    trajectory_ : Trajectory
        The run: losses, accuracies and margins along the way. Where a callback stops it, which is
        asked after every record, it may go on some records further than coefficients do.
    n_features_in_, feature_names_in_ :
        As in every estimator.
    """

    trajectory_: Trajectory
    n_iter_: NDArray[np.float64]

    def __init__(
        self,
        *,
        steps: float = 10_000,
        lr: float | Literal["auto"] = "auto",
        engine: str = "auto",
        optimizer: str = "gd",
        optimizer_options: Mapping[str, float] | None = None,
        weight_decay: float = 0.0,
        decay_bias: bool = False,
        fit_intercept: bool = True,
        schedule: Callable[[int], float] | None = None,
        rtol: float = 1e-8,
        threads: int | None = None,
    ) -> None:
        self.steps = steps
        self.lr = lr
        self.engine = engine
        self.optimizer = optimizer
        self.optimizer_options = optimizer_options
        self.weight_decay = weight_decay
        self.decay_bias = decay_bias
        self.fit_intercept = fit_intercept
        self.schedule = schedule
        self.rtol = rtol
        self.threads = threads

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> GDLogisticRegression:
        """
        Train from zero weights.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n, d)
            Rows.
        y : array_like of shape (n,)
            Labels of two classes.
        sample_weight : array_like of shape (n,), optional
            How often each row counts; those of weight 0 are left out.

        Returns
        -------
        GDLogisticRegression
            Itself.
        """
        _checks.flag("fit_intercept", self.fit_intercept)
        rows, signs, weights = self._labelled(X, y, sample_weight)
        steps = _checks.whole("steps", self.steps)
        context, of = self._begun(X, y, sample_weight, log_spaced(steps).size)
        last: tuple[int, F64, float] | None = None

        def tell(step: int, w: F64, b: float) -> dict[str, float]:
            nonlocal last
            task = context.subcontext(task_name="record")
            task.call_on_fit_task_begin(**of)
            there = {
                "coef_": w[None], "intercept_": np.array([b]), "n_iter_": np.array([float(step)])
            }  # fmt: skip
            if task.call_on_fit_task_end(**of, reconstruction_attributes=there):
                last = step, w, b
                raise _StoppedError
            return {}

        try:
            self.trajectory_ = self._trained(rows, signs, weights, context and tell)
            last = int(self.trajectory_.steps[-1]), self.trajectory_.w, self.trajectory_.bias_final
        except _StoppedError as stopped:
            self.trajectory_ = stopped.trajectory  # type: ignore[attr-defined]
        assert last is not None
        self._set(*last[1:])
        self.n_iter_ = np.array([float(last[0])])
        if context is not None:
            context.call_on_fit_task_end(**of, reconstruction_attributes={})
        return self

    def _trained(
        self,
        rows: NDArray[Any],
        signs: F64,
        weights: F64 | None,
        tell: Callable[[int, F64, float], Any] | None,
    ) -> Trajectory:
        return train(
            rows,
            signs,
            steps=self.steps,
            lr=self.lr,
            bias=self.fit_intercept,
            engine=self.engine,
            optimizer=self.optimizer,
            optimizer_options=self.optimizer_options,
            weight_decay=self.weight_decay,
            decay_bias=self.decay_bias,
            schedule=self.schedule,
            rtol=self.rtol,
            threads=self.threads,
            sample_weight=weights,
            on_record=tell,
        )

    def predict_proba(self, X: ArrayLike) -> F64:
        """
        Return the probabilities of both classes.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (m, d)
            Rows.

        Returns
        -------
        ndarray of shape (m, 2)
            Of ``classes_[0]`` and of ``classes_[1]``.
        """
        logits = self.decision_function(X)
        return np.column_stack([expit(-logits), expit(logits)])


class MaxMarginClassifier(_LinearBinary):
    """
    The hyperplane with the largest margin; rows that none separates are an error.

    Parameters
    ----------
    bias : {"penalized", "free", "none"}, default "penalized"
        As in `fastgrok.max_margin`.
    norm : {"l2", "linf", "l1"}, default "l2"
        Of the weights.
    tol : float, default 1e-10
        Relative duality gap to reach.
    threads : int, optional
        As in `fastgrok.max_margin`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels; coefficients are those of the second.
    coef_ : ndarray of shape (1, d)
        Weights, with which rows on the margin have logits -1 and +1.
    intercept_ : ndarray of shape (1,)
        Bias.
    margin_ : float
        Distance of the nearest rows.
    support_ : ndarray of int
        Rows on the margin.
    result_ : MaxMargin
        All of what was found, certificate included; of the rows that are not left out.
    n_features_in_, feature_names_in_ :
        As in every estimator.
    """

    def __init__(
        self,
        *,
        bias: str = "penalized",
        norm: str = "l2",
        tol: float = 1e-10,
        threads: int | None = None,
    ) -> None:
        self.bias = bias
        self.norm = norm
        self.tol = tol
        self.threads = threads

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> MaxMarginClassifier:
        """
        Find it.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (n, d)
            Rows.
        y : array_like of shape (n,)
            Labels of two classes.
        sample_weight : array_like of shape (n,), optional
            Rows of weight 0 are left out; nothing depends on the other weights.

        Returns
        -------
        MaxMarginClassifier
            Itself.

        Raises
        ------
        NotSeparableError
            If no hyperplane separates the classes, with the proof.
        """
        rows, signs, weights = self._labelled(X, y, sample_weight)
        context, of = self._begun(X, y, sample_weight)
        live = np.arange(len(signs)) if weights is None else np.flatnonzero(weights)
        found = max_margin(
            rows[live] if len(live) < len(signs) else rows,
            signs[live],
            bias=self.bias,
            norm=self.norm,
            tol=self.tol,
            threads=self.threads,
        )
        self.result_, self.margin_, self.support_ = found, found.margin, live[found.support]
        self._set(found.w, found.b)
        if context is not None:
            context.call_on_fit_task_end(**of, reconstruction_attributes={})
        return self
