"""A timm backbone and a linear head on pictures as they are stored: the plain face network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from insula.networks.backbones import standardised, usual_colours


class PictureClassifier(nn.Module):
    """Pictures to class logits: resized, standardised as the backbone wants it, its pooled features, a linear head.

    Parameters
    ----------
    backbone : Module
        From `insula.networks.backbones`, convolutional or a transformer; all of it is trained.
    classes : int
        Classes out.
    sizes : sequence of int
        Sides to which pictures are resized, one after the other while training goes on, equal numbers of epochs each;
        the last one is used ever after. Empty: pictures keep their size.
    epochs : int
        Over which the sizes are spread.

    Examples
    --------
    >>> from insula.networks.backbones import create_backbone
    >>> network = PictureClassifier(create_backbone("resnet10t"), classes=7, sizes=(32, 64), epochs=10)
    >>> network(torch.zeros(2, 3, 96, 96, dtype=torch.uint8)).shape
    torch.Size([2, 7])
    >>> network.begin_epoch(4), network.size, network.begin_epoch(5), network.size
    (None, 32, None, 64)
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, backbone: nn.Module, classes: int, sizes: Sequence[int] = (), epochs: int = 1) -> None:
        super().__init__()
        self.backbone, self.sizes, self.epochs = backbone.requires_grad_(True), tuple(sizes), epochs
        self.size = self.sizes[-1] if self.sizes else None
        # Some architectures have a layer between the last map and the classifier, which widens what the head reads.
        width = getattr(backbone, "head_hidden_size", None) or backbone.num_features
        self.head = nn.Linear(int(width), classes)  # type: ignore[arg-type]
        for name, values in zip(("mean", "deviation"), usual_colours(backbone), strict=True):
            self.register_buffer(name, values, persistent=False)

    def begin_epoch(self, epoch: int) -> None:
        """Take the size of pictures that this epoch trains on, counted from 0."""
        if self.sizes:
            self.size = self.sizes[min(epoch * len(self.sizes) // self.epochs, len(self.sizes) - 1)]

    def train(self, mode: bool = True) -> PictureClassifier:
        """Set training or evaluation; evaluation is on pictures of the last size."""
        super().train(mode)
        if not mode and self.sizes:
            self.size = self.sizes[-1]
        return self

    def embed(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return features, (n, width), of pictures (n, 3, height, width), RGB from 0 to 255."""
        return self.backbone(standardised(pictures, self.mean, self.deviation, self.size))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return logits, (n, classes)."""
        return self.head(self.embed(pictures))

    def settle(self, pictures: torch.Tensor) -> None:
        """Let a backbone whose normalisation came without statistics take them from these pictures."""
        self.backbone.settle(standardised(pictures, self.mean, self.deviation, self.size))  # type: ignore[operator]


class Probabilities(nn.Module):
    """What a picture network says, as `insula.networks.answer.Answer` wants it: pictures as they are stored in.

    Parameters
    ----------
    network : Module
        Pictures (n, 3, height, width) to logits.

    Examples
    --------
    >>> probabilities = Probabilities(nn.Flatten())
    >>> probabilities(torch.tensor([[[[0, 0, 4]]]], dtype=torch.float32))[0].round(decimals=2).tolist()
    [[0.02, 0.02, 0.96]]
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor]:
        """Return probabilities alone, float64 (n, classes), of pictures (n, height, width, 3), RGB from 0 to 255."""
        return (self.network(pictures.permute(0, 3, 1, 2)).double().softmax(dim=1),)


class ProbabilitiesOfViews(nn.Module):
    """The mean of what a picture network says of a picture, seen somewhat nearer and further, and of the mirror images.

    Parameters
    ----------
    network : PictureClassifier
        Pictures (n, 3, height, width) to logits; it resizes them to a side of its own.
    rims : sequence of int
        A view for each: so many pixels of the edge are cut off (below 0) or repeated outwards.
    """

    def __init__(self, network: Any, rims: Sequence[int]) -> None:
        super().__init__()
        self.network, self.rims = network, tuple(rims)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor]:
        """Return probabilities alone, float64 (n, classes), of pictures (n, height, width, 3), RGB from 0 to 255."""
        faces, size = pictures.permute(0, 3, 1, 2).float(), self.network.size
        views = [
            functional.pad(faces, (rim,) * 4, mode="replicate") if rim > 0 else
            faces[:, :, -rim : faces.shape[2] + rim, -rim : faces.shape[3] + rim]
            for rim in self.rims
        ]  # fmt: skip
        if size is not None:
            views = [functional.interpolate(view, (size, size), mode="bilinear", antialias=True) for view in views]
        both = torch.cat([*views, *(view.flip(3) for view in views)])  # in one pass: each layer stands once
        return (self.network(both).double().softmax(dim=1).unflatten(0, (2 * len(views), -1)).mean(dim=0),)


class FromBytes(nn.Module):
    """A network that reads pictures from 0 to 1, given them as they are stored, from 0 to 255."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return logits, (n, classes), of pictures (n, 3, height, width)."""
        logits: torch.Tensor = self.network(pictures.float() / 255)
        return logits
