"""What the two networks read: main components of picture features, and of each subject's epochs (BMCL)."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from insula.errors import DataError
from insula.samples import Samples
from insula.systems.bmci.brain import bin_epochs


def main_components(values: np.ndarray, count: int) -> Pipeline:
    """Return the fitted map from features (n, d) to their main components, each of unit variance on these rows.

    At most `count` of them, and at most as many as the rows span.
    """
    rank = min(count, len(values) - 1, values.shape[1])
    return make_pipeline(StandardScaler(), PCA(rank, svd_solver="full"), StandardScaler()).fit(values)


class BrainFeatures:
    """Main components of each subject's binned, z-scored epochs, a block of columns for each subject.

    Brains differ, so that one weight cannot serve two of them: with blocks, the first linear layer has weights of its
    own for each subject, and everything after it is shared.

    Parameters
    ----------
    samples : Samples
        Training rows; those with EEG are used.
    bins : int or None
        Time bins of an epoch.
    components : int
        Width of a block.
    """

    def __init__(self, samples: Samples, bins: int | None, components: int) -> None:
        self.bins, self.components = bins, components
        self.subjects: dict[str, Pipeline] = {}
        for name, rows in self._by_subject(samples):
            if len(rows) < 2:
                raise DataError("the subject has one epoch", where=name, do="drop the subject")
            self.subjects[name] = main_components(self._epochs(samples.select(rows)), components)

    @staticmethod
    def _by_subject(samples: Samples) -> list[tuple[str, np.ndarray]]:
        present, subjects = samples.has("eeg"), samples.units("subject").astype(str)
        return [(name, np.flatnonzero(present & (subjects == name))) for name in np.unique(subjects[present]).tolist()]

    def _epochs(self, samples: Samples) -> np.ndarray:
        binned = bin_epochs(samples.read("eeg"), self.bins)
        return binned.reshape(len(binned), -1)

    def __call__(self, samples: Samples) -> np.ndarray:
        """Return float32 (n, subjects * components); zeros where there is no EEG, or none of a known subject."""
        blocks = np.zeros((len(samples), len(self.subjects), self.components), np.float32)
        places = {name: place for place, name in enumerate(self.subjects)}
        for name, rows in self._by_subject(samples):
            if name in places:
                values = self.subjects[name].transform(self._epochs(samples.select(rows)))
                blocks[rows, places[name], : values.shape[1]] = values
        return blocks.reshape(len(samples), len(self.subjects) * self.components)


def class_codes(blocks: np.ndarray, labels: np.ndarray, components: int, seed: int) -> np.ndarray:
    """Return the features with each filled block replaced by the subject's random code of the row's class.

    Parameters
    ----------
    blocks : array, shape (n, subjects * components)
        From `BrainFeatures`.
    labels : int array, shape (n,)
        Class codes.
    components : int
        Width of a block.
    seed : int
        Of the codes.
    """
    filled = blocks.reshape(len(blocks), -1, components)
    codes = np.random.default_rng(seed).standard_normal((labels.max() + 1, *filled.shape[1:]))
    codes = codes[labels] * filled.any(axis=2, keepdims=True)
    return codes.astype(np.float32).reshape(blocks.shape)
