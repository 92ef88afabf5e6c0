"""Metrics of a classifier, every row weighted, so that a unit predicted in many repeats counts once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

BINS = 15
"""Bins of the calibration error, of equal width over [0, 1]."""


def reliability(confidence: np.ndarray, correct: np.ndarray, weights: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """Return how often a prediction is right against how sure it was, in bins of equal width.

    Parameters
    ----------
    confidence : array, shape (n,)
        Probability of the predicted class.
    correct : array of bool, shape (n,)
        Whether it was right.
    weights : array, shape (n,)
        Weight of each row.
    bins : int
        Number of bins over [0, 1]; a bin holds its upper edge.

    Returns
    -------
    DataFrame
        One row a filled bin: `confidence` and `accuracy` (weighted means) and `share` of the weight.

    Examples
    --------
    >>> reliability(np.array([0.9, 0.9]), np.array([True, False]), np.ones(2)).round(2).to_dict("records")
    [{'confidence': 0.9, 'accuracy': 0.5, 'share': 1.0}]
    """
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    total = np.bincount(places, weights, bins)
    filled = total > 0
    return pd.DataFrame(
        {
            "confidence": np.bincount(places, weights * confidence, bins)[filled] / total[filled],
            "accuracy": np.bincount(places, weights * correct, bins)[filled] / total[filled],
            "share": total[filled] / total.sum(),
        }
    )


def calibration_error(curve: pd.DataFrame) -> float:
    """Return the expected calibration error of a reliability curve (Naeini et al. 2015)."""
    return float((curve["share"] * (curve["confidence"] - curve["accuracy"]).abs()).sum())


def rejection(correct: np.ndarray, uncertainty: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    """Return how often the surest predictions are right, for every share of them that is answered.

    Predictions that are equally unsure cannot be told apart: their errors count as spread evenly over them.

    Parameters
    ----------
    correct : array of bool, shape (n,)
        Whether a prediction is right.
    uncertainty : array, shape (n,)
        Larger is less sure.
    weights : array, shape (n,)
        Weight of each row.

    Returns
    -------
    DataFrame
        One row a prediction, the surest first: `coverage` (the share answered) and `accuracy` among these.

    Examples
    --------
    >>> rejection(np.array([True, False]), np.array([0.1, 0.9]), np.ones(2)).to_dict("list")
    {'coverage': [0.5, 1.0], 'accuracy': [1.0, 0.5]}
    """
    order = np.argsort(uncertainty, kind="stable")
    tied = np.unique(uncertainty[order], return_inverse=True)[1]
    ordered = weights[order]
    right = np.bincount(tied, ordered * correct[order]) / np.bincount(tied, ordered)
    answered = np.cumsum(ordered)
    accuracy = np.cumsum(ordered * right[tied]) / answered
    return pd.DataFrame({"coverage": answered / answered[-1], "accuracy": accuracy})


def rejection_area(curve: pd.DataFrame) -> float:
    """Return the area under the error of a `rejection` curve, over coverage (AURC; Geifman and El-Yaniv 2017).

    Smaller is better; an uncertainty that knows nothing comes to the error itself.
    """
    return float(np.average(1 - curve["accuracy"], weights=np.diff(curve["coverage"], prepend=0.0)))


def brier(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> float:
    """Return the Brier score over all classes, 0 to 2 (Brier 1950).

    Parameters
    ----------
    truth : array of int, shape (n,)
        Place of the true class.
    probabilities : array, shape (n, classes)
        Class probabilities.
    weights : array, shape (n,)
        Weight of each row.

    Examples
    --------
    >>> brier(np.array([0]), np.array([[0.5, 0.5]]), np.ones(1))
    0.5
    """
    squared = (probabilities - np.eye(probabilities.shape[1])[truth]) ** 2
    return float(np.average(squared.sum(axis=1), weights=weights))


def recalls(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str], weights: np.ndarray) -> np.ndarray:
    """Return the recall of each class, NaN where the class is absent from the truth.

    Examples
    --------
    >>> recalls(np.array(["a", "a"]), np.array(["a", "b"]), ("a", "b"), np.ones(2))
    array([0.5, nan])
    """
    table = confusion(truth, predicted, classes, weights)
    present = table.sum(axis=1)
    return np.divide(np.diag(table), present, out=np.full(len(classes), np.nan), where=present > 0)


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str], weights: np.ndarray) -> np.ndarray:
    """Return the weight of each pair of true (row) and predicted (column) class, float64 (classes, classes).

    Pairs of which one is no class do not count.
    """
    rows, columns = places_of(truth, classes), places_of(predicted, classes)
    both = (rows >= 0) & (columns >= 0)
    pairs = rows[both] * len(classes) + columns[both]
    return np.bincount(pairs, weights[both], len(classes) ** 2).reshape(len(classes), len(classes))


def places_of(names: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the place of each name among the classes, int (n,), -1 for what is no class.

    Numbers are compared ten times faster than names.

    Examples
    --------
    >>> places_of(np.array(["b", "a", "c"], object), ("a", "b"))
    array([ 1,  0, -1])
    """
    return np.asarray(pd.Index(classes).get_indexer(pd.Index(names)))


