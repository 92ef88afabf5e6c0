"""Maps over time at several scales, of which attention chooses at each step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


class DynamicsEncoder(nn.Module):
    """Convolutions over space and time with several dilations, weighted by what the maps were like just before.

    Written from the description of DAEST's encoder (Shen et al. 2024, arXiv 2411.04568) as mdJPT uses it; no code of
    either is used.

    Parameters
    ----------
    features, channels : int
        Of the input; each feature has filters of its own over all its channels.
    filters : int
        Maps of each dilation, a multiple of `features`.
    dilations : sequence of int
        In steps.
    time_kernel : int
        Steps that a filter joins.
    attention_kernel : int
        Steps up to now that attention looks at, twice: first by a filter, then by their mean.

    Attributes
    ----------
    maps : int
        How many come out.

    Examples
    --------
    >>> encoder = DynamicsEncoder(32, 64, filters=128, dilations=(1, 3, 6, 12), time_kernel=3, attention_kernel=15)
    >>> encoder(torch.zeros(2, 32, 64, 99)).shape
    torch.Size([2, 512, 99])
    """

    def __init__(
        self,
        features: int,
        channels: int,
        filters: int,
        dilations: Sequence[int],
        time_kernel: int,
        attention_kernel: int,
    ) -> None:
        super().__init__()
        self.maps = maps = filters * len(dilations)
        self.scales = nn.ModuleList(
            nn.Conv1d(features * channels, filters, time_kernel, padding="same", dilation=dilation, groups=features)
            for dilation in dilations
        )
        self.along = nn.Conv1d(maps, maps, attention_kernel, groups=maps)
        self.across = nn.Conv1d(maps, maps, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return maps, (n, maps, steps), of values (n, features, channels, steps); weights of a step add up to one."""
        flat = values.flatten(1, 2)
        scales = torch.cat([scale(flat) for scale in self.scales], dim=1)
        kernel = self.along.kernel_size[0]
        earlier = (kernel - 1, 0)  # zeros before the first step; none is looked at before it has come
        attention = self.along(functional.pad(scales, earlier)).relu()
        attention = functional.avg_pool1d(functional.pad(attention, earlier), kernel, stride=1)
        return self.across(attention).softmax(dim=1) * scales.relu()
