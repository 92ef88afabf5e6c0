"""Linear models of two modalities: joined before they answer, or after."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from insula.emotions import Continuous
from insula.storage.folder import load_estimator, save_estimator
from insula.systems.baselines.plain import logistic_regression, ridge_regression
from insula.systems.baselines.strength import inner_groups
from insula.systems.fusion.pairs import Pairs, PairSystem

if TYPE_CHECKING:
    from torch import nn


class _LinearPair(PairSystem):
    """A linear model for each way: logistic regression of classes, ridge regression of ratings."""

    ways: ClassVar[tuple[str, ...]]

    def _learn(self, pairs: Pairs) -> list[str]:
        self.models: dict[str, Any] = {}
        for way in [way for way in self.ways if way in pairs.rows]:
            rows = pairs.rows[way]
            given, wanted = pairs.train.select(rows), pairs.targets[rows]
            values = self._inputs(way, pairs.cells["eeg"].values[rows], pairs.cells["face"].values[rows])
            rated = isinstance(self.task, Continuous)
            model = (ridge_regression if rated else logistic_regression)(
                inner_groups(given, self.held_out), values, wanted
            )
            self.models[way] = model.fit(values, wanted)
            self.log.record(f"{way} of {type(self).__name__}", given)
        return list(self.models)

    def _inputs(self, way: str, eeg: np.ndarray, face: np.ndarray) -> np.ndarray:
        """Return what a way reads, float64: a value near the end of float32 does not overflow when it is scaled."""
        parts = {"both": [eeg, face], "eeg": [eeg], "face": [face]}[way]
        return np.concatenate(parts, axis=1, dtype=float)

    def _outputs(self, way: str, eeg: np.ndarray, face: np.ndarray) -> np.ndarray:
        model, values = self.models[way], self._inputs(way, eeg, face)
        if isinstance(self.task, Continuous):
            return model.predict(values)[:, None]
        probabilities = np.zeros((len(values), len(self.task.classes)))
        probabilities[:, model.classes_] = model.predict_proba(values)
        return probabilities

    def _module(self) -> nn.Module:
        from insula.systems.estimators import classifier_module, regressor_module
        from insula.systems.fusion.twin import Models

        def convert(model: Any) -> nn.Module:
            rated = isinstance(self.task, Continuous)
            return regressor_module(model) if rated else classifier_module(model, len(self.task.classes))

        return Models({way: convert(model) for way, model in self.models.items()})

    def _save(self, folder: Path) -> dict[str, Any]:
        for way, model in self.models.items():
            save_estimator(folder / f"{way}.safetensors", model)
        return super()._save(folder)

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        super()._load(folder, about)
        self.models = {way: load_estimator(folder / f"{way}.safetensors") for way in self.ways if way in self.learnt}


class FeatureFusion(_LinearPair):
    """A linear model of EEG and face features side by side; rows that lack one are said by the other's own model."""

    modes: ClassVar[Mapping[str, str]] = {
        "both": "EEG and face features side by side, linear",
        "eeg": "EEG features alone, linear",
        "face": "face features alone, linear",
    }
    ways: ClassVar = ("both", "eeg", "face")


class LateFusion(_LinearPair):
    """The mean of what a linear model of the EEG and one of the face say."""

    modes: ClassVar[Mapping[str, str]] = {
        "both": "mean of what EEG and face say, linear",
        "eeg": "EEG features alone, linear",
        "face": "face features alone, linear",
    }
    ways: ClassVar = ("eeg", "face")

    def _learn(self, pairs: Pairs) -> list[str]:
        learnt = super()._learn(pairs)
        return ["both", *learnt] if len(learnt) > 1 else learnt

    def _outputs(self, way: str, eeg: np.ndarray, face: np.ndarray) -> np.ndarray:
        if way != "both":
            return super()._outputs(way, eeg, face)
        return (super()._outputs("eeg", eeg, face) + super()._outputs("face", eeg, face)) / 2
