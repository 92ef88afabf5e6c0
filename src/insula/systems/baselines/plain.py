"""Majority, linear and support-vector classifiers on plain features of one modality."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from insula.emotions import LabelTask, Task
from insula.errors import DataError, SettingsError
from insula.samples import FitLog, Predictions, Roles, Samples, mode_of
from insula.storage.folder import load_estimator, load_system, save_estimator, save_system
from insula.storage.settings import Settings
from insula.systems.fitting import labelled
from insula.systems.one_modality import OneModality

_THUMB = 24
_ROWS = 1024  # samples read at a time: features are kept, what they come from is not


class PlainSettings(Settings):
    """What a plain classifier reads.

    Parameters
    ----------
    modality : str
        `picture` (a grey thumbnail of 24 by 24), `features` (as stored), or `eeg` (log variance of each channel).
    seed : int
        Of the estimator.
    """

    modality: str = "picture"
    seed: int = 0


def plain_features(samples: Samples, modality: str) -> np.ndarray:
    """Return float32 (n, d): what a modality shows without any learning."""
    if not len(samples):
        return np.empty((0, 0), np.float32)
    kind = samples.store(modality).description.kind
    parts = (samples.select(slice(start, start + _ROWS)).read(modality) for start in range(0, len(samples), _ROWS))
    return np.concatenate([_plain(values, kind) for values in parts])


def _plain(values: np.ndarray, kind: str) -> np.ndarray:
    if kind == "picture":
        from PIL import Image

        thumbs = [
            Image.fromarray(picture).convert("L").resize((_THUMB, _THUMB), Image.Resampling.BOX) for picture in values
        ]
        return np.stack([np.asarray(thumb, np.float32).ravel() / 255 for thumb in thumbs])
    if kind == "signal":
        return np.log(values.var(axis=-1) + 1e-12)
    return values.reshape(len(values), -1).astype(np.float32)


class PlainClassifier(OneModality):
    """What the plain classifiers share; a subclass names its estimator."""

    Settings: ClassVar[type[Settings]] = PlainSettings
    modes: ClassVar[Mapping[str, str]] = {"plain": "plain classifier"}

    def _estimator(self) -> Any:
        raise SettingsError("PlainClassifier has no estimator", do="use Majority, Linear or SupportVectors")

    def _features(self, samples: Samples) -> np.ndarray:
        return plain_features(samples, self.settings.modality)

    def fit(
        self,
        train: Roles,
        validation: Roles,
        task: Task | Mapping[str, Task],
        *,
        unlabelled: Samples | None = None,
        start_from: Path | None = None,
    ) -> Self:
        """Fit on the labelled training samples; validation is not needed."""
        if not isinstance(train, Samples) or not isinstance(task, LabelTask):
            raise DataError("a plain classifier learns one task of classes from one table of samples")
        self.task, self.log = task, FitLog()
        train = labelled(train, task)
        if not len(train):
            raise DataError("no training sample has a label", where=task.label, do="check the label column")
        self.estimator = self._estimator().fit(self._features(train), task.targets(train.table))
        self.log.record(type(self).__name__.lower(), train)
        return self

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        """Return class probabilities."""
        mode_of(self.modes, mode)
        probabilities = np.zeros((len(samples), len(self.task.classes)))
        probabilities[:, self.estimator.classes_] = self.estimator.predict_proba(self._features(samples))
        return Predictions.of(self.task.classes, probabilities, samples.ids, uncertainty=1 - probabilities.max(axis=1))

    def save(self, folder: Path) -> None:
        """Write the estimator and the settings."""
        folder.mkdir(parents=True, exist_ok=True)
        save_estimator(folder / "estimator.skops", self.estimator)
        save_system(folder, self.settings, self.task)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved folder."""
        from insula.emotions import parse_task

        about = load_system(folder)
        classifier = cls(cls.Settings.parse(about["settings"], where="system.yaml"))
        task = parse_task(about["task"])
        if isinstance(task, LabelTask):
            classifier.task = task
        classifier.estimator = load_estimator(folder / "estimator.skops")
        return classifier


class Majority(PlainClassifier):
    """Says the shares of the training classes, whatever it is shown."""

    def _estimator(self) -> Any:
        from sklearn.dummy import DummyClassifier

        return DummyClassifier(strategy="prior")

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """Nothing: it does not look."""
        return ()

    def _features(self, samples: Samples) -> np.ndarray:
        return np.zeros((len(samples), 1), np.float32)


class Stratified(Majority):
    """Guesses by the shares of the training classes: each sample gets one class, drawn by lot."""

    def _estimator(self) -> Any:
        from sklearn.dummy import DummyClassifier

        return DummyClassifier(strategy="stratified", random_state=self.settings.seed)


class Linear(PlainClassifier):
    """Multinomial logistic regression on standardised plain features."""

    def _estimator(self) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))


class SupportVectors(PlainClassifier):
    """Radial-basis support vectors on standardised plain features."""

    def _estimator(self) -> Any:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        return make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(C=10.0), ensemble=False))
