"""Histograms of oriented gradients, as `insula.faces.gradients` counts them, in torch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from insula.faces.gradients import CLIP, EDGES, ORIENTATIONS, SMALL
from insula.networks.grey import Grey


class GradientHistograms(nn.Module):
    """Pictures to histograms of oriented gradients, the same sums as `insula.faces.gradients.gradient_features`.

    Parameters
    ----------
    size, cells : int
        As the function has them.

    Examples
    --------
    >>> GradientHistograms()(torch.zeros(2, 48, 48, 3, dtype=torch.uint8)).shape
    torch.Size([2, 900])
    """

    edges: torch.Tensor
    clip: torch.Tensor
    small: torch.Tensor

    def __init__(self, size: int = 96, cells: int = 6) -> None:
        super().__init__()
        self.grey, self.cells, self.side = Grey(size, "triangle"), cells, size // cells
        self.register_buffer("edges", torch.tensor(EDGES)[:, :, None, None], persistent=False)
        # As tensors, since the exporter rounds numbers to float32.
        for name, value in (("clip", CLIP), ("small", SMALL)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64), persistent=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return float32 (n, d) of pictures (n, height, width, 3), RGB from 0 to 255."""
        grey = self.grey(pictures)[:, None]
        down = functional.pad(grey[:, :, 2:] - grey[:, :, :-2], (0, 0, 1, 1))
        right = functional.pad(grey[..., 2:] - grey[..., :-2], (1, 1))
        strength = (down * down + right * right).sqrt()
        passed = down.abs() * self.edges[0] > right * down.sign() * self.edges[1]
        cells, side = self.cells, self.side
        beyond = torch.cat([strength, strength * passed], dim=1)
        beyond = beyond.reshape(-1, ORIENTATIONS, cells, side, cells, side).mean(dim=(3, 5))
        counts = torch.cat([beyond[:, :-1] - beyond[:, 1:], beyond[:, -1:]], dim=1).permute(0, 2, 3, 1)
        corners = [counts[:, :-1, :-1], counts[:, :-1, 1:], counts[:, 1:, :-1], counts[:, 1:, 1:]]
        blocks = torch.stack(corners, dim=3).flatten(3)
        return self._normalised(torch.minimum(self._normalised(blocks), self.clip)).flatten(1).float()

    def _normalised(self, blocks: torch.Tensor) -> torch.Tensor:
        # Nothing small is added to something: the exporter would take the sum for the thing itself.
        parts = blocks / self.small
        return parts / ((parts * parts).sum(dim=3, keepdim=True) + 1).sqrt()
