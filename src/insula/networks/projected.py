"""A classifier of pictures that also says where a picture stands among prototypes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from insula.networks.picture_classifier import PictureClassifier


class ProjectedClassifier(nn.Module):
    """A picture classifier, and a linear map of its features onto the sphere on which prototypes lie.

    Parameters
    ----------
    classifier : PictureClassifier
        Its pooled features are read twice.
    prototypes : tensor, shape (cells, width)
        Of unit length, frozen; cells may be 0.
    centres : tensor, shape (cells, 2)
        Valence and arousal of each.

    Examples
    --------
    >>> from insula.networks.backbones import create_backbone
    >>> classifier = PictureClassifier(create_backbone("test_resnet"), classes=7)
    >>> network = ProjectedClassifier(classifier, torch.eye(25, 32), torch.zeros(25, 2))
    >>> logits, unit = network(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    >>> logits.shape, unit.shape
    (torch.Size([2, 7]), torch.Size([2, 32]))
    """

    prototypes: torch.Tensor
    centres: torch.Tensor

    def __init__(self, classifier: PictureClassifier, prototypes: torch.Tensor, centres: torch.Tensor) -> None:
        super().__init__()
        self.classifier = classifier
        self.projection = nn.Linear(classifier.head.in_features, prototypes.shape[1], bias=False)
        self.register_buffer("prototypes", prototypes)
        self.register_buffer("centres", centres)

    def begin_epoch(self, epoch: int) -> None:
        """Pass on that an epoch begins."""
        self.classifier.begin_epoch(epoch)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits, (n, classes), and unit features, (n, width)."""
        features = self.classifier.embed(pictures)
        return self.classifier.head(features), functional.normalize(self.projection(features), dim=1)
