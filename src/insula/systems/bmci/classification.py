"""The classifier of BMCI: blocks of features, each standardised, into one multinomial regression (spec 2.6)."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.systems.bmci.settings import BMCISettings


def visual_space(features: np.ndarray) -> Pipeline:
    """Return the fitted map from backbone features to standardised coordinates without loss on the training pictures.

    With fewer pictures than features, all that a penalised linear model can use lies in the span of the training
    pictures: rotating into it changes no prediction and makes every later fit faster.
    """
    rank = min(features.shape[0] - 1, features.shape[1])
    return make_pipeline(StandardScaler(), PCA(rank, svd_solver="full")).fit(features)


class Strangeness:
    """How far a picture is from the training pictures: 1 is stranger than 95 % of them.

    The mean of two squared distances, each relative to its mean over the training pictures: along the main directions
    of variation, and outside of them, where a picture of another kind goes.

    Parameters
    ----------
    space : Pipeline
        From `visual_space`.
    features : array, shape (n, d)
        Of the training pictures.
    """

    def __init__(self, space: Pipeline, features: np.ndarray) -> None:
        directions = min(20, (space[-1].n_components_ + 1) // 2)
        self.scale = np.sqrt(space[-1].explained_variance_[:directions])
        self.outside, self.typical = 1.0, 1.0
        self.outside = float(self._parts(space, features)[1].mean())
        self.typical = float(np.quantile(self(space, features), 0.95))

    def _parts(self, space: Pipeline, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        standard = space[0].transform(features) - space[-1].mean_
        main = standard @ space[-1].components_[: len(self.scale)].T
        return ((main / self.scale) ** 2).mean(axis=1), (standard**2).sum(axis=1) - (main**2).sum(axis=1)

    def __call__(self, space: Pipeline, features: np.ndarray) -> np.ndarray:
        """Return the strangeness of pictures, (n,)."""
        inside, outside = self._parts(space, features)
        return np.sqrt((inside + outside / (self.outside + 1e-12)) / 2) / self.typical


class BlockClassifier:
    """Multinomial logistic regression on blocks of features; C is chosen by grouped cross-validation.

    Each block is standardised (its total variance, for blocks that are already rotated) and divided by the root of its
    width, so that a wide block does not drown a narrow one.

    Parameters
    ----------
    blocks : list of array, each (n, d)
        The picture's features, the virtual EEG, or both.
    labels : int array, shape (n,)
        Class codes.
    groups : array, shape (n,)
        Pictures of one group (a person) stay on one side of the inner folds.
    settings : BMCISettings
        Penalties tried; the same for picture-only and fused classifiers.
    """

    def __init__(
        self, blocks: list[np.ndarray], labels: np.ndarray, groups: np.ndarray, settings: BMCISettings
    ) -> None:
        self.centres = [block.mean(axis=0) for block in blocks]
        self.scales = [
            float(np.sqrt(((block - centre) ** 2).sum(axis=1).mean())) + 1e-12
            for block, centre in zip(blocks, self.centres, strict=True)
        ]
        counts = np.unique(labels, return_counts=True)[1]
        folds = max(2, min(5, int(counts.min()), len(np.unique(groups))))
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=settings.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the weakest penalties, which are then not chosen
            warnings.simplefilter("ignore", FutureWarning)
            self.model = LogisticRegressionCV(
                Cs=list(settings.penalties),
                cv=list(splitter.split(labels, labels, groups)),
                scoring="neg_log_loss",
                max_iter=300,
                use_legacy_attributes=False,
                l1_ratios=(0.0,),
            ).fit(self._join(blocks), labels)

    def parts(self) -> dict[str, Any]:
        """Return what `of` rebuilds the classifier from."""
        return {"centres": self.centres, "scales": self.scales, "model": self.model}

    @classmethod
    def of(cls, parts: dict[str, Any]) -> Self:
        """Rebuild a saved classifier."""
        classifier = cls.__new__(cls)
        classifier.__dict__.update(parts)
        return classifier

    def _join(self, blocks: list[np.ndarray]) -> np.ndarray:
        # Root mean squared length 10 for each block: C is then on a familiar scale whatever the features.
        return np.concatenate(
            [10 * (b - c) / s for b, c, s in zip(blocks, self.centres, self.scales, strict=True)], axis=1
        )

    def predict_proba(self, blocks: list[np.ndarray], classes: int) -> np.ndarray:
        """Return probabilities, (n, classes); a class absent from training has probability 0."""
        probabilities = np.zeros((len(blocks[0]), classes))
        probabilities[:, self.model.classes_] = self.model.predict_proba(self._join(blocks))
        return probabilities
