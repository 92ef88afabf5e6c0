"""The style study: one CRPN learns from pictures as they are, another from drawings, and both are tested on both.

Source: figure 2 of the concept-regularised perceptual network (CRPN), AAAI 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.protocols.partition import hold_out
from insula.samples import Predictions, Samples
from insula.systems.base import System, TrainingData
from insula.systems.crpn.measure import facts_table, halves, silhouette
from insula.systems.crpn.settings import CRPNSettings
from insula.systems.crpn.system import CRPN
from insula.systems.fitting import labelled, training_pictures
from insula.systems.pictures import picture_groups

if TYPE_CHECKING:
    from insula.networks.answer import Answer

_PLAIN = "plain"
_TITLES = {"human": "the model of plain pictures (Human)", "animate": "the model of stylised pictures (Animate)"}

FACTS = "Style in the features of both models"
"""Title of the table."""


class StyleStudySettings(CRPNSettings):
    """How both models learn: as `CRPNSettings`, and which.

    Parameters
    ----------
    models : tuple of str
        `human`, or `human` and `animate`.
    placebo : {"none", "both-styles"}
        Whether pictures are shown in styles drawn by lot.
    """

    models: tuple[Literal["human"]] | tuple[Literal["human"], Literal["animate"]] = ("human", "animate")
    placebo: Literal["none", "both-styles"] = "none"


class StyleStudy(System):
    """Two CRPNs of disjoint halves of the people (of the pictures, where people are not known), each of one style.

    Samples have a column `style`: `plain`, or anything else for a drawing. It says what is trained on and is not read
    when pictures are predicted.

    Parameters
    ----------
    settings : StyleStudySettings
        Of either model.

    Attributes
    ----------
    models : dict of str to CRPN
        By mode.
    """

    Settings: ClassVar[type[StyleStudySettings]] = StyleStudySettings
    trains_on: ClassVar[tuple[str, ...]] = ("picture",)
    placebos: ClassVar[Mapping[str, str]] = {"both-styles": "Human's pictures, each in a style drawn by lot"}
    presets: ClassVar = CRPN.presets

    def __init__(self, settings: StyleStudySettings | None = None) -> None:
        super().__init__(settings)
        self.models: dict[str, CRPN] = {}

    @property
    def modes(self) -> Mapping[str, str]:  # type: ignore[override]
        """The models."""
        return {name: _TITLES[name] for name in self.settings.models}

    def _settings_of(self, placebo: str) -> StyleStudySettings:
        """Return the settings of one model that knows both styles."""
        return self.alone().settings.model_copy(update={"placebo": placebo})

    def alone(self) -> Self:
        """Return an unfitted twin that trains the first model alone."""
        return type(self)(self.settings.model_copy(update={"models": ("human",)}))

    def _fit(self, data: TrainingData) -> None:
        """Train both models.

        Raises
        ------
        DataError
            Where the pictures are of one style, or show fewer than two classes.
        """
        pictures = training_pictures(data.train, self.task)
        held = labelled(data.validation.select(data.validation.has("picture")), self.task)
        styles = pictures.table.get("style", pd.Series(dtype=str))
        if not (styles == _PLAIN).any() or (styles == _PLAIN).all():
            what = f"the training pictures are not of two styles, {_PLAIN} and another"
            raise DataError(what, where="column style", do="use the corpus stylised")
        people = pd.factorize(picture_groups(pictures))[0]
        second = hold_out(people, self.task.targets(pictures.table), 0.5, self.settings.seed)
        shared = CRPNSettings(**self.settings.model_dump(exclude={"placebo", "models"}))
        for mode, mine in zip(self.modes, (~second, second), strict=False):
            seen = self._in_style(mode, pictures.select(mine))
            self.models[mode] = CRPN(shared).fit(seen, self._in_style(mode, held), self.task)
            self.log.fits += self.models[mode].log.fits
            self.facts[mode] = {"pictures": len(seen), **self.models[mode].summary()}

    def _in_style(self, mode: str, samples: Samples) -> Samples:
        """Return the samples in the style that a mode learns from; of a placebo each picture in one drawn by lot."""
        if self.settings.placebo == "none":
            return samples.select(((samples.table["style"] == _PLAIN) == (mode == "human")).to_numpy())
        drawn = np.random.default_rng(self.settings.seed).permutation(len(samples))
        again = pd.Series(samples.units("stimulus")[drawn]).duplicated().to_numpy()
        return samples.select(np.sort(drawn[~again]))

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Return what `CRPN.predict` does, of the model that the mode names."""
        predictions = self.models[mode].predict(samples)
        return replace(predictions, table=predictions.table.assign(mode=mode))

    def _answering(self, mode: str) -> Answer:
        """Return what `CRPN.answering` does, of the model that the mode names."""
        return self.models[mode].answering()

    # looking ----------------------------------------------------------------------------------------------------------

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return the features of the pathway that predicts, (n, width), of each model."""
        return {mode: next(iter(model.features(samples).values())) for mode, model in self.models.items()}

    def measure(self, samples: Samples) -> dict[str, float]:
        """Return how well the style of test pictures can be told from either model's features; labels are not read."""
        styles = samples.table["style"].to_numpy(object)
        facts = {"share of the more frequent style": float(samples.table["style"].value_counts(normalize=True).max())}
        for mode, values in self.features(samples).items():
            facts[f"style from features of {mode}: linear probe"] = halves(values, styles)
            facts[f"style in features of {mode}: silhouette"] = silhouette(values, styles)
        return facts

    @staticmethod
    def tables(facts: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
        """Return the table of the report from the facts of many fits."""
        return {FACTS: facts_table([fact["held_out"] for fact in facts])}

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        for mode, model in self.models.items():
            model.save(folder / mode)
        return {}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        self.models = {mode: CRPN.load(folder / mode) for mode in self.modes}
