"""Plain models on pictures as a bundle holds them, in torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from insula.networks.grey import Grey
from insula.networks.linear_parts import Placed, Scaled


class Plain(nn.Module):
    """Features and a classifier, as `insula.networks.answer.Answer` wants them.

    Parameters
    ----------
    features : Module
        Pictures, (n, height, width, 3), to features.
    classifier : Module
        Features to probabilities, (n, classes).
    """

    def __init__(self, features: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.features, self.classifier = features, classifier

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor]:
        """Return float64 (n, classes)."""
        return (self.classifier(self.features(pictures)),)


class Drawn(nn.Module):
    """Answers that were drawn before, given in turn whatever is shown.

    Parameters
    ----------
    rows : array, shape (m, k)
        Probabilities of the learnt classes; the first comes again after the last.
    codes : int array, shape (k,)
        Places of the learnt classes.
    classes : int
        How many there are in all.

    Examples
    --------
    >>> Drawn(np.eye(2), np.array([2, 0]), 3)(torch.zeros(3, 1)).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """

    rows: torch.Tensor

    def __init__(self, rows: np.ndarray, codes: np.ndarray, classes: int) -> None:
        super().__init__()
        self.register_buffer("rows", Placed(codes, classes)(torch.tensor(rows)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return float64 (n, classes) of anything with n rows."""
        return self.rows[torch.arange(features.shape[0], device=features.device) % len(self.rows)]


def thumbnails(side: int) -> nn.Module:
    """Return pictures to grey thumbnails from 0 to 1, float64 (n, side * side)."""
    return nn.Sequential(Grey(side, "box"), nn.Flatten(), Scaled(np.zeros(1), np.full(1, 255.0)))
