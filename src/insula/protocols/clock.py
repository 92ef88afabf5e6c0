"""Time: which windows of one recording overlap, or lie closer than an embargo."""

from __future__ import annotations

import numpy as np
import pandas as pd

_ROUNDING = 1e-6  # s; windows that only meet differ by less


class Timeline:
    """Windows in the order of their recordings, sorted once for all that is asked of them.

    Parameters
    ----------
    clock : int array, shape (n,)
        Which recording, -1 for rows without time.
    start, stop : float array, shape (n,)
        Seconds.
    embargo : float
        Seconds that must lie between; 0 lets windows meet.
    whole : int array, shape (n,), optional
        Rows of one number are never asked about apart: windows that touch those of their own number alone do not count.

    Examples
    --------
    >>> start = np.array([0.0, 1.0, 1.5, 3.0])
    >>> Timeline(np.zeros(4, int), start, start + 1, 0.0).touching(np.array([True, False, True, False]))
    array([False,  True, False, False])
    """

    def __init__(
        self, clock: np.ndarray, start: np.ndarray, stop: np.ndarray, embargo: float, whole: np.ndarray | None = None
    ) -> None:
        timed = np.flatnonzero(clock >= 0)
        order = timed[np.lexsort((start[timed], clock[timed]))]
        group, begin = clock[order], start[order]
        end = np.maximum(stop[order], begin + 2 * _ROUNDING)  # an instant takes a moment, too
        self._slack = embargo - _ROUNDING
        latest = pd.Series(end).groupby(group).cummax().to_numpy()
        meets_next = (group[1:] == group[:-1]) & (begin[1:] < latest[:-1] + self._slack)
        parted = meets_next if whole is None else meets_next & (whole[order][1:] != whole[order][:-1])
        chain = np.cumsum(np.append(False, ~meets_next))[: len(order)]
        crowded = np.isin(chain, chain[1:][parted])
        self._order, self._group, self._begin, self._end = (each[crowded] for each in (order, group, begin, end))

    def touching(self, mask: np.ndarray) -> np.ndarray:
        """Return bool (n,): rows outside the mask, bool (n,), that overlap a row of the mask in time."""
        result = np.zeros(len(mask), bool)
        marked, group = mask[self._order], self._group
        if marked.any():
            # a row overlaps a marked one before it where the latest end so far lies behind its beginning,
            # and a marked one after it where the earliest beginning to come lies before its end
            latest = pd.Series(np.where(marked, self._end, -np.inf)).groupby(group).cummax().to_numpy()
            coming = pd.Series(np.where(marked, self._begin, np.inf)[::-1]).groupby(group[::-1]).cummin().to_numpy()
            near = (self._begin < latest + self._slack) | (coming[::-1] < self._end + self._slack)
            result[self._order] = ~marked & near
        return result
