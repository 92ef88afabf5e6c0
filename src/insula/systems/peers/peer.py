"""What adapters of other people's models share: nothing is learnt, classes are matched by name, the licence is said."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from insula.emotions import normalise_label
from insula.errors import DataError, SettingsError
from insula.samples import Predictions, Samples, normalised_entropy
from insula.storage.settings import Settings
from insula.systems.base import System, TrainingData
from insula.systems.pictures import unique_pictures


class PeerSettings(Settings):
    """What every adapter has.

    Parameters
    ----------
    seed : int
        Of no consequence: nothing is drawn by lot.
    """

    modality: ClassVar = "picture"
    seed: int = 0


class Peer(System):
    """A model that somebody else has trained; a subclass says whose it is and runs it.

    `fit` only notes the task. A class of the task that the model does not know is never said; classes of the model that
    the task lacks are dropped, and the others' probabilities scaled up to one.

    Parameters
    ----------
    settings : Settings, optional
        Of the class that the subclass names `Settings`.

    Attributes
    ----------
    title, licence, source : str
        Name of the model, its licence, and where it comes from.
    classes : tuple of str
        What it tells apart, in the order of its outputs.
    """

    Settings: ClassVar[type[Settings]] = PeerSettings

    title: str
    licence: str
    source: str
    classes: tuple[str, ...]

    @abstractmethod
    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Return the model's probabilities, (n, classes), of uint8 RGB pictures, (n, height, width, 3)."""

    @property
    def named_classes(self) -> tuple[str, ...]:
        """The classes under their usual names, in the order of the outputs."""
        return tuple(normalise_label(name) for name in self.classes)

    @property
    def modes(self) -> Mapping[str, str]:  # type: ignore[override]
        """One mode, with the model's name and licence."""
        return {"peer": f"{self.title}, as published (licence: {self.licence})"}

    def _fit(self, data: TrainingData) -> None:
        """Note which classes are asked for, and try the model on a black picture; the samples are not looked at.

        Raises
        ------
        DataError
            Where the model knows fewer than two of the task's classes.
        SettingsError, WeightsError
            Where the model cannot be run, or answers with another number of classes.
        """
        names = self.named_classes
        wanted = [normalise_label(name) for name in self.task.classes]
        shared = [name for name in wanted if name in names]
        if len(shared) < 2:
            what = f"{self.title} knows {len(shared)} of the task's classes {', '.join(self.task.classes)}"
            raise DataError(what, do=f"it knows {', '.join(names)}")
        shape = self.probabilities(np.zeros((1, 8, 8, 3), np.uint8)).shape
        if shape != (1, len(names)):
            what = f"{len(names)} classes are named, and {self.title} answers with {'x'.join(map(str, shape[1:]))}"
            raise SettingsError(what, do="name its classes in the order of its outputs")
        self.facts = {
            "licence": self.licence,
            "source": self.source,
            "dropped": [name for name in names if name not in wanted],
            "never_said": [name for name in wanted if name not in names],
        }

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Return the probabilities of the task's classes, as the model gives them."""
        unique, place = unique_pictures(samples)
        probabilities = self.probabilities(unique.read("picture")) if len(unique) else np.empty((0, len(self.classes)))
        columns = pd.Index(self.named_classes)
        taken = columns.get_indexer([normalise_label(name) for name in self.task.classes])
        kept = np.where(taken >= 0, probabilities[:, taken], 0.0)
        total = kept.sum(axis=1, keepdims=True)
        even = (taken >= 0) / (taken >= 0).sum()  # where all that was said is dropped
        probabilities = np.where(total > 0, kept / np.maximum(total, 1e-300), even)[place]
        uncertainty = normalised_entropy(probabilities)
        return Predictions.of(self.task.classes, probabilities, samples.ids, uncertainty=uncertainty)

    def tables(self, facts: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:  # type: ignore[override]
        """Return what the report prints of the model: whose it is, its licence, how its classes were matched."""
        about = {key: ", ".join(value) if isinstance(value, list) else value for key, value in facts[0].items()}
        titles = {"dropped": "classes dropped", "never_said": "classes it does not know"}
        rows = {titles.get(key, key): value or "none" for key, value in about.items()}
        return {"Somebody else's model": pd.DataFrame({self.title: rows}).rename_axis("about")}

    def _save(self, folder: Path) -> dict[str, Any]:
        """Write nothing: the model stays where it is."""
        return {}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        """Read nothing: settings say where the model is."""
