"""What is done to rows in NumPy before a graph is asked: where ONNX has no such operator, or a row is not enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from insula.eeg.covariance import whitening
from insula.errors import DataError

_ESTIMATORS = ("oas", "lwf", "scm")


class TangentVectors:
    """Windows of EEG to the tangent vectors of their covariances: ONNX has no eigenvalues.

    Parameters
    ----------
    reference : array, shape (order * channels, order * channels)
        The mean covariance of the training windows, from which the space is seen.
    estimator : {"oas", "lwf", "scm"}
        How a covariance is estimated: shrunk as in Chen et al. (2010) or Ledoit and Wolf (2004), or not at all.
    order, lag : int
        Delayed copies of every channel, and samples from one to the next.

    References
    ----------
    Barachant, Bonnet, Congedo and Jutten (2012), Multiclass brain-computer interface classification by Riemannian
    geometry, IEEE Transactions on Biomedical Engineering 59(4).

    Examples
    --------
    >>> vectors = TangentVectors(np.eye(2), "scm", order=1, lag=1)
    >>> vectors(np.array([[[1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]])).astype(float).round(3).tolist(), vectors.shape((2, 5))
    ([[-0.405, 0.0, 0.693]], (3,))
    >>> vectors(np.array([[[1.0, -1.0], [1.0, 1.0]]]))
    Traceback (most recent call last):
    ...
    insula.errors.DataError: 1 of 1 windows have a channel that does not vary: leave them out
    """

    name: ClassVar = "tangent-vectors"
    whole_trials: ClassVar = False

    def __init__(self, reference: np.ndarray, estimator: str, order: int, lag: int) -> None:
        self.reference, self.estimator, self.order, self.lag = reference, estimator, order, lag
        self.whitening = whitening(reference)

    def shape(self, row: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what a row of this shape becomes; raises ValueError where it is no such row."""
        width = row[0] * self.order
        if self.reference.shape != (width, width) or (self.order - 1) * self.lag >= row[-1]:
            raise ValueError("no row for this reference")
        return (width * (width + 1) // 2,)

    def __call__(self, rows: np.ndarray, trials: np.ndarray | None = None) -> np.ndarray:
        """Return float32 (n, vector) of windows (n, channels, times)."""
        times = rows.shape[-1] - (self.order - 1) * self.lag
        copies = [rows[..., copy * self.lag : copy * self.lag + times] for copy in range(self.order)]
        covariances = _covariances(np.concatenate(copies, axis=1, dtype=np.float64), self.estimator)
        sizes, axes = np.linalg.eigh(self.whitening @ covariances @ self.whitening)
        lost = int((sizes <= 0).any(axis=1).sum())
        if lost:
            what = f"{lost} of {len(sizes)} windows have a channel that does not vary"
            raise DataError(what, do="leave them out")
        logarithms = (axes * np.log(sizes)[:, None]) @ axes.swapaxes(1, 2)
        row, column = np.triu_indices(logarithms.shape[1])
        return (logarithms[:, row, column] * np.where(row == column, 1, np.sqrt(2))).astype(np.float32)

    def plain(self) -> dict[str, Any]:
        """Return what `of` rebuilds it from, beside the reference."""
        return {"name": self.name, "estimator": self.estimator, "order": self.order, "lag": self.lag}

    @classmethod
    def of(cls, plain: Mapping[str, Any], reference: np.ndarray | None) -> Self:
        """Rebuild it; raises ValueError where something is not as it must be."""
        order, lag, estimator = plain["order"], plain["lag"], plain["estimator"]
        whole = type(order) is type(lag) is int
        if estimator not in _ESTIMATORS or not whole or min(order, lag) < 1 or reference is None:
            raise ValueError("no such covariance")
        return cls(reference, estimator, order, lag)


class TrialScale:
    """Channels divided by the largest absolute value that they have in their trial.

    It looks at a whole trial, so it is not for use while a trial runs; of a recording all is one trial.

    Examples
    --------
    >>> TrialScale()(np.array([[[1.0, 2.0]], [[-4.0, 0.0]]]), np.array([0, 0])).tolist()
    [[[0.25, 0.5]], [[-1.0, 0.0]]]
    """

    name: ClassVar = "trial-scale"
    whole_trials: ClassVar = True
    reference: ClassVar = None

    def shape(self, row: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what a row of this shape becomes: the same."""
        return row

    def __call__(self, rows: np.ndarray, trials: np.ndarray | None = None) -> np.ndarray:
        """Return float32 rows (n, channels, times), given the trial of each, int (n,); by default all are of one."""
        own, place = np.unique(np.zeros(len(rows), int) if trials is None else trials, return_inverse=True)
        largest = np.zeros((len(own), rows.shape[1]), np.float32)
        np.maximum.at(largest, place, np.abs(rows).max(axis=2))
        return (rows / np.where(largest > 0, largest, 1)[place][..., None]).astype(np.float32)

    def plain(self) -> dict[str, Any]:
        """Return its name."""
        return {"name": self.name}

    @classmethod
    def of(cls, plain: Mapping[str, Any], reference: np.ndarray | None) -> Self:
        """Rebuild it."""
        return cls()


BEFORE: Mapping[str, type[TangentVectors] | type[TrialScale]] = {
    step.name: step for step in (TangentVectors, TrialScale)
}
"""What a manifest may name."""


def _covariances(windows: np.ndarray, estimator: str) -> np.ndarray:
    """Return covariances of windows (n, channels, times), the signals' means removed."""
    values = windows - windows.mean(axis=2, keepdims=True)
    _, channels, times = values.shape
    plain = values @ values.swapaxes(1, 2) / times
    if estimator == "scm":
        return plain
    mean = np.trace(plain, axis1=1, axis2=2) / channels
    squares = (plain**2).sum(axis=(1, 2))
    if estimator == "oas":
        alpha = squares / channels**2
        above, below = alpha + mean**2, (times + 1) * (alpha - mean**2 / channels)
    else:
        fourth = (values**2 @ (values**2).swapaxes(1, 2)).sum(axis=(1, 2))
        below = (squares - channels * mean**2) / channels
        above = np.minimum((fourth / times - squares) / (channels * times), below)
    share = np.where(below > 0, np.minimum(above / np.where(below > 0, below, 1), 1), estimator == "oas")
    return (1 - share)[:, None, None] * plain + (share * mean)[:, None, None] * np.eye(channels)
