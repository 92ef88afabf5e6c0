"""Knowing when not to answer: strange pictures, calibrated probabilities, sets that keep a promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from insula.faces.shading import shading_features
from insula.samples import Samples
from insula.samples.predictions import join_sets
from insula.systems.pictures import PictureReader, PictureSettings
from insula.training.calibration import Calibration, calibrate
from insula.training.strangeness import Strangeness

if TYPE_CHECKING:
    from torch import nn

    from insula.networks.answer import Answer


class Limits(Protocol):
    """What `SelectivePrediction` reads of a system's settings."""

    @property
    def silent_above(self) -> float:
        """Strangeness above which nothing is said."""

    @property
    def coverage(self) -> float:
        """How often a set is promised to hold the label."""


class SelectivePrediction:
    """What a system that reads pictures knows of its limits.

    How strange a picture is does not depend on the backbone: it is measured on gradients and shading, which a network
    trained on these pictures cannot have bent.

    Parameters
    ----------
    settings : Limits
        The system's settings: limits, and the promised coverage.
    pictures : Samples
        The training pictures, each once.
    groups : array, shape (n,)
        Whose faces they show.
    """

    def __init__(self, settings: Limits, pictures: Samples, groups: np.ndarray) -> None:
        self.settings = settings
        self.strangeness = Strangeness(_appearance(pictures), groups)
        self.calibrations: dict[str, Calibration] = {}

    def strange(self, pictures: Samples) -> np.ndarray:
        """Return how strange pictures are, float64 (n,): 1 is stranger than 95 % of held-out training pictures."""
        return self.strangeness(_appearance(pictures))

    def calibrate(self, probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
        """Fit a temperature and a set's threshold for each mode.

        Parameters
        ----------
        probabilities : mapping of str to array, shape (n, classes)
            Probabilities for validation pictures by mode; n may be 0.
        labels : int array, shape (n,)
            Class codes of these pictures.
        """
        coverage = self.settings.coverage
        self.calibrations = {mode: calibrate(given, labels, coverage) for mode, given in probabilities.items()}

    def forget(self, *modes: str) -> None:
        """Take back what was promised for modes whose classifier has changed since."""
        self.calibrations = {mode: calibration for mode, calibration in self.calibrations.items() if mode not in modes}

    def speak(
        self, mode: str, probabilities: np.ndarray, strange: np.ndarray, classes: tuple[str, ...]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return calibrated probabilities and the columns of `Predictions` that go with them.

        A mode that was not calibrated keeps its probabilities and promises no set.

        Parameters
        ----------
        mode : str
            As asked for.
        probabilities : array, shape (n, classes)
            As the classifiers give them.
        strange : array, shape (n,)
            From `strange`.
        classes : tuple of str
            Names of the classes.
        """
        columns = {"out_of_distribution": strange, "reason": self._reasons(strange)}
        calibration = self.calibrations.get(mode)
        if calibration is None:
            return probabilities, columns
        return calibration.temper(probabilities), columns | {
            "temperature": np.full(len(strange), calibration.temperature),
            "set": join_sets(calibration.sets(probabilities), classes),
            "set_coverage": np.full(len(strange), self.settings.coverage),
        }

    def answering(
        self, mode: str, says: nn.Module, columns: Sequence[str] = (), kind: type[Answer] | None = None
    ) -> Answer:
        """Return what a bundle holds of a mode: `strange` and `speak` around what is said, in torch.

        Parameters
        ----------
        mode : str
            As in `speak`.
        says, columns
            As `insula.networks.answer.Answer` has them.
        kind : type, optional
            A subclass of `Answer`.
        """
        from insula.networks.answer import Answer
        from insula.networks.gradient_histograms import GradientHistograms
        from insula.networks.shading import Shading

        usual = self.strangeness.as_module([GradientHistograms(), Shading()])
        calibration = self.calibrations.get(mode)
        limits = {} if calibration is None else asdict(calibration)
        return (kind or Answer)(says, usual, columns=columns, **limits)

    def _reasons(self, strange: np.ndarray) -> np.ndarray:
        limit = self.settings.silent_above
        words = "this picture is unlike the training pictures: strangeness {:.1f}, limit {:.1f}"
        return np.array([words.format(value, limit) if value > limit else "" for value in strange], object)

    def parts(self) -> dict[str, Any]:
        """Return what `of` rebuilds it from, beside the settings."""
        calibrations = {mode: asdict(calibration) for mode, calibration in self.calibrations.items()}
        return {"strangeness": self.strangeness.parts(), "calibrations": calibrations}

    @classmethod
    def of(cls, parts: Mapping[str, Any], settings: Limits) -> Self:
        """Rebuild a saved one."""
        selective = cls.__new__(cls)
        selective.settings = settings
        selective.strangeness = Strangeness.of(parts["strangeness"])
        selective.calibrations = {mode: Calibration(**values) for mode, values in parts["calibrations"].items()}
        return selective


def _appearance(pictures: Samples) -> list[np.ndarray]:
    return [PictureReader(PictureSettings()).features(pictures), shading_features(pictures.read("picture"))]
