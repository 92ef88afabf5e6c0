"""Chance: what guessing reaches, and what it reaches by luck on so few units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from insula.evaluation.results import Results
from insula.evaluation.statistics import cluster_interval


@dataclass(frozen=True)
class Chance:
    """What guessing reaches.

    Parameters
    ----------
    level : float
        One over the number of classes.
    majority : float
        Share of the commonest class: what always naming it reaches.
    threshold : float
        Accuracy that guessing at the better of the two exceeds in at most 5 % of tests with `n` units.
    n : int
        Number of units.
    """

    level: float
    majority: float
    threshold: float
    n: int

    @property
    def best(self) -> float:
        """The better way of guessing."""
        return max(self.level, self.majority)


def chance(truth: np.ndarray | pd.Series, classes: int, alpha: float = 0.05) -> Chance:
    """Return chance adjusted for the number of units (Combrisson and Jerbi 2015) and for the commonest class.

    Parameters
    ----------
    truth : array of str, shape (n,)
        The true class of each unit.
    classes : int
        Number of classes of the task.
    alpha : float
        Share of tests in which guessing may exceed the threshold.

    Examples
    --------
    >>> chance(np.array(["a", "b"] * 50), 2).threshold
    0.58
    """
    from scipy.stats import binom

    n = len(truth)
    majority = float(pd.Series(truth).value_counts(normalize=True).iloc[0])
    threshold = float(binom.isf(alpha, n, max(majority, 1 / classes))) / n
    return Chance(1 / classes, majority, threshold, n)


def chance_of(results: Results, arm: str | None = None) -> Chance:
    """Return the adjusted chance of an arm's units, the headline's where none is named."""
    truth = results.rows(arm or results.headline).groupby(["study", "unit"])["truth"].first()
    return chance(truth, len(results.classes))


def beats_chance(results: Results, arm: str) -> bool:
    """Say whether an arm that must be at chance is above it beyond doubt.

    Its accuracy must exceed the adjusted chance and so must the lower end of its 99 % interval over models and
    true classes. The second condition is needed: a model of permuted labels may by luck call a whole class by its
    right name, so its successes come in lumps and binomial counting alone would cry wolf.
    """
    rows, guess = results.rows(arm), chance_of(results, arm)
    lumps = rows[["study", "repeat", "fold", "truth"]].astype(str).agg("/".join, axis=1)
    found = cluster_interval(rows["correct"].to_numpy(), lumps.to_numpy(), level=0.99)
    return results.accuracy(arm) > guess.threshold and found.low > guess.best
