"""From picture features to a virtual EEG: a random forest per subject (BMCI, spec 2.5)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.systems.bmci.settings import BMCISettings


class VirtualEEG:
    """A forest to the (reduced) embedding, and back.

    Parameters
    ----------
    features : array, shape (n, d)
        Picture features.
    targets : array, shape (n, e)
        Embeddings of the EEG that watched them.
    settings : BMCISettings
        Trees and target dimensions.
    """

    def __init__(self, features: np.ndarray, targets: np.ndarray, settings: BMCISettings) -> None:
        dimensions = settings.target_dimensions
        reduced = dimensions is not None and dimensions < min(targets.shape)
        self.target: Pipeline = make_pipeline(
            PCA(dimensions, random_state=settings.seed) if reduced else StandardScaler()
        )
        self.forest = RandomForestRegressor(
            settings.trees,
            max_features=settings.max_features,
            min_samples_leaf=settings.min_samples_leaf,
            random_state=settings.seed,
            n_jobs=1,
        ).fit(features, self.target.fit_transform(targets).astype(np.float32))

    def parts(self) -> dict[str, Any]:
        """Return what `of` rebuilds the regressor from."""
        return {"target": self.target, "forest": self.forest}

    @classmethod
    def of(cls, parts: dict[str, Any]) -> Self:
        """Rebuild a saved regressor."""
        regressor = cls.__new__(cls)
        regressor.__dict__.update(parts)
        return regressor

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the virtual EEG, float32 (n, e)."""
        predicted = self.forest.predict(features)
        return self.target.inverse_transform(predicted.reshape(len(features), -1)).astype(np.float32)


def out_of_fold(features: np.ndarray, targets: np.ndarray, groups: np.ndarray, settings: BMCISettings) -> np.ndarray:
    """Return the virtual EEG of each training picture from forests that did not see its group, (n, e)."""
    predicted = np.empty_like(targets)
    folds = min(settings.folds, len(np.unique(groups)))
    splitter = GroupKFold(folds, shuffle=True, random_state=settings.seed)
    for inside, outside in splitter.split(features, groups=groups):
        predicted[outside] = VirtualEEG(features[inside], targets[inside], settings).predict(features[outside])
    return predicted


def explained_variance(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return R2 in both usual averages; `uniform` (each dimension alike) is the headline."""
    return {
        "uniform": float(r2_score(truth, predicted, multioutput="uniform_average")),
        "variance_weighted": float(r2_score(truth, predicted, multioutput="variance_weighted")),
    }
