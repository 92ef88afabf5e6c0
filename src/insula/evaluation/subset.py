"""A small part of many samples that still shows every group of them."""

from __future__ import annotations

import numpy as np
import pandas as pd


def evenly(groups: pd.DataFrame, most: int | None) -> np.ndarray:
    """Return the places of at most `most` rows, in order: as many of each group as of any other, drawn by lot.

    A group with fewer rows gives all it has, and the others the more. The same rows give the same places.

    Parameters
    ----------
    groups : DataFrame
        Rows that are equal, missing values included, are one group.
    most : int or None
        None for all rows.

    Examples
    --------
    >>> rows = pd.DataFrame({"subject": ["A"] * 90 + ["B"] * 8 + [None] * 2})
    >>> rows.loc[evenly(rows, 12), "subject"].value_counts(dropna=False).to_dict()
    {'A': 5, 'B': 5, nan: 2}
    """
    order = np.random.default_rng(0).permutation(len(groups))
    turn = groups.iloc[order].groupby(list(groups), dropna=False).cumcount().to_numpy()
    return np.sort(order[np.argsort(turn, kind="stable")[:most]])
