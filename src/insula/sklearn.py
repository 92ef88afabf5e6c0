"""A system of insula's as an estimator of scikit-learn: for pipelines, searches and cross-validation of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from insula.deployment.fitting import validation_alone
from insula.emotions import Categorical
from insula.protocols.protocol import protocol
from insula.samples import Samples
from insula.systems.catalogue import system as build_system
from insula.systems.own import chooses

_LABEL = "label"


class SystemClassifier(ClassifierMixin, BaseEstimator):
    """A system that learns classes of one modality, in scikit-learn's manners.

    What a system chooses, its epoch or a temperature, it chooses on rows that `fit` holds out: whole groups, where
    groups are given. In cross-validation give groups to the splitter, too: windows of one person on both sides of a
    split flatter, and `insula.evaluate` refuses that.

    Parameters
    ----------
    system : str
        A name of `insula.systems.catalogue.SYSTEMS`, or an import path: `linear`, `eegnet`, `my_networks:Small`.
    settings : mapping, optional
        Settings of the system.
    modality : str, optional
        `features`, `eeg` or `picture`; by default as the shape of X says.
    rate : float, optional
        Samples of EEG a second.
    channels : sequence of str, optional
        Names of the electrodes.
    validation_share : float
        Share of the rows that is held out, where the system chooses something on them.
    random_state : int
        Seed of the system.

    Attributes
    ----------
    classes_ : array
        The classes, sorted.
    system_ : System
        The fitted system.

    Examples
    --------
    >>> X, y = np.array([[0.0], [0.1], [0.9], [1.0]] * 5), ["calm", "calm", "fear", "fear"] * 5
    >>> SystemClassifier("linear").fit(X, y).predict([[0.0], [1.0]]).tolist()
    ['calm', 'fear']
    """

    def __init__(
        self,
        system: str = "linear",
        settings: Mapping[str, Any] | None = None,
        *,
        modality: str | None = None,
        rate: float | None = None,
        channels: Sequence[str] | None = None,
        validation_share: float = 0.2,
        random_state: int = 0,
    ) -> None:
        self.system = system
        self.settings = settings
        self.modality = modality
        self.rate = rate
        self.channels = channels
        self.validation_share = validation_share
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit the system.

        Parameters
        ----------
        X : array
            Features (n, d), EEG in microvolts (n, channels, times), or pictures, uint8 (n, height, width, 3).
        y : array of n classes
            Of any type.
        groups : array of n values, optional
            Whose rows they are.
        """
        X, y = validate_data(self, X, y, **self._rules(X))
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("a classifier needs at least two classes, and y has one class")
        samples = self._samples(X, codes.astype(str), groups)
        task = Categorical(label=_LABEL, classes=tuple(map(str, range(len(self.classes_)))))
        reading = {} if self.system == "majority" else {"modality": samples.modalities[0]}
        self.system_ = build_system(self.system, **{"seed": self.random_state, **reading, **(self.settings or {})})
        train, validation = samples, samples.select(slice(0))
        if chooses(self.system_) and self.validation_share:
            rule = protocol("stratified" if groups is None else "subject-disjoint", seed=self.random_state)
            rule = rule.model_copy(update={"validation_share": self.validation_share, "scored_unit": "trial"})
            split = validation_alone(rule, samples, task)
            train, validation = samples.by_id(split.train), samples.by_id(split.validation)
        self.system_.fit(train, validation, task)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, (n, classes), in the order of `classes_`."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **self._rules(X))
        return self.system_.predict(self._samples(X, None, None)).probabilities

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _samples(self, X: np.ndarray, y: np.ndarray | None, groups: Any) -> Samples:
        return Samples.from_arrays(
            X, y, groups=groups, modality=self.modality, rate=self.rate, channels=self.channels, label=_LABEL
        )

    def _rules(self, X: Any) -> dict[str, Any]:
        """Return how scikit-learn checks X: pictures stay bytes."""
        pictures = getattr(X, "dtype", None) == np.uint8 and np.ndim(X) == 4
        return {"allow_nd": True, "dtype": np.uint8 if pictures else np.float64}
