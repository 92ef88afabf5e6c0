"""Maps from one network's features to another's: to a width that its head reads, and onto the unit sphere."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def adapter(inputs: int, outputs: int = 128) -> nn.Sequential:
    """Return a small network from features of one width to features of another.

    Examples
    --------
    >>> adapter(32)(torch.zeros(4, 32)).shape
    torch.Size([4, 128])
    """
    return nn.Sequential(nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.GELU(), nn.Linear(outputs, outputs))


class UnitProjection(nn.Linear):
    """A linear map whose results, (n, outputs), have the length 1; only a row of zeros keeps the length 0.

    Examples
    --------
    >>> UnitProjection(128, 128)(torch.ones(2, 128)).norm(dim=1).round(decimals=4).tolist()
    [1.0, 1.0]
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the direction of the map of each feature."""
        return functional.normalize(super().forward(features), dim=1)
