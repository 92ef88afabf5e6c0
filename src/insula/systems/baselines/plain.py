"""Majority, linear and support-vector models on plain features of one modality; the first two also learn ratings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from insula.emotions import Continuous, LabelTask
from insula.errors import DataError, SettingsError
from insula.samples import Predictions, Samples
from insula.storage.folder import load_estimator, save_estimator
from insula.storage.settings import Settings
from insula.systems.base import System, TrainingData
from insula.systems.baselines.strength import choose_penalty, choose_strength, inner_groups
from insula.systems.fitting import labelled

if TYPE_CHECKING:
    from torch import nn

    from insula.networks.answer import Answer

THUMB = 24
"""Pixels along an edge of the grey thumbnail that stands for a picture."""

_USUAL = ("picture", "features", "eeg")
_ROWS = 1024  # samples read at a time: features are kept, what they come from is not


class PlainSettings(Settings):
    """What a plain classifier reads.

    Parameters
    ----------
    modality : str, optional
        `picture` (a grey thumbnail of 24 by 24), `features` (as stored), or `eeg` (log variance of each channel). By
        default what the samples have: `picture` before `features` before `eeg` before any other.
    seed : int
        Of the estimator.
    """

    modality: str | None = None
    seed: int = 0


def present_modality(samples: Samples) -> str | None:
    """Return what plain models read where nobody says it, as `PlainSettings` has it; None where there is nothing."""
    there = [name for name in (*_USUAL, *samples.modalities) if samples.has(name).any()]
    return there[0] if there else None


def plain_features(samples: Samples, modality: str) -> np.ndarray:
    """Return float32 (n, d): what a modality shows without any learning."""
    if not len(samples):
        return np.empty((0, 0), np.float32)
    kind = samples.store(modality).description.kind
    parts = (samples.select(slice(start, start + _ROWS)).read(modality) for start in range(0, len(samples), _ROWS))
    return np.concatenate([plain_values(values, kind) for values in parts])


def plain_values(values: np.ndarray, kind: str) -> np.ndarray:
    """Return what rows of a modality, (n, ...), show without any learning, (n, d), by the kind of their store."""
    if kind == "picture":
        from insula.faces.grey import grey_picture

        return np.stack([grey_picture(picture, THUMB, "box").ravel() / 255 for picture in values]).astype(np.float32)
    if kind == "text":
        raise DataError("no plain features of text", where="modality", do="use a system that reads text")
    if kind in ("signal", "audio"):
        return np.log(values.var(axis=-1) + 1e-12)
    return values.reshape(len(values), -1).astype(np.float32)


class PlainClassifier(System):
    """What the plain models share; a subclass names its estimator, and its regressor where it learns ratings, too."""

    Settings: ClassVar[type[Settings]] = PlainSettings
    learns: ClassVar = LabelTask | Continuous
    modes: ClassVar[Mapping[str, str]] = {"plain": "plain classifier"}

    @abstractmethod
    def _classifier(self, train: Samples, features: np.ndarray, targets: np.ndarray) -> Any:
        """Return an unfitted classifier of scikit-learn's kind, for what it will be fitted on."""

    def _regressor(self, train: Samples, features: np.ndarray, ratings: np.ndarray) -> Any:
        """Return an unfitted estimator of ratings."""
        raise SettingsError(f"{type(self).__name__} learns no ratings", do="use Majority or Linear, or classes")

    def _features(self, samples: Samples) -> np.ndarray:
        return plain_features(samples, self.settings.modality)

    def _fit(self, data: TrainingData) -> None:
        """Fit on the labelled training samples that have the modality; validation is not needed."""
        train, task = data.train, self.task
        if self.settings.modality is None:
            self.settings = self.settings.model_copy(update={"modality": present_modality(train)})
        modality = self.settings.modality
        train = labelled(train, task)
        self.kind = train.store(modality).description.kind if modality in train.modalities else ""
        train = _with_modalities(train, self)
        if not len(train):
            raise DataError("no training sample has a label", where=task.label, do="check the label column")
        features, targets = self._features(train), task.targets(train.table)
        rated = isinstance(task, Continuous)
        choose = self._regressor if rated else self._classifier
        self.estimator = choose(train, features, targets).fit(features, targets)
        self.log.record(type(self).__name__.lower(), train)

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Return class probabilities, or ratings."""
        if isinstance(self.task, Continuous):
            outputs = self.estimator.predict(self._features(samples)) if len(samples) else np.empty(0)
            return Predictions.rate(self.task.ratings(outputs), samples.ids)
        probabilities = np.zeros((len(samples), len(self.task.classes)))
        probabilities[:, self.estimator.classes_] = self.estimator.predict_proba(self._features(samples))
        return Predictions.of(self.task.classes, probabilities, samples.ids, uncertainty=1 - probabilities.max(axis=1))

    def _answering(self, mode: str) -> Answer:
        """Return what a bundle holds: rows of the modality to class probabilities, or to a rating."""
        from torch import nn

        from insula.networks.answer import Answer
        from insula.systems.baselines.twin import Doubting, Plain, Rating

        how: dict[str, Any] = {"inputs": (self.settings.modality,), "before": self._in_numpy()}
        features = self._features_module()
        if isinstance(self.task, Continuous):
            model = nn.Sequential(self._regressor_module(), Rating(*self.task.scale))
            return Answer(Plain(features, model), rates=True, **how)
        says = Doubting(Plain(features, self._classifier_module(len(self.task.classes))))
        return Answer(says, columns=("uncertainty",), **how)

    def _features_module(self) -> nn.Module:
        """Return `_features` in torch."""
        from insula.systems.baselines.twin import plain_module

        return plain_module(self.kind, THUMB)

    def _in_numpy(self) -> dict[str, Any]:
        """Return what a bundle does with rows before all else, in NumPy, by modality."""
        return {}

    def _regressor_module(self) -> nn.Module:
        """Return the estimator of ratings in torch: features (n, d) to (n, 1)."""
        from insula.systems.estimators import regressor_module

        return regressor_module(self.estimator)

    def _classifier_module(self, classes: int) -> nn.Module:
        """Return the estimator in torch: features (n, d) to probabilities (n, classes)."""
        from insula.systems.estimators import classifier_module

        return classifier_module(self.estimator, classes)

    def _save(self, folder: Path) -> dict[str, Any]:
        save_estimator(folder / "estimator.safetensors", self.estimator)
        return {"kind": self.kind}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        self.kind, self.estimator = about.get("kind", ""), load_estimator(folder / "estimator.safetensors")


def logistic_regression(groups: np.ndarray, features: np.ndarray, targets: np.ndarray) -> Any:
    """Return an unfitted multinomial logistic regression of standardised features, its penalty chosen over groups.

    Parameters
    ----------
    groups : int array, shape (n,)
        Rows of one group are left out together: those of `inner_groups`.
    features, targets : array, shapes (n, d) and (n,)
        What it will be fitted on.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    penalty = choose_penalty(StandardScaler().fit_transform(features), targets, groups)
    return make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=500))


