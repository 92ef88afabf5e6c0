"""From picture features to a virtual EEG: one regressor per subject (BMCI; Liu et al. 2021)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.storage.folder import Rebuilt
from insula.systems.bmci.settings import BMCISettings, Regressor

if TYPE_CHECKING:
    from sklearn.base import RegressorMixin

_STRENGTHS = np.logspace(1, 5, 9)
_TREES = ("forest", "extra-trees")
_KEPT = 0.99  # of the variance of the standardised embedding, where trees are to predict it whole


class VirtualEEG(Rebuilt):
    """A regressor to the (reduced) embedding, and back.

    Both sides are standardised: the features before they were rotated to coordinates, the embedding here. Trees that
    are to predict the embedding whole see it rotated: their criterion, a sum of squares over targets, is the same in
    any rotation, and the directions that together hold a hundredth of the variance decide almost no split, but cost as
    much as the others.

    Parameters
    ----------
    features : array, shape (n, d)
        Coordinates of the pictures, main directions first.
    targets : array, shape (n, e)
        Embeddings of the EEG that watched them.
    groups : array, shape (n,)
        People; all of one stay together where a setting is chosen by cross-validation on these pictures.
    settings : BMCISettings
        Trees, target dimensions, components.
    kind : str
        `forest` (the source's choice), `extra-trees`, `kernel-ridge` (Gaussian; penalty and width by grouped
        cross-validation; it keeps the coordinates of its training pictures, in a bundle, too), `ridge` (penalty by
        leave-one-out, or grouped cross-validation where a picture has several rows), `partial-least-squares` (number of
        components likewise) or `perceptron` (one hidden layer of 256, stopped early on a tenth of the rows, which are
        not kept apart by person).
    views : int
        Rows that each picture has.
    """

    def __init__(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        groups: np.ndarray,
        settings: BMCISettings,
        kind: Regressor,
        views: int = 1,
    ) -> None:
        self.kind = kind
        # A tree tries few directions at a node: among hundreds, most of them noise, it would find none that helps.
        self.components = settings.components if kind in _TREES else None
        # A Gaussian kernel and a perceptron are fitted at one scale: rows of length 1, on average.
        self.scale = float(features.var(axis=0).sum() ** 0.5) if kind in ("kernel-ridge", "perceptron") else 1.0
        self.target = _target(targets, settings, kind)
        scaled = self.target.fit_transform(targets).astype(np.float32)
        self.variance = float(scaled.var(axis=0).sum())
        given = self._given(features)
        with warnings.catch_warnings():
            # Of partial least squares asked for more components than there are, and of a perceptron's last epoch.
            warnings.simplefilter("ignore")
            self.model = _model(kind, settings, given.shape, groups, views).fit(given, scaled)
        if isinstance(self.model, GridSearchCV):
            self.model = self.model.best_estimator_

    def _given(self, features: np.ndarray) -> np.ndarray:
        given = features[:, : self.components]
        return given if self.scale == 1 else given / np.float32(self.scale)

    @property
    def has_trees(self) -> bool:
        """Whether it is a forest, whose trees may disagree."""
        return self.kind in _TREES

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the virtual EEG, float32 (n, e)."""
        predicted = self.model.predict(self._given(features))
        return self.target.inverse_transform(predicted.reshape(len(features), -1)).astype(np.float32)

    def spread(self, features: np.ndarray) -> np.ndarray:
        """Return how far the trees disagree on the virtual EEG of each picture, (n,); NaN without trees.

        Their standard deviation over all dimensions together, as a share of that of the embedding between training
        pictures.
        """
        if not self.has_trees:
            return np.full(len(features), np.nan)
        given = np.ascontiguousarray(self._given(features), np.float32)
        trees = self.model.estimators_
        leaves = np.array([tree.tree_.predict(given) for tree in trees]).reshape(len(trees), len(given), -1)
        return np.sqrt(leaves.var(axis=0).sum(axis=1) / self.variance)