def set_metrics(
    admitted: np.ndarray, labels: np.ndarray, classes: Sequence[str], weights: np.ndarray
) -> dict[str, float]:
    """Return how often prediction sets hold the label, and how large they are.

    Parameters
    ----------
    admitted : bool array, shape (n, classes)
        Which classes each set holds.
    labels : array of str, shape (n,)
        What the sets were promised to hold: the labels as given.
    classes : sequence of str
        In the order of `admitted`.
    weights : array, shape (n,)
        Weight of each row; a unit's rows weigh one together.

    Returns
    -------
    dict
        `coverage`, and `set_size`, the mean number of classes.

    Examples
    --------
    >>> admitted = np.array([[True, False], [True, True]])
    >>> figures = set_metrics(admitted, np.array(["b", "b"]), ("a", "b"), np.ones(2))
    >>> figures["coverage"], figures["set_size"]
    (0.5, 1.5)
    """
    holds = admitted[np.arange(len(labels)), places_of(labels, classes)]
    size = float(np.average(admitted.sum(axis=1), weights=weights))
    return {"coverage": float(np.average(holds, weights=weights)), "set_size": size}


def wilson_interval(share: float, n: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of n independent units (Wilson 1927), within [0, 1].

    Examples
    --------
    >>> [round(100 * value, 1) for value in wilson_interval(77 / 87, 87)]
    [80.1, 93.6]
    """
    z = NormalDist().inv_cdf(0.975)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return float(max(centre - reach, 0.0)), float(min(centre + reach, 1.0))


def ordinal_metrics(places: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Return how well ordered classes are met.

    Parameters
    ----------
    places : int array, shape (n,)
        True classes, as places in the order.
    probabilities : array, shape (n, classes)
        Class probabilities, classes in their order.
    weights : array, shape (n,)
        Weight of each row.

    Returns
    -------
    dict
        `top_two`, how often the truth is one of the two likeliest classes; `neighbours`, how often these two are
        neighbours and hold the truth (Seq2HR of HiSTN); `near`, how often the likeliest class is the true one or next
        to it (the weight of the three middle diagonals of the confusion).

    Examples
    --------
    >>> ordinal_metrics(np.array([0, 0]), np.array([[0.6, 0.3, 0.1], [0.4, 0.1, 0.5]]), np.ones(2))
    {'top_two': 1.0, 'neighbours': 0.5, 'near': 0.5}
    """
    first, second = np.argsort(-probabilities, axis=1, kind="stable")[:, :2].T
    held = (first == places) | (second == places)
    hits = {
        "top_two": held,
        "neighbours": held & (np.abs(first - second) == 1),
        "near": np.abs(first - places) <= 1,
    }
    return {name: float(np.average(values, weights=weights)) for name, values in hits.items()}


def classification_metrics(
    truth: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    uncertainty: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> dict[str, float]:
    """Return every metric of a classifier.

    Parameters
    ----------
    truth, predicted : array of str, shape (n,)
        Class names.
    probabilities : array, shape (n, classes)
        Class probabilities, in the order of `classes`.
    classes : sequence of str
        All classes of the task; one absent from `truth` counts in no mean.
    uncertainty : array, shape (n,), optional
        Larger is less sure; one minus the highest probability where absent or NaN.
    weights : array, shape (n,), optional
        Weight of each row; equal where not given.

    Returns
    -------
    dict
        `accuracy`, `balanced_accuracy` (mean recall over the classes present in the truth), `macro_f1` (over the
        same classes), `kappa` (Cohen), `log_loss` (nats), `brier`, `ece` (15 bins), `auroc_error` (how well the
        uncertainty finds the errors; NaN where all or none is right), `aurc` (`rejection_area`) and `aurc_best` (what
        the best order of the same errors would come to), and `recall_CLASS`.

    Examples
    --------
    >>> figures = classification_metrics(np.array(["a", "b"]), np.array(["a", "b"]), np.eye(2), ("a", "b"))
    >>> figures["accuracy"], figures["kappa"], figures["ece"]
    (1.0, 1.0, 0.0)
    """
    from sklearn import metrics as sk

    weights = np.ones(len(truth)) if weights is None else weights
    correct = truth == predicted
    places, answers = places_of(truth, classes), places_of(predicted, classes)
    recall = recalls(truth, predicted, classes, weights)
    present = np.flatnonzero(~np.isnan(recall))
    unsure = 1 - probabilities.max(axis=1)
    if uncertainty is not None:
        unsure = np.where(np.isnan(uncertainty), unsure, uncertainty)
    mixed = 0 < correct.sum() < len(correct)
    # a class given probability zero would cost infinity: scikit-learn clips at the type's eps, and so do we
    likelihood = np.clip(probabilities[np.arange(len(places)), places], np.finfo(float).eps, 1)
    return {
        "accuracy": float(np.average(correct, weights=weights)),
        "balanced_accuracy": float(np.nanmean(recall)),
        "macro_f1": float(
            sk.f1_score(places, answers, labels=present, average="macro", sample_weight=weights, zero_division=0)
        ),
        "kappa": float(sk.cohen_kappa_score(places, answers, labels=range(len(classes)), sample_weight=weights)),
        "log_loss": float(np.average(-np.log(likelihood), weights=weights)),
        "brier": brier(places, probabilities, weights),
        "ece": calibration_error(reliability(probabilities.max(axis=1), correct, weights)),
        "auroc_error": float(sk.roc_auc_score(~correct, unsure, sample_weight=weights)) if mixed else float("nan"),
        "aurc": rejection_area(rejection(correct, unsure, weights)),
        "aurc_best": rejection_area(rejection(correct, 1.0 - correct, weights)),
        **{f"recall_{name}": float(value) for name, value in zip(classes, recall, strict=True)},
    }
