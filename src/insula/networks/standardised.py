"""A network that standardises its inputs first, with numbers that it carries."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


class Standardised(nn.Module):
    """A network on standardised inputs; mean and deviation are saved with its weights.

    Parameters
    ----------
    network : Module
        Gets the standardised inputs.
    mean, deviation : tensor, shape (channels, 1) or (channels, bands)
        From `moments`; zeros and ones where they are to be loaded.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, network: nn.Module, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean.float())
        self.register_buffer("deviation", deviation.float())

    def standard(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the standardised inputs."""
        return (inputs - self.mean) / self.deviation

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what the network says."""
        return self.network(self.standard(inputs))


def moments(batches: Iterable[torch.Tensor], over_time: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and deviation over batches of rows (n, channels, times or bands), float64.

    Batches are merged by the update of Chan, Golub and LeVeque (1983), which does not cancel for large means. What
    never varies gets the deviation 1.

    Parameters
    ----------
    batches : iterable of tensor
        Rows.
    over_time : bool
        Whether the last axis is averaged, too: shape (channels, 1) instead of (channels, bands).

    Examples
    --------
    >>> mean, deviation = moments([torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[5.0, 7.0]]])], over_time=True)
    >>> mean.tolist(), deviation.square().round().tolist()
    ([[4.0]], [[5.0]])
    """
    axes = (0, 2) if over_time else (0,)
    count, mean, squares = 0, torch.zeros(()), torch.zeros(())
    for batch in batches:
        values = batch.to(torch.float64, copy=True)
        own_mean = values.mean(dim=axes, keepdim=True)
        size, gap = values.numel() // own_mean.numel(), own_mean - mean
        total = count + size
        spread = values.sub_(own_mean).square_().sum(dim=axes, keepdim=True)
        squares = squares + spread + gap.square() * count * size / total
        mean, count = mean + gap * size / total, total
    spread = (squares / max(count, 1)).sqrt()
    return mean[0], torch.where(spread > 0, spread, 1.0)[0]
