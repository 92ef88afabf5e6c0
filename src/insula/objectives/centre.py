"""Centre loss: the features of a class draw near their centre, which follows them.

Source: Wen, Zhang, Li, Qiao, "A discriminative feature learning approach for deep face recognition", ECCV 2016.
"""

from __future__ import annotations

import torch
from torch import nn


class CentreLoss(nn.Module):
    """Half the mean squared distance of features to the centre of their class.

    In training each batch then moves the centre of a class by `rate` times the sum of its distances to the class's n
    samples in the batch over n + 1, which steadies rare classes.

    Parameters
    ----------
    classes, width : int
        How many centres, and of how many numbers; they begin at zero.
    rate : float
        See above; 0.5 in the source.

    Examples
    --------
    >>> loss = CentreLoss(classes=2, width=2)
    >>> loss(torch.tensor([[3.0, 4.0]]), torch.tensor([1])).item()
    12.5
    >>> loss.centres.tolist()
    [[0.0, 0.0], [0.75, 1.0]]
    """

    centres: torch.Tensor

    def __init__(self, classes: int, width: int, rate: float = 0.5) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("centres", torch.zeros(classes, width))

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss of features (n, width) with classes (n,); in training, move the centres."""
        apart = features.float() - self.centres[labels]
        if self.training:
            with torch.no_grad():
                sums = torch.zeros_like(self.centres).index_add_(0, labels, apart.detach())
                count = labels.bincount(minlength=len(sums))[:, None]
                self.centres += self.rate * sums / (1 + count)
        return apart.square().sum(dim=1).mean() / 2
