"""Calibration on held-out data: a temperature for probabilities, and sets that hold the label as often as promised."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

_ROUNDING = 1e-5  # of a probability, between one way of computing it and another
_USUAL = math.log(2) / 1.96  # of the logarithm of a temperature: before any data, 95 % lie between 1/2 and 2


@dataclass(frozen=True)
class Calibration:
    """What calibrates one classifier: plain numbers, so that predicting needs neither the data nor mapie.

    Parameters
    ----------
    temperature : float
        Logarithms of probabilities are divided by it; above 1 it takes certainty away. The order of the classes stays.
    threshold : float
        A class is in the set where one minus its probability (before the temperature) is at most this; 1 admits all.
    """

    temperature: float = 1.0
    threshold: float = 1.0

    def temper(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, float64 (n, classes); a class of probability 0 keeps it.

        Examples
        --------
        >>> Calibration(temperature=2.0).temper(np.array([[0.9, 0.1]])).round(2)
        array([[0.75, 0.25]])
        """
        if self.temperature == 1:
            return probabilities
        with np.errstate(divide="ignore"):
            scaled = np.log(probabilities) / self.temperature
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def sets(self, probabilities: np.ndarray) -> np.ndarray:
        """Return which classes are in each set, bool (n, classes), from probabilities before the temperature.

        The most probable class is always in: a set without a class would deny the label beside it. Coverage can only
        rise by that, above the promise where the classifier is right more often than promised.

        Examples
        --------
        >>> Calibration(threshold=0.6).sets(np.array([[0.5, 0.45, 0.05], [0.38, 0.31, 0.31]])).astype(int)
        array([[1, 1, 0],
               [1, 0, 0]])
        """
        admitted = 1 - probabilities <= self.threshold
        admitted[np.arange(len(admitted)), probabilities.argmax(axis=1)] = True
        return admitted


def calibrate(probabilities: np.ndarray, labels: np.ndarray, coverage: float) -> Calibration:
    """Return the calibration of a classifier from its probabilities for data that it was not fitted on.

    Parameters
    ----------
    probabilities : array, shape (n, classes)
        What it says; n may be 0.
    labels : int array, shape (n,)
        Class codes.
    coverage : float
        Share of new samples whose set must hold the label.
    """
    # The sample whose score is the threshold shall be inside on any machine, whichever way its score is rounded there.
    threshold = conformal_threshold(probabilities, labels, coverage) + _ROUNDING
    return Calibration(fit_temperature(probabilities, labels), min(threshold, 1.0))


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature of least log loss (Guo et al. 2017, arXiv:1706.04599), held back where samples are few.

    The log loss of a dozen samples, all right, falls for ever as the temperature does. The logarithm of the
    temperature therefore has a normal prior about 0, by which 95 % of temperatures lie between 1/2 and 2: with many
    samples it changes nothing, with few the temperature stays near 1.

    Parameters
    ----------
    probabilities : array, shape (n, classes)
        For data that the classifier was not fitted on.
    labels : int array, shape (n,)
        Class codes.

    Returns
    -------
    float
        1, which changes nothing, where there is no sample or only one class.

    Examples
    --------
    >>> probabilities, labels = np.tile([0.9, 0.1], (4000, 1)), np.repeat([0, 1], [3000, 1000])
    >>> round(fit_temperature(probabilities, labels), 1)
    2.0
    """
    from scipy.optimize import minimize_scalar

    if len(np.unique(labels)) < 2:
        return 1.0
    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        likelihood = Calibration(math.exp(logarithm)).temper(probabilities)[rows, labels]
        return float(-np.log(np.clip(likelihood, np.finfo(float).eps, 1)).sum() + (logarithm / _USUAL) ** 2 / 2)

    minimum = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(minimum.x))


def conformal_threshold(probabilities: np.ndarray, labels: np.ndarray, coverage: float) -> float:
    """Return the score up to which a class is in the set: split conformal prediction.

    The score of a class is one minus its probability (LAC; Sadinle, Lei and Wasserman 2019), since its sets hold the
    label neither less nor much more often than promised; scores that add up probabilities (APS) hold it more often.

    For a new sample that is exchangeable with these n, a threshold at the k-th smallest score of a label has the label
    in the set with a probability of k / (n + 1), if no two scores are alike; ties count as inside. Few samples have no
    rank for a promise such as 0.9: the threshold lies between the scores of the ranks below and above
    (n + 1) coverage, at its fraction, and so does its coverage, which is within 1 / (n + 1) of the promise whatever
    the scores, and leans to no side where they are evenly spread.

    The promise is a mean over samples and over draws of these n. The coverage of one fit varies about it as a Beta
    distribution with n + 1 observations, and may differ between classes or kinds of face. Pictures of one person are
    alike and not exchangeable one by one, persons are: a few persons with several pictures each fix the threshold
    less well than n samples.

    Parameters
    ----------
    probabilities : array, shape (n, classes)
        For data that neither the classifier nor its temperature was fitted on.
    labels : int array, shape (n,)
        Class codes.
    coverage : float
        The promise, from 0.5 to 1.

    Returns
    -------
    float
        1, which admits every class, where fewer than 1 / (1 - coverage) samples are too few to promise anything less.

    Examples
    --------
    >>> sure = np.array([0.95, 0.9, 0.8, 0.7, 0.6, 0.55, 0.4, 0.3, 0.1])
    >>> probabilities, labels = np.column_stack([sure, 1 - sure]), np.zeros(9, int)
    >>> [round(conformal_threshold(probabilities, labels, coverage), 3) for coverage in (0.7, 0.75)]
    [0.6, 0.65]
    """
    n = len(labels)
    if n * (1 - coverage) < 1:
        return 1.0
    from mapie.classification import SplitConformalClassifier

    rank = round((n + 1) * coverage, 9)
    levels = [math.floor(rank) / (n + 1) - 1e-9, coverage - 1e-9]  # mapie takes the next rank up
    classifier = SplitConformalClassifier(_Given(probabilities.shape[1]), confidence_level=levels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a class without a sample: the promise is over all classes
        admitted = classifier.conformalize(probabilities, labels).predict_set(probabilities)[1]
    scores = 1 - probabilities
    below, above = (float(scores[admitted[..., place]].max()) for place in (0, 1))  # the score at the rank is admitted
    return below + (rank - math.floor(rank)) * (above - below)


class _Given(ClassifierMixin, BaseEstimator):
    """A fitted classifier, as mapie asks for, whose inputs are the probabilities themselves."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.classes_ = np.arange(classes)

    def fit(self, X: np.ndarray, y: np.ndarray) -> _Given:
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return X

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X.argmax(axis=1)
