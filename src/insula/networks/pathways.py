"""Two pathways from a picture: one that learns concepts of emotions and how sure they are, one that only perceives.

Source: the networks of concept-regularised face perception (CRPN, AAAI 2024).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from insula.networks.picture_classifier import PictureClassifier

_HIDDEN = 128  # of a classifier


class Encoder(PictureClassifier):
    """A backbone and a perceptron: pictures to features of unit length.

    Parameters
    ----------
    backbone : Module
        From `insula.networks.backbones`.
    width : int
        Of the features.
    dropout : float
        Inside the perceptron.
    sizes, epochs
        As `PictureClassifier` has them.
    """

    def __init__(
        self, backbone: nn.Module, width: int, dropout: float, sizes: tuple[int, ...] = (), epochs: int = 1
    ) -> None:
        super().__init__(backbone, width, sizes, epochs)
        self.projection = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return features, (n, width), each of length 1."""
        return functional.normalize(self.projection(super().forward(pictures)), dim=1)


class FrozenEncoder(Encoder):
    """An encoder whose backbone does not learn, not even means and deviations; its perceptron does."""

    def __init__(
        self, backbone: nn.Module, width: int, dropout: float, sizes: tuple[int, ...] = (), epochs: int = 1
    ) -> None:
        super().__init__(backbone, width, dropout, sizes, epochs)
        self.backbone.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Set training or evaluation, of the perceptron alone."""
        super().train(mode)
        self.backbone.eval()
        return self


class CosineClassifier(nn.Linear):
    """Logits that are cosines between features and a direction for each class, times a fixed scale.

    Neither weights nor features can make a logit larger than the scale: what is said of a picture is a direction alone.

    Parameters
    ----------
    width, classes : int
        Features in, classes out.
    scale : float
        The largest logit.

    Examples
    --------
    >>> logits = CosineClassifier(4, 3, scale=10.0)(1000 * torch.randn(20, 4))
    >>> bool(logits.abs().max() <= 10)
    True
    """

    def __init__(self, width: int, classes: int, scale: float) -> None:
        super().__init__(width, classes, bias=False)
        self.scale = scale

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits, (n, classes), of features, (n, width)."""
        directions = functional.normalize(self.weight, dim=1)
        return self.scale * functional.linear(functional.normalize(features, dim=1), directions)


class Concept(NamedTuple):
    """What the conceptual pathway says of n pictures.

    Parameters
    ----------
    features : tensor, shape (n, width)
        Of unit length.
    confidence : tensor, shape (n,)
        0 to 1.
    logits : tensor, shape (n, classes)
        Before the confidence multiplies them.
    """

    features: torch.Tensor
    confidence: torch.Tensor
    logits: torch.Tensor

    @property
    def scaled(self) -> torch.Tensor:
        """The logits, multiplied by the confidence, (n, classes)."""
        return self.confidence[:, None] * self.logits


class Perceived(NamedTuple):
    """What the perceptual pathway says of pictures: `features`, (n, width), of unit length; `logits`, (n, classes)."""

    features: torch.Tensor
    logits: torch.Tensor


class Percept(nn.Module):
    """The perceptual pathway: an encoder and a classifier; logits out.

    Parameters
    ----------
    encoder : Encoder
        From pictures to features.
    width, classes : int
        Of the features; classes out.
    """

    def __init__(self, encoder: Encoder, width: int, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier: nn.Module = nn.Sequential(nn.Linear(width, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, classes))

    def begin_epoch(self, epoch: int) -> None:
        """Pass on that an epoch begins."""
        self.encoder.begin_epoch(epoch)

    def embed(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return features, (n, width), of unit length."""
        return self.encoder(pictures)

    def perceive(self, pictures: torch.Tensor) -> Perceived:
        """Return features and logits."""
        features = self.encoder(pictures)
        return Perceived(features, self.classifier(features))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return logits, (n, classes)."""
        return self.perceive(pictures).logits


class EmotionBranch(Percept):
    """The half of the conceptual pathway that predicts: the confidence multiplies the logits.

    Parameters
    ----------
    encoder, width, classes
        As of `Percept`.
    confident : bool
        Whether there is a confidence; else it is 1 for every picture.
    scale : float, optional
        That of a `CosineClassifier`, which then takes the place of the perceptron.
    bent : bool
        Whether the confidence is a perceptron with a hidden layer instead of one linear layer. Features of a class lie
        close together on a sphere, and one plane cannot part what lies between two classes from what lies within them.
    """

    def __init__(
        self,
        encoder: Encoder,
        width: int,
        classes: int,
        *,
        confident: bool = True,
        scale: float | None = None,
        bent: bool = False,
    ) -> None:
        super().__init__(encoder, width, classes)
        if scale is not None:
            self.classifier = CosineClassifier(width, classes, scale)
        self.confidence = (_bent(width) if bent else nn.Linear(width, 1)) if confident else None

    def conceive(self, pictures: torch.Tensor) -> Concept:
        """Return features, confidence and logits."""
        features, logits = self.perceive(pictures)
        if self.confidence is None:
            return Concept(features, torch.ones_like(logits[:, 0]), logits)
        return Concept(features, self.confidence(features)[:, 0].sigmoid(), logits)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return logits, (n, classes), multiplied by the confidence."""
        return self.conceive(pictures).scaled


def _bent(width: int) -> nn.Module:
    """Return a perceptron from features of unit length, brought to unit variance first, to a number."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))


class ConceptualPathway(nn.Module):
    """The teacher: an emotion branch, and an encoder of what is not emotion, frozen but for its perceptron.

    Parameters
    ----------
    emotion : EmotionBranch
        What predicts.
    other : FrozenEncoder
        What the emotion features are kept apart from.
    """

    def __init__(self, emotion: EmotionBranch, other: FrozenEncoder) -> None:
        super().__init__()
        self.emotion, self.other = emotion, other

    def begin_epoch(self, epoch: int) -> None:
        """Pass on that an epoch begins."""
        self.emotion.begin_epoch(epoch)
        self.other.begin_epoch(epoch)

    def forward(self, pictures: torch.Tensor) -> tuple[Concept, torch.Tensor]:
        """Return what the emotion branch says, and the features of the other encoder, (n, width)."""
        return self.emotion.conceive(pictures), self.other(pictures)


class Taught(nn.Module):
    """A perceptual pathway beside the frozen branch that it learns from: both see the same altered picture.

    Parameters
    ----------
    percept : Percept
        What learns.
    teacher : EmotionBranch
        What does not.
    """

    def __init__(self, percept: Percept, teacher: EmotionBranch) -> None:
        super().__init__()
        self.percept, self.teacher = percept, teacher.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Taught:
        """Set training or evaluation, of the perceptual pathway alone."""
        super().train(mode)
        self.teacher.eval()
        return self

    def begin_epoch(self, epoch: int) -> None:
        """Pass on that an epoch begins."""
        self.percept.begin_epoch(epoch)

    def forward(self, pictures: torch.Tensor) -> tuple[Perceived, Concept]:
        """Return what the perceptual pathway says, and what the teacher does."""
        with torch.no_grad():
            taught = self.teacher.conceive(pictures)
        return self.percept.perceive(pictures), taught
