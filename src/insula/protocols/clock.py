"""Time: which windows of one recording overlap, or lie closer than an embargo."""

from __future__ import annotations

import numpy as np
import pandas as pd

_ROUNDING = 1e-6  # s; windows that only meet differ by less


def touching(clock: np.ndarray, start: np.ndarray, stop: np.ndarray, mask: np.ndarray, embargo: float) -> np.ndarray:
    """Return bool (n,): rows outside the mask that overlap a row of the mask in time.

    Parameters
    ----------
    clock : int array, shape (n,)
        Which recording, -1 for rows without time.
    start, stop : float array, shape (n,)
        Seconds.
    mask : bool array, shape (n,)
        The rows to stay away from.
    embargo : float
        Seconds that must lie between; 0 lets windows meet.

    Examples
    --------
    >>> start = np.array([0.0, 1.0, 1.5, 3.0])
    >>> touching(np.zeros(4, int), start, start + 1, np.array([True, False, True, False]), 0.0)
    array([False,  True, False, False])
    """
    result = np.zeros(len(clock), bool)
    timed = np.flatnonzero(clock >= 0)
    if not len(timed) or not mask.any():
        return result
    order = timed[np.lexsort((start[timed], clock[timed]))]
    group, begin = clock[order], start[order]
    end = np.maximum(stop[order], begin + 2 * _ROUNDING)  # an instant takes a moment, too
    marked = mask[order]
    # a row overlaps a marked one before it where the latest end so far lies behind its beginning,
    # and a marked one after it where the earliest beginning to come lies before its end
    latest = pd.Series(np.where(marked, end, -np.inf)).groupby(group).cummax().to_numpy()
    coming = pd.Series(np.where(marked, begin, np.inf)[::-1]).groupby(group[::-1]).cummin().to_numpy()[::-1]
    slack = embargo - _ROUNDING
    result[order] = ~marked & ((begin < latest + slack) | (coming < end + slack))
    return result
