"""Folds and holdouts over units, by scikit-learn's splitters."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np


def assign_folds(groups: np.ndarray, strata: np.ndarray | None, folds: int, seed: int) -> np.ndarray:
    """Return int64 (n,): the fold of each row; rows of one group are in one fold, and no fold is empty.

    Parameters
    ----------
    groups : int array, shape (n,)
        At least `folds` different values.
    strata : int array, shape (n,), optional
        Classes to spread evenly over the folds.
    folds : int
        How many.
    seed : int
        Of the shuffle.

    Examples
    --------
    >>> groups = np.repeat(np.arange(6), 2)
    >>> fold = assign_folds(groups, np.repeat([0, 1, 0, 1, 0, 1], 2), 3, seed=0)
    >>> np.bincount(fold)
    array([4, 4, 4])
    """
    from sklearn.model_selection import GroupKFold, StratifiedKFold

    if strata is None or np.bincount(strata).max() < folds:  # no class is in as many rows as there are folds
        splitter, grouping = GroupKFold(folds, shuffle=True, random_state=seed), groups
    elif len(np.unique(groups)) == len(groups):  # the same, without a loop over groups
        splitter, grouping = StratifiedKFold(folds, shuffle=True, random_state=seed), None
    else:
        splitter, grouping = _group_splitter()(folds, shuffle=True, random_state=seed), groups
    fold = np.empty(len(groups), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for number, (_, rows) in enumerate(splitter.split(groups, strata, grouping)):
            fold[rows] = number
    return fold


@cache
def _group_splitter() -> Any:
    """Return scikit-learn's splitter of groups with strata, which looks at all folds at once and chooses as it does."""
    from sklearn.model_selection import StratifiedGroupKFold

    class Splitter(StratifiedGroupKFold):
        def _find_best_fold(self, y_counts_per_fold: np.ndarray, y_cnt: np.ndarray, group_y_counts: np.ndarray) -> int:
            folds = len(y_counts_per_fold)
            proposed = np.repeat(y_counts_per_fold[None], folds, axis=0)
            proposed[np.arange(folds), np.arange(folds)] += group_y_counts
            uneven = np.std(proposed / y_cnt, axis=1).mean(axis=1).tolist()
            sizes = y_counts_per_fold.sum(axis=1).tolist()
            best = 0
            for fold in range(1, folds):
                close = abs(uneven[fold] - uneven[best]) <= 1e-8 + 1e-5 * abs(uneven[best])  # as numpy.isclose has it
                if uneven[fold] < uneven[best] or (close and sizes[fold] < sizes[best]):
                    best = fold
            return best

    return Splitter


def hold_out(groups: np.ndarray, strata: np.ndarray | None, share: float, seed: int) -> np.ndarray:
    """Return bool (n,): rows of about `share` of the groups, of at least one and never of all.

    Examples
    --------
    >>> int(hold_out(np.arange(10), np.arange(10) % 2, 0.2, seed=0).sum())
    2
    """
    from sklearn.model_selection import GroupShuffleSplit

    count = len(np.unique(groups))
    if strata is None:
        size = min(max(1, round(share * count)), count - 1)
        _, rows = next(GroupShuffleSplit(1, test_size=size, random_state=seed).split(groups, groups=groups))
        held = np.zeros(len(groups), bool)
        held[rows] = True
        return held
    # a stratified holdout is some of many stratified folds: the fewest that come nearest to the share
    sizes = [(min(max(1, round(share * folds)), folds - 1), folds) for folds in range(2, min(20, count) + 1)]
    some, folds = min(sizes, key=lambda size: (round(abs(size[0] / size[1] - share), 6), size[1]))
    return assign_folds(groups, strata, folds, seed) < some
