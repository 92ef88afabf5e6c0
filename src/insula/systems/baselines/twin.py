"""Plain models and networks on one modality as a bundle holds them, in torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from insula.networks.grey import Grey
from insula.networks.linear_parts import Placed, Scaled


class Plain(nn.Module):
    """Features and a model, as `insula.networks.answer.Answer` wants them.

    Parameters
    ----------
    features : Module
        Pictures, (n, height, width, 3), or rows of another modality, to features.
    classifier : Module
        Features to probabilities, (n, classes), or to ratings, (n,).
    """

    def __init__(self, features: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.features, self.classifier = features, classifier

    def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor]:
        """Return float64 (n, classes), or (n,)."""
        return (self.classifier(self.features(rows)),)


class Doubting(nn.Module):
    """What a model of classes answers, and one less its largest probability: how unsure it is.

    Parameters
    ----------
    says : Module
        Rows to a tuple of probabilities, (n, classes), alone.
    """

    def __init__(self, says: nn.Module) -> None:
        super().__init__()
        self.says = says

    def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return float64 (n, classes) and (n,)."""
        (probabilities,) = self.says(rows)
        return probabilities, 1 - probabilities.max(dim=1).values


class Classes(nn.Module):
    """Logits, (n, classes), to probabilities, float64."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, classes)."""
        return logits.double().softmax(dim=1)


class Rating(nn.Module):
    """Numbers on [-1, 1], (n, 1), to ratings in a label's own units.

    Parameters
    ----------
    low, high : float
        The ends of the scale.

    Examples
    --------
    >>> Rating(1, 9)(torch.tensor([[0.5]])).tolist()
    [7.0]
    """

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.middle, self.reach = (low + high) / 2, (high - low) / 2

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return float64 (n,)."""
        return self.middle + numbers.double()[:, 0] * self.reach


class LogVariance(nn.Module):
    """Windows of signal, (n, channels, times), to the logarithm of each channel's variance, float64."""

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, channels)."""
        return (windows.double().var(dim=2, correction=0) + 1e-12).log()


class Constant(nn.Module):
    """One answer, whatever is shown.

    Parameters
    ----------
    row : array, shape (1, k)
        Probabilities of the learnt classes.
    codes : int array, shape (k,)
        Places of the learnt classes.
    classes : int
        How many there are in all.

    Examples
    --------
    >>> Constant(np.array([[0.25, 0.75]]), np.array([2, 0]), 3)(torch.zeros(2, 1)).tolist()
    [[0.75, 0.0, 0.25], [0.75, 0.0, 0.25]]
    """

    row: torch.Tensor

    def __init__(self, row: np.ndarray, codes: np.ndarray, classes: int) -> None:
        super().__init__()
        self.register_buffer("row", Placed(codes, classes)(torch.tensor(row)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, classes) of anything with n rows."""
        return self.row.expand(features.shape[0], -1)


def thumbnails(side: int) -> nn.Module:
    """Return pictures to grey thumbnails from 0 to 1, float64 (n, side * side)."""
    return nn.Sequential(Grey(side, "box"), nn.Flatten(), Scaled(np.zeros(1), np.full(1, 255.0)))


def plain_module(kind: str, side: int) -> nn.Module:
    """Return rows of a modality to what they show without any learning, (n, d), by the kind of their store."""
    return {"picture": thumbnails(side), "signal": LogVariance(), "audio": LogVariance()}.get(kind, nn.Flatten())
