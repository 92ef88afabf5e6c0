"""The strength of a ridge or logistic regression, chosen on groups that its fit has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from insula.protocols.partition import assign_folds
from insula.protocols.units import unit_codes
from insula.samples import Samples

STRENGTHS = tuple(10.0**power for power in range(-1, 7))
"""What is tried: from next to none, to so strong that hardly more than the mean is left."""

PENALTIES = tuple(10.0**power for power in range(-4, 1))
"""Inverse penalties of a logistic regression that are tried, from hardly more than shares of classes on."""

_MODERATE = 0.01  # of them
_FOLDS = 5


def inner_groups(train: Samples, held_out: Sequence[str]) -> np.ndarray:
    """Return int (n,): which rows are left out together where strength is chosen inside training.

    Those of one unit that the protocol holds out, the first that training has several of; where it holds out none,
    those of one trial. A row of no known unit is left out by itself. To leave out trials of people who stay would
    choose too weak a penalty for people who are not there at all.

    Parameters
    ----------
    train : Samples
        What is learnt from.
    held_out : sequence of str
        Units, as `Protocol.disjoint` has them.
    """
    for unit in (*held_out, "subject", "trial") if held_out else ("trial",):
        codes = unit_codes(train, unit)
        groups = np.where(codes < 0, codes.max(initial=-1) + 1 + np.arange(len(codes)), codes)
        if len(np.unique(groups)) > 1:
            break
    return groups


def choose_penalty(features: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> float:
    """Return the inverse penalty (scikit-learn's C) that does best in five-fold cross-validation.

    It has the smallest log-loss of those that are right about as often as the best, within one standard error: log-loss
    alone would shrink probabilities of people who differ much until the commonest class is called, and how often few
    rows are right is mostly luck. From the strongest on, each fit begins where the one before ended.

    Parameters
    ----------
    features : array, shape (n, d)
        Standardised.
    targets : int array, shape (n,)
        Classes.
    groups : array, shape (n,)
        Rows of one group are left out together; with fewer than two groups, or where training would be left with one
        class, a moderate penalty is returned.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise, classes, people = rng.standard_normal((200, 50)), np.arange(200) % 2, np.arange(200) // 20
    >>> choose_penalty(noise, classes, people), choose_penalty(noise + 2 * classes[:, None], classes, people)
    (0.0001, 1.0)
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    count = min(_FOLDS, len(np.unique(groups)))
    fold = assign_folds(groups, targets, count, seed=0) if count > 1 else np.zeros(len(groups))
    outsides = [fold == one for one in range(count) if len(np.unique(targets[fold != one])) > 1]
    models = [LogisticRegression(max_iter=500, warm_start=True) for _ in outsides]
    wrong, loss = np.zeros((2, len(PENALTIES)))
    for place, penalty in enumerate(PENALTIES):
        for model, outside in zip(models, outsides, strict=True):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.set_params(C=penalty).fit(features[~outside], targets[~outside])
            given = model.predict_proba(features[outside])
            wrong[place] += (model.classes_[given.argmax(axis=1)] != targets[outside]).sum()
            own = given[targets[outside][:, None] == model.classes_]
            loss[place] -= np.log(np.maximum(own, np.finfo(float).eps)).sum()
    fewest = wrong.min()
    good = wrong <= fewest + np.sqrt(fewest * (1 - fewest / len(targets)))
    return PENALTIES[int(np.where(good, loss, np.inf).argmin())] if outsides else _MODERATE


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
