"""What becomes of maps: a feature in use, and the unit vectors that a contrast between people compares."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from insula.errors import DataError
from insula.networks.stratified import stratified

_KERNEL = 3


class Projector(nn.Module):
    """Pooled maps, smoothed over time by filters of their own, normalised within each person before and after.

    Parameters
    ----------
    maps : int
        Of the input.
    pooling : int
        Steps that are averaged to one.
    reach, stride : int, int
        Samples of a window that a step of the maps sees, and from one step to the next.
    multiple : int
        How many maps each of the two filters makes of one.

    Attributes
    ----------
    least_samples : int
        Of the shortest window that something is left of.
    """

    def __init__(self, maps: int, pooling: int, reach: int, stride: int = 1, multiple: int = 1) -> None:
        super().__init__()
        self.pooling = pooling
        self.least_samples = reach + stride * (pooling * (2 * _KERNEL - 1) - 1)
        self.first = nn.Conv1d(maps, maps * multiple, _KERNEL, groups=maps)
        self.second = nn.Conv1d(maps * multiple, maps * multiple**2, _KERNEL, groups=maps * multiple)

    def forward(self, maps: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
        """Return unit rows, (n, width), of maps (n, maps, steps) of windows of these groups (n,).

        Raises
        ------
        DataError
            Where windows are shorter than `least_samples`, or one is the only one of its group and too short.
        """
        if maps.shape[2] < self.pooling * (2 * _KERNEL - 1):
            what = f"windows of {maps.shape[2]} steps are too short for the projector"
            raise DataError(what, do=f"give windows of {self.least_samples} samples or more")
        pooled = stratified(functional.avg_pool1d(maps, self.pooling)[:, :, None], groups)[:, :, 0]
        smooth = self.second(self.first(pooled).relu()).relu()
        return functional.normalize(stratified(smooth[:, :, None], groups).flatten(1), dim=1)


class Projected(nn.Module):
    """What networks share that make maps of windows; a subclass sets `projector`."""

    projector: Projector

    @property
    def least_samples(self) -> int:
        """Of a window in pre-training."""
        return self.projector.least_samples

    def project(self, maps: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
        """Return unit rows, (n, width), that pre-training contrasts, of maps of windows of these groups (n,).

        Raises
        ------
        DataError
            Where windows are shorter than `least_samples`.
        """
        return self.projector(maps, groups)

    def feature(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the mean over time, (n, maps)."""
        return maps.mean(dim=2)
