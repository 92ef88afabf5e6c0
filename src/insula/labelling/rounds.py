"""Rounds of asking: which trials are labelled in a round, and what a system then learns from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from insula.emotions import LabelTask
from insula.labelling.strategies import Seen, choose, trials_of
from insula.samples import Samples
from insula.systems.base import System


def stratified_order(strata: np.ndarray, seed: int) -> np.ndarray:
    """Return an order, int (n,), of which every beginning is spread over the strata; one of each comes first.

    Parameters
    ----------
    strata : int array, shape (n,)
        The class of each.
    seed : int
        Of the shuffle.

    Examples
    --------
    >>> strata = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2])
    >>> order = stratified_order(strata, seed=0)
    >>> sorted(strata[order[:3]].tolist()), sorted(strata[order[:6]].tolist())
    ([0, 1, 2], [0, 0, 0, 0, 1, 2])
    """
    shuffled = pd.Series(strata).sample(frac=1, random_state=seed)
    groups = shuffled.groupby(shuffled)
    nth = groups.cumcount()
    place = ((nth + 0.5) / groups.transform("size")).where(nth > 0, -1.0)
    return place.sort_values(kind="stable").index.to_numpy()


class Part:
    """One part of a split, trial by trial.

    Trials of which no row has a label cannot be asked; their rows may still be learnt from, as rows without one.

    Parameters
    ----------
    samples : Samples
        Of the part.
    task : LabelTask
        Whose label is asked for.
    seed : int
        Of the order in which trials are drawn at random.

    Attributes
    ----------
    order : array of str, shape (t,)
        Trials that can be asked; every beginning is spread over the classes.
    classes : int
        How many different classes the trials show.
    """

    def __init__(self, samples: Samples, task: LabelTask, seed: int) -> None:
        self.samples, self.task = samples, task
        self.names = trials_of(samples)
        targets = pd.Series(task.targets(samples.table))
        known = targets >= 0
        shown = targets[known].groupby(self.names[known]).agg(lambda rows: rows.mode()[0])
        self.order = shown.index.to_numpy(object)[stratified_order(shown.to_numpy(), seed)]
        self.classes = shown.nunique()

    def count(self, share: float) -> int:
        """Return how many trials a share is, at least one a class."""
        return max(round(share * len(self.order)), self.classes)

    def first(self, share: float) -> np.ndarray:
        """Return the names of a share of the trials, drawn at random and spread over the classes."""
        return self.order[: self.count(share)]

    def of(self, trials: Iterable[str]) -> Samples:
        """Return the rows of some trials."""
        return self.samples.select(np.isin(self.names, list(trials)))

    def labelled_by(self, trials: Iterable[str]) -> Samples:
        """Return all rows, with the labels of some trials and of no other."""
        known, table = np.isin(self.names, list(trials)), self.samples.table
        return self.samples.with_columns(**{column: table[column].where(known) for column in self.task.columns})

    def ask(
        self, strategy: str, system: System, asked: np.ndarray, count: int, *, beta: float = 0.5, seed: int = 0
    ) -> np.ndarray:
        """Return the names of the trials that a strategy asks next; no label is shown to it.

        Parameters
        ----------
        strategy : str
            Of `insula.labelling.strategies.STRATEGIES`.
        system : System
            Fitted in the round before.
        asked : array of str
            Trials that were asked before.
        count : int
            How many to ask.
        beta, seed
            As `insula.labelling.strategies.choose` has them.
        """
        seen = Seen(system, self.of(self.order).without(self.task.columns))
        before = np.isin(seen.trials.astype(str), asked.astype(str))
        return seen.trials[choose(strategy, seen, before, count, beta=beta, seed=seed)]
