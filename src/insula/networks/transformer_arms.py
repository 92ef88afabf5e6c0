"""What mdJPT's encoders are compared with: a transformer layer over time in the place of one of them."""

from __future__ import annotations

import torch
from torch import nn

from insula.errors import DataError

_LONGEST = 1024


class ChannelTransformer(nn.Module):
    """In the place of the channel encoder: all channels of a sample are one token, and features are of no channel.

    Parameters
    ----------
    channels, width, features : int
        In, of a token, and out of a token.
    """

    reach = stride = 1

    def __init__(self, channels: int, width: int, features: int) -> None:
        super().__init__()
        self.steps = _Steps(channels, width, features)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return tokens, (n, features, channels, time), the same for each channel, of windows (n, channels, time)."""
        return self.steps(windows)[:, :, None].expand(-1, -1, windows.shape[1], -1)


class DynamicsTransformer(nn.Module):
    """In the place of the dynamics encoder: all features and channels of a step are one token.

    Parameters
    ----------
    features, channels, width, maps : int
        In, in, of a token, and out of a token.
    """

    def __init__(self, features: int, channels: int, width: int, maps: int) -> None:
        super().__init__()
        self.steps = _Steps(features * channels, width, maps)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return maps, (n, maps, steps), of values (n, features, channels, steps)."""
        return self.steps(values.flatten(1, 2))


class _Steps(nn.Module):
    """(n, numbers, steps) to (n, out, steps) by learnt positions and one layer, its sizes as published."""

    def __init__(self, numbers: int, width: int, out: int) -> None:
        super().__init__()
        self.entry = nn.Linear(numbers, width)
        self.positions = nn.Parameter(torch.randn(_LONGEST, width))
        self.layer = nn.TransformerEncoderLayer(width, nhead=2, dim_feedforward=2048, dropout=0.1, batch_first=True)
        self.exit = nn.Linear(width, out)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        steps = values.shape[2]
        if steps > _LONGEST:
            what = f"{steps} steps are more than the {_LONGEST} positions of the transformer"
            raise DataError(what, do="give shorter windows")
        return self.exit(self.layer(self.entry(values.transpose(1, 2)) + self.positions[:steps])).transpose(1, 2)
