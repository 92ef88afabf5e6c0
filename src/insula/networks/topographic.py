"""A convolutional network on topographic maps of band power, which regresses ratings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class TopographicNetwork(nn.Module):
    """Values of electrodes and bands, drawn as maps of the head, to ratings between -1 and 1.

    Blocks of a 3 x 3 convolution, batch normalisation, ReLU, maximum pooling and dropout; the mean over the map; a
    linear layer, whose output is the embedding; a linear layer and tanh.

    Parameters
    ----------
    matrix : tensor, shape (size * size, channels)
        From `insula.eeg.topography.topographic_matrix`; saved with the weights.
    bands : int
        Maps a sample.
    widths : sequence of int
        Of the blocks; each halves the map.
    width : int
        Of the embedding.
    dropout : float
        After each block.

    Examples
    --------
    >>> network = TopographicNetwork(torch.zeros(64, 14), bands=4, widths=(4, 8), width=16).eval()
    >>> network(torch.zeros(2, 14, 4)).shape, network.embed(torch.zeros(2, 14, 4)).shape
    (torch.Size([2, 2]), torch.Size([2, 16]))
    """

    matrix: torch.Tensor

    def __init__(
        self,
        matrix: torch.Tensor,
        bands: int,
        widths: Sequence[int] = (32, 64, 128, 256),
        width: int = 256,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)
        self.size = round(len(matrix) ** 0.5)
        blocks: list[nn.Module] = []
        for before, after in zip((bands, *widths[:-1]), widths, strict=True):
            blocks += [
                nn.Conv2d(before, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Dropout(dropout),
            ]
        self.blocks = nn.Sequential(*blocks)
        self.embedding = nn.Linear(widths[-1], width)
        self.head = nn.Linear(width, 2)

    def maps(self, values: torch.Tensor) -> torch.Tensor:
        """Return the maps, (n, bands, size, size), of values (n, channels, bands)."""
        drawn = torch.einsum("pc,ncb->nbp", self.matrix, values)
        return drawn.reshape(len(values), -1, self.size, self.size)

    def embed(self, values: torch.Tensor) -> torch.Tensor:
        """Return embeddings, (n, width)."""
        return self.embedding(self.blocks(self.maps(values)).mean(dim=(2, 3)))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return valence and arousal, (n, 2)."""
        return self.head(self.embed(values)).tanh()
