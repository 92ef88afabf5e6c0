"""Predictions: a table of what a system says of each sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from insula.errors import DataError


@dataclass(frozen=True)
class Predictions:
    """What a system says, one row a sample.

    Parameters
    ----------
    table : DataFrame
        Index: sample ids (or scored units after `collapse`). Columns: `p_CLASS` for each class (adding up to one), or
        `rating` in the label's own units, and, where the system gives them, `valence`, `arousal`, `uncertainty` (0 sure
        to 1 unsure), `temperature` (by which the logarithms of the probabilities were divided), `set` (the classes that
        may be right, as `join_sets` writes them) and `set_coverage` (how often it is promised to hold the label),
        `epistemic` (how far parts of the system disagree), `out_of_distribution` (larger is stranger), `mode` (which
        modalities were used) and `reason` (why the answer should not be used, or a modality was not; else empty). Of
        two modalities also `uncertainty_eeg`, `uncertainty_face` and `discrepancy` (how far they disagree; 0 to 1).
    classes : tuple of str
        Names of the classes, in the order of `probabilities`; empty for a continuous task.

    Examples
    --------
    >>> said = Predictions.of(["fear", "anger"], np.array([[0.2, 0.8]]), index=[7])
    >>> said.labels.tolist()
    ['anger']
    """

    table: pd.DataFrame
    classes: tuple[str, ...]

    @classmethod
    def of(
        cls, classes: tuple[str, ...] | list[str], probabilities: np.ndarray, index: object, **columns: object
    ) -> Predictions:
        """Build predictions from probabilities, shape (n, classes), and further columns."""
        names = [f"p_{name}" for name in classes]
        table = pd.DataFrame(np.asarray(probabilities, float), columns=names, index=pd.Index(index))
        return cls(table.assign(**columns), tuple(classes))

    @classmethod
    def rate(cls, ratings: np.ndarray, index: object, **columns: object) -> Predictions:
        """Build predictions of a continuous task from ratings in the label's own units, shape (n,).

        Examples
        --------
        >>> said = Predictions.rate(np.array([0.1, 0.3]), index=[7, 8], uncertainty=np.array([0.5, 1.0]))
        >>> said.collapse(["t1", "t1"]).table.round(2).to_dict("index")
        {'t1': {'rating': 0.2, 'uncertainty': 0.75}}
        """
        table = pd.DataFrame({"rating": np.asarray(ratings, float)}, index=pd.Index(index))
        return cls(table.assign(**columns), ())

    def __len__(self) -> int:
        return len(self.table)

    @property
    def probabilities(self) -> np.ndarray:
        """Class probabilities, float64 (n, classes); raises DataError for ratings."""
        if not self.classes:
            raise DataError("ratings have no classes", where="predictions", do="read the column rating of the table")
        return self.table[[f"p_{name}" for name in self.classes]].to_numpy()

    @property
    def labels(self) -> pd.Series:
        """The most probable class of each row; raises DataError for ratings."""
        names = np.asarray(self.classes, object)[self.probabilities.argmax(axis=1)]
        return pd.Series(names, index=self.table.index, name="label")

    def collapse(self, units: np.ndarray) -> Predictions:
        """Average every numeric column over the samples of one scored unit, and take the first entry of the others.

        Samples of one picture have one set; where the samples of a unit differ, its set is that of the first.

        Parameters
        ----------
        units : array of str, shape (n,)
            The unit of each row.
        """
        groups = self.table.groupby(np.asarray(units), sort=False)
        numeric = groups.mean(numeric_only=True)
        others = self.table.columns.difference(numeric.columns, sort=False)
        return Predictions(numeric.join(groups[list(others)].first()), self.classes)


def normalised_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy of each row of probabilities as a share of the largest possible, float (n,).

    Examples
    --------
    >>> normalised_entropy(np.array([[0.5, 0.5], [0.9, 0.1]])).round(3).tolist()
    [1.0, 0.469]
    """
    held = np.clip(probabilities, 1e-12, 1)
    return -(probabilities * np.log(held)).sum(axis=1) / np.log(probabilities.shape[1])


def join_sets(admitted: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return sets of classes as text: names joined by a space, a space within a name as an underscore.

    Parameters
    ----------
    admitted : bool array, shape (n, classes)
        Which classes each set holds.
    classes : sequence of str
        Class names.

    Examples
    --------
    >>> join_sets(np.array([[True, False, True]]), ("anger", "fear", "no emotion")).tolist()
    ['anger no_emotion']
    """
    names = np.array([name.replace(" ", "_") for name in classes], object)
    return np.array([" ".join(names[row]) for row in admitted], object)


def split_sets(sets: Iterable[str], classes: Sequence[str]) -> np.ndarray:
    """Return which classes each set holds, bool (n, classes), from what `join_sets` wrote.

    Examples
    --------
    >>> split_sets(["anger no_emotion"], ("anger", "fear", "no emotion")).tolist()
    [[True, False, True]]
    """
    names = [name.replace(" ", "_") for name in classes]
    return np.array([[name in held.split() for name in names] for held in sets], bool).reshape(-1, len(names))
