"""A small network that begins with what faces are, learns expressions from web pictures, and answers from one face.

It is what `insula predict` and `insula.recognise` use where no bundle is named; its card says how it was trained.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from insula.samples import Samples
from insula.storage.cache import Cache
from insula.storage.hashing import digest
from insula.systems.picture_network import TINY, PictureNetwork, PictureNetworkSettings
from insula.systems.pictures import pictures_digest
from insula.training.settings import Training

if TYPE_CHECKING:
    from torch import nn

    from insula.networks.picture_classifier import PictureClassifier

_SETTLED = 512  # training pictures from which normalisation takes its statistics


class CompactRecogniserSettings(PictureNetworkSettings):
    """The settings of `PictureNetworkSettings`, for few weights and many small, noisy pictures.

    Parameters
    ----------
    weights : str or None
        `dlib-faces`: begin with a network that tells people apart; None: with random weights.
    mixed : float
        Two pictures of a batch are laid over each other, and their labels with them, in half of the steps; their shares
        are drawn from a beta distribution of this parameter. 0: never.
    rims : tuple of int
        The answer is the mean of those for so many views of a face, and for their mirror images: of each view so many
        pixels of the edge are cut off (below 0) or repeated outwards. Empty: that for the face alone.
    balance : float
        A class counts in the loss by its frequency to the power of minus this: 0 as it comes, 1 all classes alike.
    """

    backbone: str = "face-resnet"
    weights: str | None = "dlib-faces"
    sizes: tuple[int, ...] = (96,)
    mixed: float = Field(0.2, ge=0)
    rims: tuple[int, ...] = (-3, 0, 3)
    balance: float = Field(0.25, ge=0, le=1)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    training: Training = Training(
        epochs=48, batch_size=64, learning_rate=8e-4, weight_decay=0.03, schedule="cosine", warm_up=2,
        gradient_clip=2.0, precision="bf16", channels_last=True, averaging=0.999, keep="last",
    )  # fmt: skip


class CompactRecogniser(PictureNetwork):
    """dlib's face network without its last blocks, trained further; a face and its mirror image count alike.

    An interrupted training goes on from its last epoch, and one that was finished on the same pictures with the same
    settings is not repeated.
    """

    Settings: ClassVar[type[PictureNetworkSettings]] = CompactRecogniserSettings
    modes: ClassVar[Mapping[str, str]] = {"network": "compact recogniser"}
    presets: ClassVar = {
        "tiny": {
            "weights": None,
            "sizes": (64,),
            "augment": False,
            "rims": (),
            "training": {**TINY["training"], "keep": "last", "averaging": 0.0},
        }
    }
    framing: ClassVar = "box"  # its pictures are cut by a detector, and so are those that it is shown

    def _network(self, classes: int, *, pretrained: bool = True) -> PictureClassifier:
        from insula.networks.face_resnet import DLIB_FACES, FaceResNet, load_dlib_faces
        from insula.networks.picture_classifier import PictureClassifier

        backbone = FaceResNet()
        if pretrained and self.settings.weights == DLIB_FACES:
            load_dlib_faces(backbone)
        return PictureClassifier(backbone, classes, self.settings.sizes, self.settings.training.epochs)

    def _train(self, pictures: Samples, held: Samples, before: Any = None) -> None:
        from safetensors.torch import load_model, save_model

        key = {
            "code": _code(),
            "settings": self.settings.model_dump(mode="json", exclude={"silent_above", "coverage", "rims"}),
            "classes": self.task.classes,
            "data": [pictures_digest(part) for part in (pictures, held)],
            "labels": [self.task.targets(part.table).tolist() for part in (pictures, held)],
        }

        def build(folder: Path, checkpoints: Path) -> None:
            network, facts = self._learn(pictures, held, checkpoints)
            save_model(network, str(folder / "network.safetensors"))
            (folder / "facts.json").write_text(json.dumps(facts))

        folder = Cache().resumable("compact-recogniser", key, build)
        self.network = self._network(len(self.task.classes), pretrained=False)
        load_model(self.network, folder / "network.safetensors")
        self.network.eval()
        self.facts |= json.loads((folder / "facts.json").read_text())

    def _learn(self, pictures: Samples, held: Samples, checkpoints: Path) -> tuple[PictureClassifier, dict[str, Any]]:
        """Train a network; return it and what its training did."""
        import torch

        from insula.systems.compact_recogniser.mixture import Mixture
        from insula.training.engine import train
        from insula.training.rows import PictureRows

        settings, rows, classes = self.settings, PictureRows(pictures), len(self.task.classes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = self._network(classes)
        if settings.weights is not None:
            network.settle(rows[torch.arange(0, len(rows), -(-len(rows) // _SETTLED))])
        labels = self._targets(pictures, self.task)
        shares = torch.bincount(labels, minlength=classes).clamp(min=1) / len(labels)
        mixture = Mixture(network, settings.mixed, settings.label_smoothing, shares**-settings.balance)
        trained = train(
            network,
            mixture,
            rows,
            labels,
            (PictureRows(held), self._targets(held, self.task)) if len(held) else None,
            settings.training,
            settings.seed,
            checkpoints,
            alter=mixture.alter if settings.augment else None,
        )
        return network, {**trained.facts(), "weights": sum(part.numel() for part in network.parameters())}

    def _probabilities(self, pictures: Samples) -> np.ndarray:
        says, _ = self._saying(next(iter(self.modes)))
        return self._each(pictures, lambda batch: says(batch.permute(0, 2, 3, 1))[0], len(self.task.classes))

    def _saying(self, mode: str) -> tuple[nn.Module, tuple[str, ...]]:
        from insula.networks.picture_classifier import Probabilities, ProbabilitiesOfViews

        rims = self.settings.rims
        return ProbabilitiesOfViews(self.network, rims) if rims else Probabilities(self.network), ()


def _code() -> str:
    """Return a hash of the code that decides what is learnt; what else changes leaves a trained network as it is."""
    from insula.networks import face_resnet, variations
    from insula.systems.compact_recogniser import mixture
    from insula.training import engine, loop, optimisers, samplers

    return digest(
        [inspect.getsource(module) for module in (face_resnet, variations, mixture, engine, loop, optimisers, samplers)]
    )
