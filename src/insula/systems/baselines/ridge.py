"""The strength of a ridge regression, chosen on groups that its fit has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STRENGTHS = tuple(10.0**power for power in range(-1, 7))
"""What is tried: from next to none, to so strong that hardly more than the mean is left."""

_FOLDS = 5


def choose_strength(
    features: np.ndarray, ratings: np.ndarray, groups: np.ndarray, strengths: Sequence[float] = STRENGTHS
) -> float:
    """Return the strength with the smallest squared error in five-fold cross-validation over groups.

    Rows of one trial are nearly the same four times a second, so to leave out single rows, as scikit-learn's quick
    `RidgeCV` does, would choose far too weak a ridge. All strengths of a fold come from one decomposition of its
    Gram matrix, so that many rows cost little more than one fit a fold.

    Parameters
    ----------
    features : array, shape (n, d)
        Standardised.
    ratings : array, shape (n,)
        What is learnt.
    groups : array, shape (n,)
        Rows of one group are left out together.
    strengths : sequence of float
        To choose from; with fewer than two groups the largest is returned.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> features = rng.standard_normal((40, 3))
    >>> choose_strength(features, features[:, 0], np.arange(40) // 4)
    0.1
    """
    from sklearn.model_selection import GroupKFold

    count = len(np.unique(groups))
    if count < 2:
        return max(strengths)
    values = features.astype(float)
    errors = np.zeros(len(strengths))
    for inside, outside in GroupKFold(min(_FOLDS, count)).split(values, groups=groups):
        errors += _squared_errors(values, ratings, inside, outside, np.asarray(strengths, float))
    return float(strengths[int(errors.argmin())])


def _squared_errors(
    features: np.ndarray, ratings: np.ndarray, inside: np.ndarray, outside: np.ndarray, strengths: np.ndarray
) -> np.ndarray:
    """Return the sum of squared errors outside for each strength, float (strengths,)."""
    centre, mean = features[inside].mean(axis=0), ratings[inside].mean()
    centred = features[inside] - centre
    sizes, axes = np.linalg.eigh(centred.T @ centred)
    slopes = (axes.T @ (centred.T @ (ratings[inside] - mean)))[:, None] / (np.maximum(sizes, 0)[:, None] + strengths)
    predicted = (features[outside] - centre) @ (axes @ slopes) + mean
    return ((predicted - ratings[outside][:, None]) ** 2).sum(axis=0)
