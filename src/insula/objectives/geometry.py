"""A geometry of classes: some may not spread too far, and all keep a distance (NeuroGaze-Distill's D-Geo)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


def cosine_ramp(epoch: int, start: int, end: int) -> float:
    """Return how much of a loss counts in an epoch: nothing up to `start`, all from `end`, half a cosine between.

    Examples
    --------
    >>> [round(cosine_ramp(epoch, 20, 60), 3) for epoch in (19, 20, 40, 60, 99)]
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """
    if epoch >= end:
        return 1.0
    if epoch <= start:
        return 0.0
    return 0.5 * (1 - math.cos(math.pi * (epoch - start) / (end - start)))


class ClassGeometry(nn.Module):
    """A cap on how far chosen classes spread around their centres, and a margin between all centres.

    Centres are moving averages of unit features. The cap is a share of the median spread of all classes, measured in
    the epoch before `start` (or in the first), so that no spread has to be guessed.

    Parameters
    ----------
    classes, width : int
        Number of classes, and of a feature's dimensions.
    capped : sequence of int
        Places of the classes whose spread is capped.
    start, end : int
        Epochs of the ramp; see `cosine_ramp`.
    cap : float
        Share of the median spread.
    margin : float
        Least distance of two centres, one minus their cosine.
    gate : float
        Samples whose class is said to be less likely than this are left out.
    momentum : float
        Of the moving averages.
    """

    centres: torch.Tensor
    known: torch.Tensor
    sums: torch.Tensor
    counts: torch.Tensor
    limit: torch.Tensor

    def __init__(
        self,
        classes: int,
        width: int,
        capped: Sequence[int],
        *,
        start: int,
        end: int,
        cap: float = 0.8,
        margin: float = 0.5,
        gate: float = 0.2,
        momentum: float = 0.9,
    ) -> None:
        super().__init__()
        self.capped, self.start, self.end = list(capped), start, end
        self.cap, self.margin, self.gate, self.momentum = cap, margin, gate, momentum
        self.measured, self.epoch = max(start - 1, 0), 0
        self.register_buffer("centres", torch.zeros(classes, width))
        self.register_buffer("known", torch.zeros(classes, dtype=torch.bool))
        self.register_buffer("sums", torch.zeros(classes))
        self.register_buffer("counts", torch.zeros(classes))
        self.register_buffer("limit", torch.tensor(math.inf))

    def begin_epoch(self, epoch: int) -> None:
        """Take the weight of this epoch, counted from 0; fix the cap once the spread is measured."""
        self.epoch = epoch
        if epoch > self.measured and self.counts.any() and torch.isinf(self.limit):
            counted = self.counts > 0
            self.limit = self.cap * (self.sums[counted] / self.counts[counted]).median()

    @property
    def weight(self) -> float:
        """What the loss counts for in this epoch, 0 to 1."""
        return cosine_ramp(self.epoch, self.start, self.end)

    def forward(self, features: torch.Tensor, labels: torch.Tensor, sure: torch.Tensor) -> torch.Tensor:
        """Return the loss of a batch, and move the centres.

        Parameters
        ----------
        features : tensor, shape (n, width)
            Of unit length.
        labels : int tensor, shape (n,)
            Class codes.
        sure : tensor, shape (n,)
            How likely the network says each sample's class is.
        """
        kept = sure.detach() >= self.gate
        features, labels = features[kept].float(), labels[kept]
        member = functional.one_hot(labels, len(self.centres)).to(features)
        count = member.sum(dim=0)
        here = count > 0
        means = member.T @ features / count.clamp_min(1)[:, None]
        moved = torch.where(self.known[:, None], self.momentum * self.centres + (1 - self.momentum) * means, means)
        centres = torch.where(here[:, None], moved, self.centres)
        with torch.no_grad():
            self.centres, self.known = centres.detach().clone(), self.known | here
        square = ((features - self.centres[labels]) ** 2).sum(dim=1)
        spread = member.T @ square / count.clamp_min(1)
        if self.epoch == self.measured:
            self.sums = self.sums + (spread * count).detach()
            self.counts = self.counts + count
        return self.weight * (self._cap(spread, here) + self._margin(centres))

    def _cap(self, spread: torch.Tensor, here: torch.Tensor) -> torch.Tensor:
        capped = [place for place in self.capped if here[place]]
        if not capped or not torch.isfinite(self.limit):
            return spread.sum() * 0
        return functional.relu(spread[capped] - self.limit).mean()

    def _margin(self, centres: torch.Tensor) -> torch.Tensor:
        unit = functional.normalize(centres[self.known], dim=1)
        apart = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        if not apart.any():
            return centres.sum() * 0
        return functional.relu(self.margin - (1 - unit @ unit.T)[apart]).mean()