def ridge_regression(groups: np.ndarray, features: np.ndarray, ratings: np.ndarray) -> Any:
    """Return an unfitted ridge regression of standardised features, its strength chosen over groups.

    Parameters
    ----------
    groups : int array, shape (n,)
        Rows of one group are left out together: those of `inner_groups`.
    features, ratings : array, shapes (n, d) and (n,)
        What it will be fitted on.
    """
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    strength = choose_strength(StandardScaler().fit_transform(features), ratings, groups)
    return make_pipeline(StandardScaler(), Ridge(strength))


def _with_modalities(samples: Samples, system: PlainClassifier) -> Samples:
    """Return the samples that have what the system reads."""
    there = [samples.has(modality) for modality in system.predicts_from]
    return samples.select(np.all(there, axis=0)) if there else samples


class Majority(PlainClassifier):
    """Says the shares of the training classes, or the mean of the training ratings, whatever it is shown."""

    def _classifier(self, train: Samples, features: np.ndarray, targets: np.ndarray) -> Any:
        from sklearn.dummy import DummyClassifier

        return DummyClassifier(strategy="prior")

    def _regressor(self, train: Samples, features: np.ndarray, ratings: np.ndarray) -> Any:
        from sklearn.dummy import DummyRegressor

        return DummyRegressor()

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """Nothing: it does not look."""
        return ()

    def _features(self, samples: Samples) -> np.ndarray:
        return np.zeros((len(samples), 1), np.float32)

    def _classifier_module(self, classes: int) -> nn.Module:
        from insula.systems.baselines.twin import Constant

        return Constant(self.estimator.predict_proba(np.zeros((1, 1))), self.estimator.classes_, classes)

    def _regressor_module(self) -> nn.Module:
        from insula.systems.baselines.twin import Constant

        return Constant(self.estimator.constant_, np.zeros(1, int), 1)


class Stratified(Majority):
    """Guesses by the shares of the training classes: each sample gets one class, drawn by lot; learns no ratings.

    The lots are the same in each call. No bundle holds it: it has nothing to say of one sample.
    """

    _answering = System._answering

    def _classifier(self, train: Samples, features: np.ndarray, targets: np.ndarray) -> Any:
        from sklearn.dummy import DummyClassifier

        return DummyClassifier(strategy="stratified", random_state=self.settings.seed)

    def _regressor(self, train: Samples, features: np.ndarray, ratings: np.ndarray) -> Any:
        raise SettingsError("Stratified learns no ratings", do="use Majority, which says their mean")


class Linear(PlainClassifier):
    """Multinomial logistic regression on standardised plain features; ridge regression where ratings are learnt.

    Penalty and strength are chosen inside the training part, on units of the kind that the protocol holds out.
    """

    def _classifier(self, train: Samples, features: np.ndarray, targets: np.ndarray) -> Any:
        model = logistic_regression(inner_groups(train, self.held_out), features, targets)
        self.facts = {"inverse penalty of the logistic regression": model[-1].C}
        return model

    def _regressor(self, train: Samples, features: np.ndarray, ratings: np.ndarray) -> Any:
        model = ridge_regression(inner_groups(train, self.held_out), features, ratings)
        self.facts = {"strength of the ridge": model[-1].alpha}
        return model


class SupportVectors(PlainClassifier):
    """Radial-basis support vectors on standardised plain features."""

    def _classifier(self, train: Samples, features: np.ndarray, targets: np.ndarray) -> Any:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        return make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(C=10.0), ensemble=False))
