"""From picture features to a virtual EEG: one regressor per subject (BMCI, spec 2.5)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.systems.bmci.settings import BMCISettings, Regressor

_STRENGTHS = np.logspace(1, 5, 9)


class VirtualEEG:
    """A regressor to the (reduced) embedding, and back.

    Parameters
    ----------
    features : array, shape (n, d)
        Coordinates of the pictures, main directions first.
    targets : array, shape (n, e)
        Embeddings of the EEG that watched them.
    settings : BMCISettings
        Trees, target dimensions, components.
    kind : str
        `forest`, the source's choice, or `ridge`, its strength chosen by leave-one-out on these pictures.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, settings: BMCISettings, kind: Regressor) -> None:
        dimensions = settings.target_dimensions
        reduced = dimensions is not None and dimensions < min(targets.shape)
        self.target: Pipeline = make_pipeline(
            PCA(dimensions, random_state=settings.seed) if reduced else StandardScaler()
        )
        self.kind = kind
        # A tree tries few directions at a node: among hundreds, most of them noise, it would find none that helps.
        self.components = settings.components if kind == "forest" else None
        self.model = (
            RandomForestRegressor(
                settings.trees,
                max_features=settings.max_features,
                min_samples_leaf=settings.min_samples_leaf,
                random_state=settings.seed,
                n_jobs=1,
            )
            if kind == "forest"
            else RidgeCV(_STRENGTHS)
        ).fit(features[:, : self.components], self.target.fit_transform(targets).astype(np.float32))

    def parts(self) -> dict[str, Any]:
        """Return what `of` rebuilds the regressor from."""
        return dict(vars(self))

    @classmethod
    def of(cls, parts: dict[str, Any]) -> Self:
        """Rebuild a saved regressor."""
        regressor = cls.__new__(cls)
        regressor.__dict__.update(parts)
        return regressor

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the virtual EEG, float32 (n, e)."""
        predicted = self.model.predict(features[:, : self.components])
        return self.target.inverse_transform(predicted.reshape(len(features), -1)).astype(np.float32)


def out_of_fold(
    features: np.ndarray, targets: np.ndarray, groups: np.ndarray, settings: BMCISettings
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
    folds = min(settings.folds, len(np.unique(groups)))
    splits = list(GroupKFold(folds, shuffle=True, random_state=settings.seed).split(features, groups=groups))
    found: dict[Regressor, np.ndarray] = {}
    for kind in settings.regressors:
        found[kind] = np.empty_like(targets)
        for inside, outside in splits:
            regressor = VirtualEEG(features[inside], targets[inside], settings, kind)
            found[kind][outside] = regressor.predict(features[outside])
    scores: dict[str, dict[str, float]] = {kind: explained_variance(targets, found[kind]) for kind in found}
    best = max(found, key=lambda kind: scores[kind]["uniform"])
    return found[best], best, scores


def explained_variance(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return R2 in both usual averages; `uniform` (each dimension alike) is the headline."""
    return {
        "uniform": float(r2_score(truth, predicted, multioutput="uniform_average")),
        "variance_weighted": float(r2_score(truth, predicted, multioutput="variance_weighted")),
    }
