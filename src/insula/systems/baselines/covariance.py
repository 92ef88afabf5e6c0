"""Covariances of EEG windows in Riemannian geometry: tangent space, plain and with delayed copies (pyRiemann)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from insula.errors import DataError
from insula.samples import Samples
from insula.storage.settings import Settings
from insula.systems.baselines.plain import PlainClassifier, logistic_regression
from insula.systems.baselines.strength import inner_groups

if TYPE_CHECKING:
    from torch import nn

_ROWS = 256  # windows read at a time: covariances are kept, windows are not


class CovarianceSettings(Settings):
    """How covariances are made and classified.

    Parameters
    ----------
    modality : str
        Of kind `signal`.
    estimator : str
        How pyRiemann estimates a covariance: `oas` shrinks it.
    order, lag : int
        Delayed copies of every channel (1: the signal alone), and samples from one to the next.
    seed : int
        Of the estimator.
    """

    modality: str = "eeg"
    estimator: Literal["oas", "lwf", "scm"] = "oas"
    order: int = Field(1, ge=1)
    lag: int = Field(1, ge=1)
    seed: int = 0


class AugmentedSettings(CovarianceSettings):
    """The settings of `CovarianceSettings`, with delayed copies."""

    order: int = Field(4, ge=1)
    lag: int = Field(8, ge=1)


def delay_embedding(epochs: np.ndarray, order: int, lag: int) -> np.ndarray:
    """Return epochs with delayed copies of every channel, shape (n, order * channels, times - (order - 1) * lag).

    Copy k is delayed by `(order - 1 - k) * lag` samples, earliest first; the edge that not all copies reach is cut off.
    MOABB cuts `lag` samples more, pyRiemann wraps the signal around instead (Carrara and Papadopoulo 2024,
    Classification of BCI-EEG based on the augmented covariance matrix, IEEE Transactions on Biomedical Engineering).

    Examples
    --------
    >>> delay_embedding(np.arange(5.0)[None, None], order=2, lag=2).tolist()
    [[[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]]
    """
    times = epochs.shape[-1] - (order - 1) * lag
    if times < 2:
        what = f"{epochs.shape[-1]} samples are too few for {order} copies {lag} samples apart"
        raise DataError(what, do="lower order or lag, or use longer windows")
    return np.concatenate([epochs[..., copy * lag : copy * lag + times] for copy in range(order)], axis=1)


class TangentSpace(PlainClassifier):
    """Logistic regression in the tangent space of covariances (Barachant et al. 2012)."""

    Settings: ClassVar = CovarianceSettings
    trains_on: ClassVar = ("eeg",)
    modes: ClassVar[Mapping[str, str]] = {"plain": "tangent space, logistic regression"}

    def _features(self, samples: Samples) -> np.ndarray:
        from pyriemann.estimation import Covariances

        settings: Any = self.settings
        estimate = Covariances(settings.estimator)
        covariances = []
        for start in range(0, len(samples), _ROWS):
            epochs = samples.select(slice(start, start + _ROWS)).read(settings.modality)
            if epochs.ndim != 3:
                raise DataError("covariances need channels x times", where=settings.modality, do="name the EEG")
            covariances.append(estimate.transform(delay_embedding(epochs.astype(float), settings.order, settings.lag)))
        return np.concatenate(covariances)

    def _in_numpy(self) -> dict[str, Any]:
        from insula.eeg.before_graph import TangentVectors

        settings: Any = self.settings
        reference = self.estimator[0].reference_
        return {settings.modality: TangentVectors(reference, settings.estimator, settings.order, settings.lag)}

    def _features_module(self) -> nn.Module:
        from torch import nn

        return nn.Identity()

    def _classifier_module(self, classes: int) -> nn.Module:
        from insula.systems.estimators import classifier_module

        return classifier_module(self.estimator[1:], classes)

    def _classifier(self, train: Samples, features: np.ndarray, targets: np.ndarray) -> Any:
        from pyriemann.tangentspace import TangentSpace as Tangent
        from sklearn.pipeline import make_pipeline

        tangent = Tangent("riemann")
        model = logistic_regression(inner_groups(train, self.held_out), tangent.fit_transform(features), targets)
        self.facts = {"inverse penalty of the logistic regression": model[-1].C}
        return make_pipeline(tangent, *model)


class AugmentedCovariance(TangentSpace):
    """Support vectors in the tangent space of covariances of delayed copies (Carrara and Papadopoulo 2024)."""

    Settings: ClassVar = AugmentedSettings
    modes: ClassVar[Mapping[str, str]] = {"plain": "augmented covariance, support vectors"}

    def _classifier(self, train: Samples, features: np.ndarray, targets: np.ndarray) -> Any:
        from pyriemann.tangentspace import TangentSpace as Tangent
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        support = CalibratedClassifierCV(SVC(C=1.0), ensemble=False)
        return make_pipeline(Tangent("riemann"), StandardScaler(), support)
