"""Which trials to ask a person about next: strategies that read what a fitted system says, and no label.

Neighbouring windows are near copies, so what is asked is a whole trial: scores of rows are averaged over each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from insula.errors import DataError, SettingsError
from insula.protocols.units import unit_names
from insula.samples import Predictions, Samples
from insula.systems.base import System

ASK, MARK, CHECK, SKIP = "ask", "ask and mark", "check the sensor", "skip"
"""What `diagnose` says of a trial."""

_WIDER = 3  # a diverse batch is chosen among as many times more trials of the highest score


def trials_of(samples: Samples) -> np.ndarray:
    """Return text (n,): the trial of each row; raises DataError where a row does not say."""
    names = unit_names(samples, "trial")
    unknown = pd.isna(names)
    if unknown.any():
        first = samples.ids[unknown][0]
        what = f"{int(unknown.sum())} samples do not say their trial, and a trial is what is asked"
        raise DataError(what, where=f"first: sample {first}", do="fill the column trial, or leave them out")
    return names


class Seen:
    """What a strategy may look at: what a fitted system says of trials, worked out when it is first wanted.

    Parameters
    ----------
    system : System
        A fitted one.
    samples : Samples
        Rows of the trials that are labelled and of those that may be asked; a strategy is given no label column.

    Attributes
    ----------
    trials : array of str, shape (t,)
        Names of the trials; every figure below has one entry for each, in this order.
    """

    def __init__(self, system: System, samples: Samples) -> None:
        self._system, self._samples = system, samples
        self._codes, names = pd.factorize(trials_of(samples))
        self.trials = np.asarray(names, object)

    @cached_property
    def entropy(self) -> np.ndarray:
        """Entropy of the fused prediction, float (t,), 0 to 1."""
        return self._over_trials(_uncertain(self._said, "entropy"))

    @cached_property
    def margin(self) -> np.ndarray:
        """One minus the distance of the two most probable classes, float (t,)."""
        return self._over_trials(_uncertain(self._said, "margin_sampling"))

    @cached_property
    def uncertainty(self) -> np.ndarray:
        """What the system says of its own ignorance, float (t,): of a Dirichlet, classes over evidence."""
        return self._column("uncertainty")

    @cached_property
    def discrepancy(self) -> np.ndarray:
        """How far the two modalities disagree, float (t,), NaN for trials of one modality."""
        found = self._column("discrepancy")
        if np.isnan(found).all():
            raise DataError("no trial has both modalities, so none says how far they disagree")
        return found

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Class probabilities, float (t, classes)."""
        return self._over_trials(self._said.probabilities)

    @cached_property
    def embedding(self) -> np.ndarray:
        """What the system makes of a trial, float (t, d); zeros where it has no modality."""
        if (rows := self._system.embed(self._samples)) is None:
            raise SettingsError(f"{_name(self._system)} has no embedding", do="use a strategy that needs none")
        return np.nan_to_num(self._over_trials(rows))

    def entropy_of(self, mode: str) -> np.ndarray:
        """Return the entropy of the prediction in one mode of the system, as from the EEG alone, float (t,)."""
        if mode not in self._system.modes:
            known = ", ".join(self._system.modes)
            raise SettingsError(f"{_name(self._system)} has no mode {mode!r}", do=f"its modes are {known}")
        return self._over_trials(_uncertain(self._system.predict(self._samples, mode), "entropy"))

    @cached_property
    def _said(self) -> Predictions:
        return self._system.predict(self._samples, asking_mode(self._system))

    def _column(self, name: str) -> np.ndarray:
        if name not in self._said.table:
            raise SettingsError(f"{_name(self._system)} gives no {name}", do="use a strategy that needs none")
        return self._over_trials(self._said.table[name].to_numpy(float))

    def _over_trials(self, rows: np.ndarray) -> np.ndarray:
        """Return means over the rows of each trial, of those that are known."""
        means = pd.DataFrame(rows).groupby(self._codes).mean().to_numpy(float)
        return means[:, 0] if rows.ndim == 1 else means


