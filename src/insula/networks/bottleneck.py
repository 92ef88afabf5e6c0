"""A backbone with a narrow layer on top, whose output is what a picture's features are (Long et al., ICML 2015)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from insula.errors import WeightsError
from insula.networks.backbones import create_backbone, feature_map, load_weights, picture_batches


class BottleneckNetwork(nn.Module):
    """A timm backbone, the mean of its last map, Linear + ReLU + Dropout, and a linear head.

    Parameters
    ----------
    backbone : Module
        From `insula.networks.backbones`; all of it is trained.
    width : int
        Of the bottleneck: 256 in the source of the form (Long et al., ICML 2015).
    classes : int
        Classes out.
    size : int, optional
        Side to which pictures are resized first.
    adversary : bool
        With `domain`, a classifier of features into labelled and target pictures, two hidden layers of 1024 (Ganin et
        al., JMLR 17, 2016); it is not needed after training.

    Examples
    --------
    >>> network = BottleneckNetwork(create_backbone("resnet10t"), width=16, classes=7)
    >>> logits, features = network(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    >>> logits.shape, features.shape
    (torch.Size([2, 7]), torch.Size([2, 16]))
    """

    def __init__(
        self,
        backbone: nn.Module,
        width: int,
        classes: int,
        size: int | None = None,
        adversary: bool = False,
    ) -> None:
        super().__init__()
        self.backbone, self.size = backbone.requires_grad_(True), size
        self.bottleneck = nn.Sequential(
            nn.Linear(int(backbone.num_features), width),  # type: ignore[arg-type]
            nn.ReLU(),
            nn.Dropout(0.5),
        )
        self.head = nn.Linear(width, classes)
        self.domain = _domain_classifier(width) if adversary else None

    def embed(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return features, (n, width), of pictures (n, 3, height, width), RGB from 0 to 255."""
        # A mean, and not adaptive pooling, whose gradient is not deterministic on a GPU.
        return self.bottleneck(feature_map(self.backbone, pictures, self.size).mean(dim=(2, 3)))

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits, (n, classes), and features, (n, width)."""
        features = self.embed(pictures)
        return self.head(features), features


class Embedded(nn.Module):
    """The features of a network in evaluation mode, of pictures as they are stored.

    Parameters
    ----------
    network : BottleneckNetwork
        Trained.
    """

    def __init__(self, network: BottleneckNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return features, (n, width), of pictures (n, height, width, 3), RGB from 0 to 255."""
        return self.network.embed(pictures.permute(0, 3, 1, 2))


def _domain_classifier(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(width, 1024), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(1024, 1),
    )  # fmt: skip


def load_bottleneck(name: str, path: Path, size: int | None = None) -> BottleneckNetwork:
    """Return a trained network from the safetensors file of its weights, for use and not for training.

    Parameters
    ----------
    name : str
        The timm architecture of the backbone.
    path : Path
        What `safetensors.torch.save_file` wrote of the network's state.
    size : int, optional
        Side to which pictures are resized first.

    Raises
    ------
    WeightsError
        Where there is no such file, or it holds another network.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WeightsError("no weight file", where=path, do="give the path of a safetensors file")
    try:
        with safe_open(path, framework="pt") as file:
            classes, width = file.get_slice("head.weight").get_shape()
    except (SafetensorError, ValueError) as error:
        raise WeightsError("this is no trained network", where=path, do=str(error).split("\n")[0]) from None
    network = BottleneckNetwork(create_backbone(name), width, classes, size)
    load_weights(network, path)
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def bottleneck_features(
    network: BottleneckNetwork,
    pictures: np.ndarray,
    alter: Callable[[torch.Tensor], torch.Tensor] | None = None,
    batch: int = 64,
) -> np.ndarray:
    """Return features of pictures, float32 (n, width).

    Parameters
    ----------
    network : BottleneckNetwork
        In evaluation mode.
    pictures : uint8 array, shape (n, height, width, 3)
        RGB.
    alter : callable, optional
        Alters pictures first, for example `insula.networks.alterations.alter_pictures`.
    batch : int
        Pictures at a time.
    """
    parts = [np.empty((0, network.head.in_features), np.float32)]
    for block in picture_batches(pictures, batch):
        parts.append(network.embed(alter(block) if alter else block).numpy())
    return np.concatenate(parts)
