"""What systems share whose one part is a torch network that reads pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from insula.emotions import Categorical
from insula.samples import Predictions, Samples, normalised_entropy
from insula.storage.folder import load_estimator, save_estimator
from insula.storage.settings import Settings
from insula.systems.base import System, TrainingData
from insula.systems.fitting import begin_with, labelled, training_pictures
from insula.systems.pictures import picture_groups, unique_pictures
from insula.systems.selective_prediction import SelectivePrediction
from insula.training.settings import Training

if TYPE_CHECKING:
    import torch
    from torch import nn

    from insula.networks.answer import Answer
    from insula.networks.picture_classifier import PictureClassifier
    from insula.training.engine import Loss

_BATCH = 64  # pictures read at a time outside of training
_LOOKED_AT = 4000  # training pictures from which it is learnt what is usual
_SLOW = 0.1  # of the learning rate, for what a pretrained backbone already knows

TINY: dict[str, Any] = {
    "backbone": "resnet10t",
    "sizes": (32,),
    "augment": False,
    "training": {"epochs": 12, "patience": 12, "batch_size": 16, "learning_rate": 2e-3, "schedule": "cosine"},
}
"""A network of seconds on toy pictures, whose mirror images are of another class, for the presets `tiny`."""


class PictureNetworkSettings(Settings):
    """How a network on pictures is built and trained.

    Parameters
    ----------
    backbone : str
        Any timm architecture.
    weights : str or None
        A safetensors file of the architecture, `download`, or `efficientnet-lite0-imagenet` for the backbone
        `tf_efficientnet_lite0`; with None it learns from random weights. What was pretrained learns at a tenth of the
        learning rate.
    sizes : tuple of int
        Sides to which pictures are resized: one, or several through which training goes in equal numbers of epochs,
        small ones first. Empty: as the corpus cuts them.
    augment : bool
        Whether training pictures are altered: mirrored, turned, cropped.
    label_smoothing : float
        Share of a label that is spread over all classes.
    silent_above : float
        Strangeness above which nothing is said of a picture.
    coverage : float
        How often a set of classes is promised to hold the label.
    training : Training
        Epochs, optimiser, device; the epoch is chosen on validation pictures, where there are any.
    seed : int
        Of the weights, the shuffling and the alterations.
    """

    modality: ClassVar = "picture"
    backbone: str = "resnet18"
    weights: str | None = None
    sizes: tuple[int, ...] = ()
    augment: bool = True
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    silent_above: float = 1.5
    coverage: float = Field(0.9, gt=0.5, lt=1)
    training: Training = Training(epochs=30, patience=8)
    seed: int = 0


class PictureNetwork(System):
    """A network on pictures; a subclass may change network, targets and loss.

    Pictures stay on disk until a batch asks for them: memory does not grow with the corpus. Answers are calibrated on
    the validation pictures, and nothing is said of a picture that is unlike those of the training.

    Parameters
    ----------
    settings : Settings, optional
        A `PictureNetworkSettings`.
    """

    Settings: ClassVar[type[PictureNetworkSettings]] = PictureNetworkSettings
    trains_on: ClassVar[tuple[str, ...]] = ("picture",)
    modes: ClassVar[Mapping[str, str]] = {"network": "network"}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"tiny": TINY}

    def _network(self, classes: int, *, pretrained: bool = True) -> nn.Module:
        """Return the untrained network: uint8 or float pictures (n, 3, height, width) in, logits (n, classes) out.

        Where `pretrained` is False its weights are about to be loaded.
        """
        from insula.networks.picture_classifier import PictureClassifier

        return self._of(PictureClassifier, classes, pretrained)

    def _of(self, kind: type[PictureClassifier], classes: int, pretrained: bool) -> PictureClassifier:
        """Return an untrained network of this kind on the backbone of the settings."""
        from insula.networks.backbones import create_backbone, load_backbone

        settings = self.settings
        begun = pretrained and settings.weights is not None
        backbone = load_backbone(settings.backbone, settings.weights) if begun else create_backbone(settings.backbone)
        return kind(backbone, classes, settings.sizes, settings.training.epochs)

    def _targets(self, pictures: Samples, task: Categorical) -> torch.Tensor:
        """Return what the loss compares outputs with, one row a picture."""
        import torch

        return torch.from_numpy(task.targets(pictures.table))

    def _loss(self, pictures: Samples, task: Categorical) -> Loss:
        """Return the loss for these training pictures; a Module may have buffers and `begin_epoch`."""
        from torch import nn

        return nn.CrossEntropyLoss(label_smoothing=self.settings.label_smoothing)

    # fitting ----------------------------------------------------------------------------------------------------------

    def _fit(self, data: TrainingData) -> None:
        """Train on labelled samples that have a picture, each picture once; the epoch is chosen on validation pictures.

        Raises
        ------
        DataError
            Where fewer than two classes are there to learn.
        """
        name = type(self).__name__.lower()
        pictures, held = self._pictures(data)
        self._train(pictures, held, data.before)
        self.log.record(name, pictures)
        self._look(pictures, held, dict.fromkeys(self.modes, self._probabilities(held)))
        if len(held):
            self.log.record(f"epoch and temperature of {name}", held, "selection")

    def _pictures(self, data: TrainingData) -> tuple[Samples, Samples]:
        """Return the labelled pictures to train on and those held out, each picture once."""
        validation = data.validation.select(data.validation.has("picture"))
        pictures, _ = unique_pictures(training_pictures(data.train, self.task))
        held, _ = unique_pictures(labelled(validation, self.task))
        return pictures, held

    def _look(self, pictures: Samples, held: Samples, probabilities: Mapping[str, np.ndarray]) -> None:
        """Learn what training pictures look like and, from the answers for those held out, how sure a mode may be."""
        some = np.random.default_rng(self.settings.seed).permutation(len(pictures))[:_LOOKED_AT]
        usual = pictures.select(np.sort(some))
        self.selective = SelectivePrediction(self.settings, usual, picture_groups(usual))
        self.log.record("strangeness", usual, "inputs")
        self.selective.calibrate(probabilities, self.task.targets(held.table))

    def _train(self, pictures: Samples, held: Samples, before: Any = None) -> None:
        """Train `self.network`, beginning with that of a saved system where there is one."""
        import torch

        from insula.networks.alterations import alter_pictures
        from insula.training.engine import train
        from insula.training.rows import PictureRows

        settings = self.settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = self._network(len(self.task.classes))
        if before:
            begin_with(self.network, before.network)
        trained = train(
            self.network,
            self._loss(pictures, self.task),
            PictureRows(pictures),
            self._targets(pictures, self.task),
            (PictureRows(held), self._targets(held, self.task)) if len(held) else None,
            settings.training,
            settings.seed,
            alter=alter_pictures if settings.augment else None,
            rates={"backbone.": _SLOW} if settings.weights is not None else {},
        )
        self.facts |= {**trained.facts(), "weights": sum(part.numel() for part in self.network.parameters())}

    # predicting -------------------------------------------------------------------------------------------------------

    def _predict(self, samples: Samples, mode: str) -> Predictions:
        """Return calibrated class probabilities, and for each picture how strange it is.

        Raises
        ------
        DataError
            Where a sample has no picture.
        """
        unique, place = unique_pictures(samples)
        raw, more = self._answers(mode, unique)
        probabilities, about = self.selective.speak(mode, raw, self.selective.strange(unique), self.task.classes)
        return Predictions.of(
            self.task.classes,
            probabilities[place],
            samples.ids,
            mode=mode,
            uncertainty=normalised_entropy(probabilities)[place],
            **{name: values[place] for name, values in (about | more).items()},
        )

    def _answers(self, mode: str, pictures: Samples) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the probabilities, (n, classes), that a mode gives pictures, and further columns of its answer."""
        return self._probabilities(pictures), {}

    def _probabilities(self, pictures: Samples) -> np.ndarray:
        return self._each(pictures, lambda batch: self.network(batch).double().softmax(dim=1), len(self.task.classes))

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return what the report draws: the features that the classifier reads."""
        unique, place = unique_pictures(samples)
        network: Any = self.network
        return {"visual": self._each(unique, network.embed, network.head.in_features)[place]}

    def _answering(self, mode: str) -> Answer:
        """Return what a bundle holds of a mode: pictures, uint8 (n, height, width, 3), to what is answered."""
        says, columns = self._saying(mode)
        return self.selective.answering(mode, says, columns)

    def _saying(self, mode: str) -> tuple[nn.Module, tuple[str, ...]]:
        """Return `_answers` as a module, and the names of its further columns."""
        from insula.networks.picture_classifier import Probabilities

        return Probabilities(self.network), ()

    def _each(self, pictures: Samples, of: Any, width: int) -> np.ndarray:
        """Return what a function gives of all pictures, batch by batch, (n, width)."""
        from insula.training.rows import PictureRows

        return PictureRows(pictures).each(of, _BATCH) if len(pictures) else np.empty((0, width))

    # saving -----------------------------------------------------------------------------------------------------------

    def _save(self, folder: Path) -> dict[str, Any]:
        from safetensors.torch import save_model

        save_model(self.network, str(folder / "network.safetensors"))
        save_estimator(folder / "selective.skops", self.selective.parts())
        return {}

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        from safetensors.torch import load_model

        self.network = self._network(len(self.task.classes), pretrained=False)
        load_model(self.network, folder / "network.safetensors")
        self.network.eval()
        self.selective = SelectivePrediction.of(load_estimator(folder / "selective.skops"), self.settings)
