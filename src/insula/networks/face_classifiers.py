"""Picture classifiers that tell, while they are trained, more than logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from insula.networks.picture_classifier import PictureClassifier


class ShowsFeatures(PictureClassifier):
    """A picture classifier that gives logits and features in training, logits alone in evaluation."""

    def forward(self, pictures: torch.Tensor) -> Any:
        """Return logits, (n, classes), and in training features, (n, width)."""
        features = self.embed(pictures)
        logits = self.head(features)
        return (logits, features) if self.training else logits


class Confident(PictureClassifier):
    """A picture classifier whose logits are multiplied by a confidence from 0 to 1, which it learns beside them.

    Parameters
    ----------
    backbone, classes, sizes, epochs
        As of `PictureClassifier`.

    References
    ----------
    Wang, Peng, Yang, Lu, Qiao, "Suppressing uncertainties for large-scale facial expression recognition", CVPR 2020.
    """

    def __init__(self, backbone: nn.Module, classes: int, sizes: Sequence[int] = (), epochs: int = 1) -> None:
        super().__init__(backbone, classes, sizes, epochs)
        self.attention = nn.Linear(self.head.in_features, 1)

    def confidence(self, features: torch.Tensor) -> torch.Tensor:
        """Return the confidence, (n,), of features (n, width)."""
        return self.attention(features)[:, 0].sigmoid()

    def forward(self, pictures: torch.Tensor) -> Any:
        """Return weighted logits, (n, classes), and in training confidences, (n,)."""
        features = self.embed(pictures)
        confidence = self.confidence(features)
        logits = self.head(features) * confidence[:, None]
        return (logits, confidence) if self.training else logits
