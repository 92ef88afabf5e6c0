"""Chance: what guessing reaches, and what it reaches by luck on so few units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from insula.evaluation.results import CONSTANT, KEY, Results
from insula.evaluation.statistics import cluster_interval

_MODELS = 5  # an interval over fewer is so wide that it never finds anything
_NOTHING = 0.02  # of the constant predictor's error; a model of permuted ratings may by luck be that much better


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


def chance(
    truth: np.ndarray | pd.Series, classes: int, alpha: float = 0.05, *, independent: int | None = None
) -> Chance:
    """Return chance adjusted for the number of units (Combrisson and Jerbi 2015) and for the commonest class.

    Parameters
    ----------
    truth : array of str, shape (n,)
        The true class of each unit.
    classes : int
        Number of classes of the task.
    alpha : float
        Share of tests in which guessing may exceed the threshold.
    independent : int, optional
        How many of the units are independent, where not all are.

    Examples
    --------
    >>> chance(np.array(["a", "b"] * 50), 2).threshold
    0.58
    """
    from scipy.stats import binom

    n, drawn = len(truth), independent or len(truth)
    majority = float(pd.Series(truth).value_counts(normalize=True).iloc[0])
    threshold = float(binom.isf(alpha, drawn, max(majority, 1 / classes))) / drawn
    return Chance(1 / classes, majority, threshold, n)


def chance_of(results: Results, arm: str | None = None) -> Chance:
    """Return the adjusted chance of an arm's units, the headline's where none is named.

    Rows of one trial are mostly right or wrong together, so rows that are scored one by one count as one a trial.
    """
    rows = results.rows(arm or results.headline)
    truth = rows.groupby(["study", "unit"])["truth"].first()
    independent = len(rows[["study", results.series]].drop_duplicates()) if results.series else None
    return chance(truth, len(results.classes), independent=independent)


def beats_chance(results: Results, arm: str) -> bool:
    """Say whether an arm that must be at chance is above it beyond doubt.

    Its accuracy must exceed the adjusted chance and so must the lower end of its 99 % interval over models and
    true classes. The second condition is needed: a model of permuted labels may by luck call a whole class by its
    right name, so its successes come in lumps and binomial counting alone would cry wolf.

    Ratings must err less than those of the constant predictor by more than two per cent of its error, beyond the 99 %
    interval over models, or over clusters where there are fewer than five models.
    """
    if results.rated:
        return _beats_constant(results, arm)
    rows, guess = results.rows(arm), chance_of(results, arm)
    lumps = rows.groupby(["study", "repeat", "fold", "truth"], sort=False).ngroup()
    interval = cluster_interval(rows["correct"].to_numpy(), lumps.to_numpy(), level=0.99)
    return results.accuracy(arm) > guess.threshold and interval.low > guess.best


def _beats_constant(results: Results, arm: str) -> bool:
    first, second = results.rows(arm), results.rows(CONSTANT)
    both = first.merge(second[[*KEY, "error"]], on=list(KEY), suffixes=("", "_other"))
    model = ["study", "repeat", "fold"]
    if len(both[model].drop_duplicates()) < _MODELS:
        model = ["study", results.cluster or results.series or "unit"]
    lumps = both.groupby(model, sort=False).ngroup()
    squares = both[["error", "error_other"]] ** 2
    series = [lumps, both["study"], both["repeat"], both[results.series or "unit"]]
    errors = np.sqrt(squares.groupby(series).mean())
    spared = (errors["error_other"] - errors["error"]) / results.error(CONSTANT)
    interval = cluster_interval(spared.to_numpy(), spared.index.get_level_values(0).to_numpy(), level=0.99)
    return interval.low > _NOTHING
