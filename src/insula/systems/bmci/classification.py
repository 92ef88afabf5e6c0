"""The classifier of BMCI: blocks of features, each standardised, into one multinomial regression."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedGroupKFold

from insula.storage.folder import Rebuilt
from insula.systems.bmci.settings import BMCISettings


class BlockClassifier(Rebuilt):
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
