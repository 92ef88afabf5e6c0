"""How far features lie from the space that training samples span, as `insula.training.strangeness` measures it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn


class Span(nn.Module):
    """Pictures to their strangeness: blocks of features, and what is left of them beside the main directions.

    Parameters
    ----------
    blocks : iterable of Module
        Each from pictures to features, (n, d).
    centres : sequence of array, each (d,)
        Means of the training samples' features.
    scales : sequence of float
        Root mean square distances from them.
    directions : array, shape (k, d of all blocks together)
        Orthonormal.
    usual, spread : float, float
        Of the logarithm of the distance: what counts as 0, and what as 1 more.
    near : float
        What is added to a distance before its logarithm is taken.

    Examples
    --------
    >>> scale = {"usual": 0.0, "spread": np.log(10), "near": 1e-9}
    >>> plane = Span([nn.Identity()], [np.zeros(3)], [1.0], np.eye(3)[:2], **scale)
    >>> plane(torch.tensor([[5.0, 7.0, 100.0], [2.0, 0.0, 0.1]])).round(decimals=2).tolist()
    [2.0, -1.0]
    """

    centre: torch.Tensor
    scale: torch.Tensor
    directions: torch.Tensor
    near: torch.Tensor
    start: torch.Tensor
    spread: torch.Tensor

    def __init__(
        self,
        blocks: Iterable[nn.Module],
        centres: Sequence[np.ndarray],
        scales: Sequence[float],
        directions: np.ndarray,
        usual: float,
        spread: float,
        near: float,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        each = np.repeat(scales, [len(centre) for centre in centres])
        self.register_buffer("centre", torch.from_numpy(np.concatenate(centres)))
        self.register_buffer("scale", torch.from_numpy(each))
        self.register_buffer("directions", torch.from_numpy(np.ascontiguousarray(directions)))
        # As tensors, since the exporter rounds numbers to float32.
        for name, value in (("near", near), ("start", usual - math.log(near)), ("spread", spread)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return float64 (n,)."""
        joined = torch.cat([block(pictures) for block in self.blocks], dim=1).double()
        joined = (joined - self.centre) / self.scale
        directions = self.directions.double()
        left = joined - joined @ directions.T @ directions
        distance = (left * left).sum(dim=1).sqrt()
        # Nothing small is added to something: the exporter would take the sum for the thing itself.
        return ((distance / self.near + 1).log() - self.start) / self.spread
