"""How loud a person's EEG is, whatever its unit: moments that artefacts do not move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from insula.errors import DataError

_OUTLIER = 30  # times the median magnitude


def robust_moments(signals: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return one mean and one deviation of a person: of all samples below 30 times the median magnitude.

    A signal less the mean and over the deviation has no unit, and keeps the ratios of its channels and sessions;
    artefacts stay as large as they are.

    Parameters
    ----------
    signals : iterable of ndarray
        All sessions of one person, arrays of any shape. They are gone through four times; an iterator is kept in memory
        meanwhile. Windows that overlap count twice what they share.

    Raises
    ------
    DataError
        If there are no values, or they are not finite, constant, or zero for the most part.

    Examples
    --------
    >>> robust_moments([np.array([1.0, 3.0, 1.0, 3.0, 500.0])])
    (2.0, 1.0)
    """
    parts = list(signals) if isinstance(signals, Iterator) else signals
    limit = _OUTLIER * median_magnitude(parts)
    count, total, squares = 0, 0.0, 0.0
    for part in parts:
        inside = part[np.abs(part) < limit].astype(np.float64)
        count, total, squares = count + inside.size, total + inside.sum(), squares + np.square(inside).sum()
    mean = float(total / max(count, 1))
    variance = float(squares / max(count, 1)) - mean**2
    if variance <= 1e-12 * mean**2:  # as exact as the difference of two sums is
        raise DataError("signals that are constant, or zero for the most part", do="leave the person out")
    return mean, variance**0.5


def median_magnitude(signals: Iterable[np.ndarray]) -> float:
    """Return the exact median of magnitudes in float32, of signals that can be gone through more than once.

    The bits of non-negative floats are in the order of their values.

    Raises
    ------
    DataError
        If there are no values, or they are not finite.

    Examples
    --------
    >>> median_magnitude([np.array([-3.0, 1.0]), np.array([2.0])])
    2.0
    """

    def bits(signal: np.ndarray) -> np.ndarray:
        magnitude = np.abs(signal, dtype=np.float32).ravel()
        if not np.isfinite(magnitude).all():
            raise DataError("signals with NaN or infinite values", do="repair or drop them first")
        return magnitude.view(np.uint32)

    size = sum(signal.size for signal in signals)
    if not size:
        raise DataError("no signal to take an amplitude from", do="give at least one session")
    below = np.cumsum(sum(np.bincount(bits(signal) >> 16, minlength=1 << 15) for signal in signals))
    middle = []
    for rank in ((size - 1) // 2, size // 2):
        high = int(np.searchsorted(below, rank, side="right"))
        parts = (part[part >> 16 == high] & 0xFFFF for part in map(bits, signals))
        within = np.cumsum(sum(np.bincount(part, minlength=1 << 16) for part in parts))
        low = int(np.searchsorted(within, rank - (below[high - 1] if high else 0), side="right"))
        middle.append(np.uint32(high << 16 | low).view(np.float32))
    return float(np.mean(middle, dtype=np.float64))
