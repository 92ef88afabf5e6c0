"""mdJPT: an encoder pre-trained on many corpora without labels, then used on another with few labels or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from insula.emotions import LabelTask, label_map
from insula.errors import DataError, LabelError, SettingsError
from insula.samples import Predictions, Samples, normalised_entropy
from insula.systems.base import System, TrainingData
from insula.systems.fitting import labelled
from insula.systems.mdjpt.settings import Encoder, HeadTraining, MdJPTSettings
from insula.training.settings import Pretraining

MONTAGE_19 = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3", "Pz", "P4", "P8", "O1", "O2",
)  # fmt: skip
"""The 10-20 system without ears."""

_SHARPNESS = 0.1  # what cosines to prototypes are divided by before they become probabilities


class MdJPT(System):
    """An encoder of raw EEG that learns without labels, and classifiers on its features.

    Pre-training makes the same of two people at the same second of a clip, and gives all corpora one covariance. Then
    the encoder is frozen.

    Parameters
    ----------
    settings : MdJPTSettings
        The encoder, its pre-training, and how it is used.

    References
    ----------
    Zhang, Zhong, Li, Shen and Liu (2025), Multi-dataset joint pre-training of emotional EEG enables generalizable
    affective computing, NeurIPS, arXiv 2510.22197.
    """

    Settings: ClassVar = MdJPTSettings
    trains_on: ClassVar = ("eeg",)
    learns: ClassVar = LabelTask
    modes: ClassVar[Mapping[str, str]] = {
        "few-shot": "classifier on labelled people",
        "nearest": "nearest windows of labelled people (shares clips)",
        "nearest-other-clips": "nearest windows of labelled people and other clips",
        "prototypes": "prototypes of the other corpora, no label of this one",
    }
    placebos: ClassVar[Mapping[str, str]] = {
        "untrained": "the same encoder with random weights",
        "without-people": "pre-trained without alignment between people",
        "without-corpora": "pre-trained without alignment between corpora",
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {
            "encoder": Encoder(
                montage=MONTAGE_19, stride=12, width=32, blocks=1, heads=4, hidden=64, features=8, projected=16,
                filters=16, dilations=(1, 2, 4), attention_kernel=7, pooling=3,
            ),
            "clips": 24,
            "pretraining": Pretraining(epochs=6, steps=100, learning_rate=3e-3),
            "head": HeadTraining(epochs=60, batch_size=64, keep="best", patience=10, learning_rate=1e-3),
        },
        "tiny": {
            "encoder": Encoder(
                montage=("Fz", "Cz", "Pz", "C3", "C4"), width=8, blocks=1, heads=2, hidden=16, features=4, projected=6,
                filters=8, dilations=(1, 3), attention_kernel=3, pooling=3,
            ),
            "pretraining": Pretraining(epochs=1, steps=3),
            "head": HeadTraining(epochs=12, batch_size=16, learning_rate=3e-3),
            "pretrain_on": "all", "pairs": "same-clip", "smoothing": "none", "online": False, "fewest": 2,
        },
    }  # fmt: skip
    not_bundled: ClassVar = tuple(modes)  # they take neighbours of a trial, or labelled people
    embeds: ClassVar = True

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._remembered: tuple[Samples, np.ndarray] | None = None
        modes = dict(type(self).modes)
        if self.settings.source_label is None:
            del modes["prototypes"]
        if self.settings.pairs == "same-condition":  # nobody shares a clip
            del modes["nearest-other-clips"]
            modes["nearest"] = modes["nearest"].removesuffix(" (shares clips)")
        self.modes = modes  # type: ignore[misc]

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """The modality that the encoder reads."""
        return (self.settings.modality,)

    @property
    def target_access(self) -> str:
        """`unlabelled`, unless what normalises is known before: the test inputs tell their own moments."""
        return "none" if self.settings.normalise == "source" else "unlabelled"

    def _settings_of(self, placebo: str) -> MdJPTSettings:
        untrained = self.settings.pretraining.model_copy(update={"epochs": 0})
        changes: dict[str, dict[str, Any]] = {
            "untrained": {"pretraining": untrained},
            "without-people": {"contrast_weight": 0.0},
            "without-corpora": {"covariance_weight": 0.0},
        }
        return self.settings.model_copy(update={"weights": None, **changes[placebo]})

    # learning ---------------------------------------------------------------------------------------------------------

    def _fit(self, data: TrainingData) -> None:
        """Pre-train without labels, or read what was; then learn from labelled people.

        Raises
        ------
        DataError
            Where nothing is there to pre-train on, or fewer than two classes are labelled.
        """
        from insula.systems.mdjpt.encoding import finished, first_moments
        from insula.systems.mdjpt.head import trained_classifier
        from insula.systems.mdjpt.windows import Windows

        task, settings, self._remembered = self.task, self.settings, None
        everyone = data.train.select(data.train.has(settings.modality))
        own = labelled(everyone, task)
        if len(np.unique(task.targets(own.table))) < 2:
            what = f"{len(own)} labelled training windows of fewer than two classes"
            raise DataError(what, where=task.label, do="give labelled samples of at least two classes")
        Windows(everyone, settings.modality, settings.encoder.montage)  # refuses what cannot be read together
        self.encoder = self._encoder(self._to_pretrain_on(everyone, own))
        raw = self._encoded(own)
        self.first = first_moments(raw, own)
        self.gallery = finished(raw, own, settings, self.first)
        self.labels = task.targets(own.table).astype(np.int64)
        self.clips = _clips(own)
        held = labelled(data.validation.select(data.validation.has(settings.modality)), task)
        features = (
            finished(self._encoded(held), held, settings, self.first) if len(held) else np.empty((0, 1), np.float32)
        )
        validation = features, task.targets(held.table).astype(np.int64)
        head = self.gallery, self.labels, validation, len(task.classes), settings.head, settings.seed
        self.head, trained = trained_classifier(*head)
        self.facts = {**trained.facts(), **self.encoder.facts, "labelled windows": len(own)}
        self.prototypes = self._prototypes(everyone)
        self.log.record("classifier", own)
        if len(held) and settings.head.keep == "best":
            self.log.record("epoch of classifier", held, "selection")

    def _to_pretrain_on(self, everyone: Samples, own: Samples) -> Samples:
        """Return what is pre-trained on."""
        settings = self.settings
        chosen = everyone
        if settings.pretrain_on == "other-corpora":
            other = ~everyone.table["corpus"].isin(own.table["corpus"].unique()).to_numpy()
            chosen = everyone.select(other)
            if not other.any() and settings.weights is None:
                what = "every corpus of the training part is labelled: there is no other one to pre-train on"
                do = "set system.pretrain_on=all, give system.weights, or join a corpus without this label"
                raise DataError(what, where="system.pretrain_on", do=do)
        if settings.condition not in (None, *chosen.table):
            what = f"no column {settings.condition!r}"
            raise SettingsError(what, where="system.condition", do="name a column of conditions")
        return chosen

    def _encoder(self, samples: Samples) -> Any:
        """Return the encoder that a folder holds, or one pre-trained on these samples."""
        from insula.systems.mdjpt.pretrained import pretrained

        if self.settings.weights is None:
            if self.settings.pretraining.epochs:
                use: Any = "labels" if self.settings.pairs == "same-condition" else "inputs"
                self.log.record("encoder", samples, use)
            return pretrained(samples, self.settings)
        saved = type(self).load(self.settings.weights)
        if saved.settings.encoder != self.settings.encoder:
            what, do = "these are weights of another encoder", "give the same system.encoder, or pre-train"
            raise SettingsError(what, where=self.settings.weights, do=do)
        return saved.encoder

    def _prototypes(self, everyone: Samples) -> np.ndarray:
        """Return the mean direction of each class among labelled windows of other corpora, (classes, width) or empty.

        Raises
        ------
        LabelError
            Where their labels lack a class of the task.
        """
        from insula.systems.mdjpt.encoding import finished

        column, classes = self.settings.source_label, self.task.classes
        if column is None:
            return np.empty((0, 0), np.float32)
        if column not in everyone.table:
            raise SettingsError(f"no column {column!r}", where="source_label", do="name a column with their labels")
        given = sorted(map(str, everyone.table[column].dropna().unique()))
        names = everyone.table[column].map(label_map(given, classes, drop=given))  # happy is happiness
        lacking = [name for name in classes if name not in set(names.dropna())]
        if lacking:
            do = f"name the classes alike: they are {', '.join(given)}"
            raise LabelError(f"no window of the other corpora is labelled {lacking[0]}", where=column, do=do)
        others = everyone.with_columns(**{column: names}).select(names.notna().to_numpy())
        features = finished(self._encoded(others), others, self.settings, self.first)
        self.log.record("prototypes", others)
        unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
        return pd.DataFrame(unit).groupby(others.table[column].to_numpy()).mean().loc[list(classes)].to_numpy()

    def _encoded(self, samples: Samples) -> np.ndarray:
        from insula.systems.mdjpt.encoding import encoded

        return encoded(self.encoder, samples, self.settings)

    # predicting -------------------------------------------------------------------------------------------------------

    def embed(self, samples: Samples) -> np.ndarray:
        """Return the encoder's features, (n, width), float32: normalised by session, before anything else."""
        return self._encoded(samples)

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return what the encoder says, and the same as classifiers get it."""
        from insula.systems.mdjpt.encoding import finished

        encoded = self._encoded(samples)
        return {"encoder": encoded, "as classified": finished(encoded, samples, self.settings, self.first)}

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        import torch

        from insula.systems.mdjpt.encoding import finished, nearest_votes

        if not len(samples):
            return Predictions.of(self.task.classes, np.empty((0, len(self.task.classes))), samples.ids)
        if self._remembered is None or self._remembered[0] is not samples:  # modes are asked for one after the other
            self._remembered = samples, finished(self._encoded(samples), samples, self.settings, self.first)
        features = self._remembered[1]
        if mode == "few-shot":
            with torch.inference_mode():
                probabilities = self.head(torch.from_numpy(features)).double().softmax(dim=1).numpy()
        elif mode == "prototypes":
            lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in (features, self.prototypes)]
            alike = (features / np.maximum(lengths[0], 1e-12)) @ (self.prototypes / lengths[1]).T
            powers = np.exp((alike - alike.max(axis=1, keepdims=True)) / _SHARPNESS)
            probabilities = powers / powers.sum(axis=1, keepdims=True)
        else:
            apart = (_clips(samples), self.clips) if mode == "nearest-other-clips" else ()
            about = self.gallery, self.labels, len(self.task.classes), self.settings.neighbours
            probabilities = nearest_votes(features, *about, apart)
        uncertainty = normalised_entropy(probabilities)
        return Predictions.of(self.task.classes, probabilities, samples.ids, uncertainty=uncertainty)

    def embedding(self) -> Any:
        """Return what a bundle embeds with.

        Raises
        ------
        SettingsError
            Where the encoder is one of mdJPT's predecessors.
        """
        from insula.systems.mdjpt.bundle import Embedding

        return Embedding(self.encoder, self.settings)

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        import torch
        from safetensors.torch import save_file

        kept = {"gallery": self.gallery, "labels": self.labels, "prototypes": self.prototypes}
        kept |= {"mean": self.first[0], "variance": self.first[1]}
        arrays = {name: torch.from_numpy(np.array(value)) for name, value in kept.items()}
        save_file(arrays, folder / "features.safetensors")
        save_file(self.head.state_dict(), folder / "classifier.safetensors")
        return {**self.encoder.save(folder), "clips": self.clips.tolist()}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        from safetensors.torch import load_file, load_model

        from insula.systems.mdjpt.head import classifier
        from insula.systems.mdjpt.pretrained import Pretrained

        arrays = {name: value.numpy() for name, value in load_file(folder / "features.safetensors").items()}
        self.gallery, self.labels, self.prototypes = (arrays[name] for name in ("gallery", "labels", "prototypes"))
        self.first, self.clips = (arrays["mean"], arrays["variance"]), np.array(about["clips"])
        self.encoder = Pretrained.load(folder, self.settings, about)
        self.head = classifier(self.gallery.shape[1], len(self.task.classes))
        load_model(self.head, folder / "classifier.safetensors")
        self.head.eval()


def _clips(samples: Samples) -> np.ndarray:
    """Return which clip each window shows, text (n,): its stimulus or, where none is named, its trial."""
    clips = samples.table["stimulus"].fillna(samples.table["trial"])
    return (samples.table["corpus"].astype(str) + "/" + clips.astype(str)).to_numpy(str)
