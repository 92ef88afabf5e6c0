"""Four convolutions: a backbone that learns aligned faces of a thumbnail's size in seconds."""

from __future__ import annotations

import torch
from torch import nn

_GRID = 4


class SmallCNN(nn.Module):
    """Pictures to features that keep, roughly, where something was.

    Four times a convolution of 3 x 3, batch normalisation and a ReLU, each halving the map but the last; what is left
    is averaged into 4 x 4 cells, which are not averaged further: in an aligned face the place says what is seen.

    Parameters
    ----------
    widths : tuple of int
        Channels of the four.

    Examples
    --------
    >>> SmallCNN()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 1024])
    """

    def __init__(self, widths: tuple[int, int, int, int] = (16, 32, 64, 64)) -> None:
        super().__init__()
        inside = (3, *widths)
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(inside[place], width, 3, stride=1 if place == 3 else 2, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                )
                for place, width in enumerate(widths)
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(_GRID)
        self.num_features = widths[-1] * _GRID**2
        self.pretrained_cfg = {"architecture": "small-cnn", "mean": (0.5,) * 3, "std": (0.25,) * 3}

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return features, (n, num_features), of standardised pictures (n, 3, height, width)."""
        return self.pool(self.layers(pictures)).flatten(1)