def asking_mode(system: System) -> str:
    """Return the mode in which a system is asked what it is unsure of: `both` modalities, or the only one there is."""
    return "both" if "both" in system.modes else next(iter(system.modes))


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value, 0 lowest to 1 highest, ties alike; the unknown (NaN) stand in the middle.

    Examples
    --------
    >>> ranks(np.array([3.0, 1.0, np.nan, 2.0])).tolist()
    [1.0, 0.0, 0.5, 0.5]
    """
    ranked = pd.Series(values).rank()
    return ((ranked - 1) / max(1, ranked.count() - 1)).fillna(0.5).to_numpy(copy=True)


def diagnose(seen: Seen, asked: np.ndarray) -> pd.Series:
    """Say of each trial that was not asked what to do with it, from how unsure the system is and how its senses agree.

    Unsure and agreed: the trial itself is ambiguous, and its label is worth having (`ask`). Unsure and at odds: `ask
    and mark`. Sure and at odds: one of the sensors is likely bad, which no label mends (`check the sensor`). Sure and
    agreed: `skip`. Each is told by the half of the pool in which the trial's rank falls. A trial of one modality cannot
    be at odds.

    Parameters
    ----------
    seen : Seen
        What the system says.
    asked : bool array, shape (t,)
        Trials that were asked before.

    Returns
    -------
    Series of str
        One entry for each trial of the pool, indexed by its name.
    """
    pool = np.flatnonzero(~asked)
    unsure, odds = ranks(seen.entropy[pool]) > 0.5, ranks(seen.discrepancy[pool]) > 0.5
    said = np.select([unsure & ~odds, unsure & odds, odds], [ASK, MARK, CHECK], SKIP)
    return pd.Series(said, index=pd.Index(seen.trials[pool], name="trial"), name="action")


# strategies -----------------------------------------------------------------------------------------------------------
# each takes what is seen, who was asked (bool), how many to ask, beta and a random state; and returns places of trials

Strategy = Callable[[Seen, np.ndarray, int, float, np.random.RandomState], np.ndarray]


def choose(strategy: str, seen: Seen, asked: np.ndarray, count: int, *, beta: float = 0.5, seed: int = 0) -> np.ndarray:
    """Return the places in `seen.trials` of the trials to ask next, none of which was asked before.

    Parameters
    ----------
    strategy : str
        A key of `STRATEGIES`.
    seen : Seen
        What the system says.
    asked : bool array, shape (t,)
        Trials that were asked before.
    count : int
        How many to ask; all that are left where there are fewer.
    beta : float
        Weight of the entropy against the discrepancy, for `combined`; 1 is the literal rule of its source.
    seed : int
        Of draws, and of ties.

    Raises
    ------
    SettingsError
        Where there is no such strategy, or the system does not say what it needs.
    """
    if strategy not in STRATEGIES:
        raise SettingsError(f"unknown strategy {strategy!r}", do=f"strategies are {', '.join(STRATEGIES)}")
    count = min(count, int((~asked).sum()))
    if count <= 0:
        return np.empty(0, np.int64)
    return np.asarray(STRATEGIES[strategy](seen, asked, count, beta, np.random.RandomState(seed)), np.int64)


def _highest(score: Callable[[Seen], np.ndarray]) -> Strategy:
    """Return the strategy that asks the trials of the highest score, ties broken at random."""

    def strategy(seen: Seen, asked: np.ndarray, count: int, beta: float, state: np.random.RandomState) -> np.ndarray:
        return _top(ranks(score(seen)[~asked]), asked, count, state)

    return strategy


def _top(scores: np.ndarray, asked: np.ndarray, count: int, state: np.random.RandomState) -> np.ndarray:
    """Return the places of the highest scores, one of which is given for each trial that was not asked."""
    from skactiveml.utils import simple_batch

    return np.flatnonzero(~asked)[simple_batch(scores, state, batch_size=count)]


def _random(seen: Seen, asked: np.ndarray, count: int, beta: float, state: np.random.RandomState) -> np.ndarray:
    from skactiveml.pool import RandomSampling

    return RandomSampling(random_state=state).query(_places(asked), _answered(asked), batch_size=count)


def _combined(seen: Seen, asked: np.ndarray, count: int, beta: float, state: np.random.RandomState) -> np.ndarray:
    """Ask where entropy and discrepancy rank high together, and spread the batch (k-centre) among the best."""
    pool = ~asked
    score = beta * ranks(seen.entropy[pool])
    if beta < 1:
        score = score + (1 - beta) * ranks(seen.discrepancy[pool])
    best = _top(score, asked, min(_WIDER * count, int(pool.sum())), state)
    return _spread(seen, asked, best, count, state)


def _core_set(seen: Seen, asked: np.ndarray, count: int, beta: float, state: np.random.RandomState) -> np.ndarray:
    return _spread(seen, asked, np.flatnonzero(~asked), count, state)


def _spread(seen: Seen, asked: np.ndarray, among: np.ndarray, count: int, state: np.random.RandomState) -> np.ndarray:
    """Return those that lie farthest from all that was asked, one after the other (greedy k-centre)."""
    from skactiveml.pool import CoreSet

    return CoreSet(random_state=state).query(seen.embedding, _answered(asked), candidates=among, batch_size=count)


def _badge(seen: Seen, asked: np.ndarray, count: int, beta: float, state: np.random.RandomState) -> np.ndarray:
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.pool import Badge

    said, embedded = seen.probabilities, seen.embedding

    class Told(SkactivemlClassifier):
        """Answers with what the system said of the trials whose places it is given."""

        def fit(self, X: Any, y: Any) -> Any:
            return self

        def predict_proba(self, X: Any) -> Any:
            places = X[:, 0].astype(int)
            return said[places], embedded[places]

    strategy = Badge(random_state=state)
    return strategy.query(_places(asked), _answered(asked), clf=Told(), fit_clf=False, batch_size=count)


def _places(asked: np.ndarray) -> np.ndarray:
    return np.arange(len(asked), dtype=float)[:, None]


def _answered(asked: np.ndarray) -> np.ndarray:
    """Return what scikit-activeml takes for labels: it tells from them who was asked, and no label is given away."""
    return np.where(asked, 0.0, np.nan)


def _uncertain(said: Predictions, method: str) -> np.ndarray:
    from skactiveml.pool import uncertainty_scores

    scores = uncertainty_scores(said.probabilities, method=method)
    return scores / np.log(len(said.classes)) if method == "entropy" else scores


def _name(system: System) -> str:
    return f"the system {type(system).__name__}"


STRATEGIES: Mapping[str, Strategy] = {
    "random": _random,
    "entropy": _highest(lambda seen: seen.entropy),
    "uncertainty": _highest(lambda seen: seen.uncertainty),
    "margin": _highest(lambda seen: seen.margin),
    "entropy-eeg": _highest(lambda seen: seen.entropy_of("eeg")),
    "entropy-face": _highest(lambda seen: seen.entropy_of("face")),
    "discrepancy": _highest(lambda seen: seen.discrepancy),
    "combined": _combined,
    "badge": _badge,
    "core-set": _core_set,
}
"""Strategies by name."""