def _target(targets: np.ndarray, settings: BMCISettings, kind: Regressor) -> Pipeline:
    """Return the unfitted map from the embedding to what is predicted."""
    dimensions = settings.target_dimensions
    if dimensions is not None and dimensions < min(targets.shape):
        reduce = PCA(dimensions, random_state=settings.seed)
        return make_pipeline(reduce, StandardScaler()) if kind == "perceptron" else make_pipeline(reduce)
    if kind in _TREES:
        return make_pipeline(StandardScaler(), PCA(_KEPT, svd_solver="full"))
    return make_pipeline(StandardScaler())


def _model(
    kind: Regressor, settings: BMCISettings, shape: tuple[int, int], groups: np.ndarray, views: int
) -> RegressorMixin:
    """Return the unfitted model for features of this shape."""

    def searched(estimator: RegressorMixin, grid: Mapping[str, Sequence[float]]) -> GridSearchCV:
        return GridSearchCV(estimator, dict(grid), cv=_splits(groups, settings), scoring="neg_mean_squared_error")

    if kind in _TREES:
        from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

        made = RandomForestRegressor if kind == "forest" else ExtraTreesRegressor
        return made(
            settings.trees,
            max_features=settings.max_features,
            min_samples_leaf=settings.min_samples_leaf,
            random_state=settings.seed,
            n_jobs=1,
        )
    if kind == "kernel-ridge":
        from sklearn.kernel_ridge import KernelRidge

        # Widths of .25, 1 and 4 over the number of standardised features: the scaling has divided by it.
        return searched(KernelRidge(kernel="rbf"), {"alpha": (0.01, 0.1, 1, 10), "gamma": (0.25, 1, 4)})
    if kind == "partial-least-squares":
        from sklearn.cross_decomposition import PLSRegression

        rank = max(min(shape[1], shape[0] // 2 - 1), 1)  # of the smallest part that is fitted, halves of these rows
        numbers = [number for number in (1, 2, 4, 8, 16, 32) if number <= rank]
        return searched(PLSRegression(scale=False), {"n_components": numbers})
    if kind == "perceptron":
        from sklearn.neural_network import MLPRegressor

        return MLPRegressor(
            hidden_layer_sizes=(256,),
            batch_size=min(32, shape[0] // 2),
            early_stopping=True,
            random_state=settings.seed,
        )
    from sklearn.linear_model import Ridge, RidgeCV

    return RidgeCV(_STRENGTHS) if views == 1 else searched(Ridge(), {"alpha": _STRENGTHS.tolist()})


def _splits(groups: np.ndarray, settings: BMCISettings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds in which no group is on both sides; of one group alone, the rows are shared out."""
    if len(np.unique(groups)) < 2:
        groups = np.arange(len(groups))
    folds = GroupKFold(min(settings.folds, len(np.unique(groups))), shuffle=True, random_state=settings.seed)
    return list(folds.split(groups, groups=groups))


def out_of_fold(
    features: np.ndarray, targets: np.ndarray, groups: np.ndarray, settings: BMCISettings, views: int = 1
) -> tuple[np.ndarray, Regressor, dict[str, dict[str, float]]]:
    """Return the virtual EEG of each training picture from regressors that did not see its group.

    Returns
    -------
    virtual : array, shape (n, e)
        Of the regressor with the best out-of-fold R2 among `settings.regressors`.
    kind : str
        Which one that is.
    scores : dict
        R2 of each.
    """
    predicted: dict[Regressor, np.ndarray] = {}
    for kind in settings.regressors:
        predicted[kind] = np.empty_like(targets)
        for inside, outside in _splits(groups, settings):
            regressor = VirtualEEG(features[inside], targets[inside], groups[inside], settings, kind, views)
            predicted[kind][outside] = regressor.predict(features[outside])
    scores: dict[str, dict[str, float]] = {kind: explained_variance(targets, predicted[kind]) for kind in predicted}
    best = max(predicted, key=lambda kind: scores[kind]["uniform"])
    return predicted[best], best, scores


def explained_variance(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return R2 in both usual averages; `uniform` (each dimension alike) is the headline."""
    return {
        "uniform": float(r2_score(truth, predicted, multioutput="uniform_average")),
        "variance_weighted": float(r2_score(truth, predicted, multioutput="variance_weighted")),
    }


def variance_ratio(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the variance of what was predicted as a share of that of the truth, all dimensions together."""
    return float(predicted.var(axis=0).sum() / max(truth.var(axis=0).sum(), 1e-12))
