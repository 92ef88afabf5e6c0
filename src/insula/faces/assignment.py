"""The assignment problem: who goes to which place so that all together pay least."""

from __future__ import annotations

import numpy as np


def assign(cost: np.ndarray) -> np.ndarray:
    """Return int64 (min(n, m), 2): a row and a column, each in one pair at most, whose costs add up to least.

    Parameters
    ----------
    cost : array, shape (n, m)
        Finite.

    Notes
    -----
    Row after row finds the cheapest way to a free column, in which others may move on (the Hungarian method by shortest
    paths, some n n m steps): a few faces need no more, and scipy, which has it too, takes longer to import.

    References
    ----------
    Jonker and Volgenant (1987), A shortest augmenting path algorithm for dense and sparse linear assignment problems.

    Examples
    --------
    >>> assign(np.array([[1.0, 2.0], [1.0, 4.0], [9.0, 9.0]])).tolist()
    [[0, 1], [1, 0]]
    """
    if len(cost) > cost.shape[1]:
        pairs = assign(cost.T)[:, ::-1]
        return pairs[pairs[:, 0].argsort()]
    rows, columns = cost.shape
    holder = np.full(columns + 1, -1)  # the row that each column has; in the last a row waits for its own
    price_of_row, price = np.zeros(rows), np.zeros(columns + 1)
    for newcomer in range(rows):
        place, holder[columns] = columns, newcomer
        least, before = np.full(columns, np.inf), np.full(columns, columns)
        passed = np.zeros(columns + 1, bool)
        while holder[place] >= 0:
            passed[place] = True
            row, ahead = holder[place], ~passed[:-1]
            dearer = cost[row] - price_of_row[row] - price[:-1]
            nearer = ahead & (dearer < least)
            least[nearer], before[nearer] = dearer[nearer], place
            place = int(np.where(ahead, least, np.inf).argmin())
            step = least[place]
            price_of_row[holder[passed]] += step
            price[passed] -= step
            least[ahead] -= step
        while place != columns:  # everybody on the way moves on by one
            holder[place] = holder[before[place]]
            place = int(before[place])
    taken = np.flatnonzero(holder[:-1] >= 0)
    taken = taken[holder[taken].argsort()]
    return np.column_stack([holder[taken], taken])
