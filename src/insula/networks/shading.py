"""Where a picture is light and where dark, as `insula.faces.shading` says it, in torch."""

from __future__ import annotations

import torch
from torch import nn

from insula.faces.shading import FLAT
from insula.networks.grey import Grey


class Shading(nn.Module):
    """Pictures to the grey levels of coarse cells without mean and contrast.

    Parameters
    ----------
    cells : int
        Along a side.

    Examples
    --------
    >>> Shading(cells=2)(torch.zeros(1, 8, 8, 3, dtype=torch.uint8)).tolist()
    [[0.0, 0.0, 0.0, 0.0]]
    """

    def __init__(self, cells: int = 16) -> None:
        super().__init__()
        self.grey = Grey(cells, "box")

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return float32 (n, cells * cells) of pictures (n, height, width, 3), RGB from 0 to 255."""
        levels = self.grey(pictures).flatten(1)
        levels = levels - levels.mean(dim=1, keepdim=True)
        return (levels / ((levels * levels).mean(dim=1, keepdim=True).sqrt() + FLAT)).float()
