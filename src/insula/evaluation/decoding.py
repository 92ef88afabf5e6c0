"""Decoding over time: how well the measured EEG of each moment tells the class, within the training part.

It is a check of the data and of the pipeline, not a result. A brain cannot know a picture before it appears, so
decoding that early means that labels leak, or that a filter smears what comes after the picture into what came before
(van Driel, Olivers and Fahrenfort 2021, High-pass filtering artifacts in multivariate classification of neural time
series data, Journal of Neuroscience Methods 352, 109080).
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from insula.eeg.maps import is_time_locked, time_bins
from insula.emotions import Continuous
from insula.evaluation.add_on import AddOn, FinishedRun, Tables
from insula.evaluation.chance import chance
from insula.evaluation.study import ClassTask
from insula.protocols.splitting import strata_of
from insula.protocols.units import joined, unit_codes
from insula.samples import Samples

_FOLDS = 5
_TOGETHER = ("identity", "stimulus", "trial")  # rows that share one of these never stand on two sides of a fold


class Decoding(AddOn):
    """Decoding over time of the first training part, where the system learns from EEG cut around events."""

    cells = "none"

    def read(self, run: FinishedRun) -> Tables:
        """Return it as table `decoding`."""
        study = run.studies[0]
        if isinstance(study.task, Continuous) or "eeg" not in run.system.trains_on:
            return {}
        table = decoding_over_time(study.samples.by_id(study.splits[0].train), study.task)
        return {} if table is None else {"decoding": table}


def decoding_over_time(samples: Samples, task: ClassTask) -> pd.DataFrame | None:
    """Return how well each moment of each subject's EEG tells the class of pictures that were left out.

    A shrinkage discriminant analysis for each time bin, on all channels, five-fold cross-validated within the samples
    given: rows of one identity, stimulus or trial stay together.

    Parameters
    ----------
    samples : Samples
        The training part. Rows without EEG or label are left out, and so is a subject with fewer than two groups of
        rows, or one class.
    task : Categorical, Binary, Ordinal or Votes
        The classes.

    Returns
    -------
    DataFrame or None
        One row a subject and time bin: `subject`, `time` (s after the event, the middle of the bin), `accuracy`, `n`
        (epochs), `chance` (the better of one class drawn evenly and of always the commonest) and `threshold` (what
        guessing exceeds in any bin in at most 5 % of subjects). None where no subject's signals can be decoded.
    """
    codes, subjects = strata_of(task, samples), samples.units("subject")
    usable = samples.has("eeg") & (codes >= 0) & pd.notna(subjects)
    tables = []
    for subject in sorted(set(subjects[usable])):
        rows = np.flatnonzero(usable & (subjects == subject))
        own, labels = samples.select(rows), codes[rows]
        form = own.store("eeg").description
        if not is_time_locked(form):
            continue
        values, times = time_bins(own.read("eeg"), form)
        right = _right(values, labels, joined([unit_codes(own, name) for name in _TOGETHER]))
        if right is not None:
            guess = chance(labels, len(task.classes), alpha=0.05 / len(times))
            table = pd.DataFrame({"subject": subject, "time": times, "accuracy": right.mean(axis=0)})
            tables.append(table.assign(n=guess.n, chance=guess.best, threshold=guess.threshold))
    return pd.concat(tables, ignore_index=True) if tables else None


def _right(values: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray | None:
    """Return bool (n, bins): whether the analysis of a bin was right about an epoch it had not seen."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.where(groups < 0, groups.max(initial=-1) + 1 + np.arange(len(groups)), groups)  # unknown: its own
    count = min(_FOLDS, len(np.unique(groups)), int(np.bincount(labels).max()))
    if count < 2:
        return None
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        splits = list(folds.split(values, labels, groups))
    if any(len(np.unique(labels[inside])) < 2 for inside, _ in splits):
        return None
    series = np.ascontiguousarray(values.transpose(2, 0, 1))
    right = np.empty((len(labels), len(series)), bool)
    for inside, outside in splits:
        right[outside] = (discriminate(series[:, inside], labels[inside], series[:, outside]) == labels[outside]).T
    return right


def discriminate(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return the classes that a linear discriminant analysis of each time bin gives to new epochs.

    All bins at once, which is ten times faster than a fit for each. Channels are standardised; the covariance
    within classes is shrunk as Chen, Wiesel, Eldar and Hero (2010) do (oracle approximating shrinkage).

    Parameters
    ----------
    train, test : array, shape (bins, n, channels), (bins, m, channels)
        Signals.
    labels : array, shape (n,)
        Classes of the training epochs.

    Returns
    -------
    array, shape (bins, m)
        Classes.
    """
    centre, scale = train.mean(axis=1, keepdims=True), train.std(axis=1, keepdims=True) + 1e-12
    train, test = (train - centre) / scale, (test - centre) / scale
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = (codes == np.arange(len(classes))[:, None]) @ train / counts[:, None]
    within = train - means[:, codes]
    n, channels = within.shape[1:]
    covariance = within.swapaxes(1, 2) @ within / n
    level = np.trace(covariance, axis1=1, axis2=2) / channels
    square = (covariance**2).mean(axis=(1, 2))
    shrinkage = np.minimum((square + level**2) / ((n + 1) * (square - level**2 / channels) + 1e-12), 1)[:, None, None]
    shrunk = (1 - shrinkage) * covariance + shrinkage * level[:, None, None] * np.eye(channels)
    weights = np.linalg.solve(shrunk + 1e-9 * np.eye(channels), means.swapaxes(1, 2))
    offsets = np.log(counts / n) - 0.5 * (means.swapaxes(1, 2) * weights).sum(axis=1)
    return classes[(test @ weights + offsets[:, None]).argmax(axis=2)]
