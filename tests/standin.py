"""A small system that predicts from pictures and can be exported, for tests of bundles: untrained, and quick."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from insula.emotions import Categorical
from insula.samples import ArrayStore, Description, Predictions, Samples, provenance
from insula.samples.predictions import join_sets
from insula.storage.folder import MANIFEST, seal
from insula.storage.settings import Settings
from insula.systems.base import System, TrainingData

CLASSES = ("anger", "happiness", "neutral")
SIZE = 32


class StandInSettings(Settings):
    """Its limits."""

    coverage: float = 0.9
    silent_above: float = 1000.0


class Answering(nn.Module):
    """Pictures to probabilities, a column, and a set of classes; some of it in a network, some not."""

    inputs, jumps = ("picture",), False

    def __init__(self, width: int, brightness: float) -> None:
        super().__init__()
        self.outputs = ("probabilities", "out_of_distribution", "admitted")
        self.network = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, stride=2),
            nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, len(CLASSES)),
        )  # fmt: skip
        self.brightness = brightness
        self.register_buffer("directions", torch.randn(3, 3))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = pictures.permute(0, 3, 1, 2).float() / 255
        probabilities = (8 * self.network(given - self.brightness)).softmax(dim=1)
        strange = (given.mean(dim=(2, 3)) @ self.directions).square().sum(dim=1)
        best = probabilities.argmax(dim=1, keepdim=True) == torch.arange(len(CLASSES))
        return probabilities, strange, (probabilities >= 0.3) | best


class StandIn(System):
    """A fitted system.

    Parameters
    ----------
    width : int
        Of its network.
    off : mapping of str to float
        What `predict` adds to an output by name, so that it says something else than the graph.
    """

    Settings: ClassVar = StandInSettings
    trains_on: ClassVar = ("picture",)
    modes: ClassVar[Mapping[str, str]] = {"bright": "as it is", "dark": "darker", "brain": "not in a bundle"}
    not_bundled: ClassVar = ("brain",)

    def __init__(self, width: int = 16, off: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.task = Categorical(label="emotion", classes=CLASSES)
        self.off = dict(off or {})
        torch.manual_seed(0)
        self.answers = {mode: Answering(width, place).eval() for mode, place in (("bright", 0.5), ("dark", 0.3))}

    def _fit(self, data: TrainingData) -> None:
        raise NotImplementedError

    def _save(self, folder: Path) -> dict[str, Any]:
        raise NotImplementedError

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        raise NotImplementedError

    def _answering(self, mode: str) -> nn.Module:
        return self.answers[mode]

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        with torch.inference_mode():
            answer = self.answers[mode](torch.from_numpy(np.asarray(samples.read("picture"))))
        probabilities, strange, admitted = (part.numpy() for part in answer)
        return Predictions.of(
            CLASSES,
            probabilities + self.off.get("probabilities", 0),
            samples.ids,
            out_of_distribution=strange + self.off.get("out_of_distribution", 0),
            set=join_sets(admitted ^ bool(self.off.get("admitted", 0)), CLASSES),
        )


@contextmanager
def quiet_exports(cache: Path) -> Iterator[None]:
    """Give systems a cache of the tests' own, and keep what the exporter says out of their output."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("INSULA_CACHE", str(cache))
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        yield
        logging.disable(logging.NOTSET)


def pictured(count: int = 24, seed: int = 0, size: int = SIZE) -> Samples:
    """Return samples with pictures of random blotches, and a label each."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 4, 4, 3), np.uint8)
    values = coarse.repeat(size // 4, axis=1).repeat(size // 4, axis=2)
    table = provenance(corpus="blotches", stimulus=[str(number) for number in range(count)])
    store = ArrayStore(values, Description(kind="picture", axes=("row", "column", "colour")))
    labels = np.array(CLASSES, object)[rng.integers(0, len(CLASSES), count)]
    return Samples(table.assign(emotion=labels), {}).with_modality("picture", "blotches", store, range(count))


def reseal(folder: Path, **changes: Any) -> None:
    """Seal a bundle anew, as whoever can rewrite all of it may; a change to None takes the entry away."""
    about = json.loads((folder / MANIFEST).read_text())
    about = {name: value for name, value in about.items() if name not in ("files", "sha256")} | changes
    seal(folder, **{name: value for name, value in about.items() if value is not None})
