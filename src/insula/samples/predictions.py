"""Predictions: a table of what a system says of each sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Predictions:
    """What a system says, one row a sample.

    Parameters
    ----------
    table : DataFrame
        Index: sample ids (or scored units after `collapse`). Columns: `p_CLASS` for each class (adding up to one),
        and, where the system gives them, `valence`, `arousal`, `uncertainty` (0 sure to 1 unsure),
        `out_of_distribution` (larger is stranger) and `mode` (which modalities were used).
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

    def __len__(self) -> int:
        return len(self.table)

    @property
    def probabilities(self) -> np.ndarray:
        """Class probabilities, float64 (n, classes)."""
        return self.table[[f"p_{name}" for name in self.classes]].to_numpy()

    @property
    def labels(self) -> pd.Series:
        """The most probable class of each row."""
        names = np.asarray(self.classes, object)[self.probabilities.argmax(axis=1)]
        return pd.Series(names, index=self.table.index, name="label")

    def collapse(self, units: np.ndarray) -> Predictions:
        """Average every numeric column over the samples of one scored unit.

        Parameters
        ----------
        units : array of str, shape (n,)
            The unit of each row.
        """
        groups = self.table.groupby(np.asarray(units), sort=False)
        numeric = groups.mean(numeric_only=True)
        if "mode" in self.table:
            numeric["mode"] = groups["mode"].first()
        return Predictions(numeric, self.classes)
