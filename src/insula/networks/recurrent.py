"""A stack of two gated recurrent units over an epoch of EEG (Liu et al. 2021, doi 10.11959/j.issn.2096-6652.202107)."""

from __future__ import annotations

import torch
from torch import nn


class StackedGRU(nn.Module):
    """GRU to `hidden`, GRU to `embedding`, the last state, and a frozen orthonormal linear head.

    The head is the same for every network of one seed and is not trained, so that networks fitted on different folds
    put the classes in the same directions.

    Parameters
    ----------
    channels, classes : int
        Electrodes in, classes out.
    hidden, embedding : int
        Sizes of the two layers: 256 and 128 in the source.
    dropout : float
        Between the two layers.

    Examples
    --------
    >>> network = StackedGRU(channels=32, classes=7)
    >>> network.embed(torch.zeros(2, 25, 32)).shape, network(torch.zeros(2, 25, 32)).shape
    (torch.Size([2, 128]), torch.Size([2, 7]))
    """

    def __init__(
        self, channels: int, classes: int, hidden: int = 256, embedding: int = 128, dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.first = nn.GRU(channels, hidden, batch_first=True)
        self.second = nn.GRU(hidden, embedding, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(embedding, classes)
        nn.init.orthogonal_(self.head.weight)
        # States of a GRU lie in (-1, 1): unit-norm rows alone would cap the logits too low to be confident.
        self.head.weight.data.mul_(embedding**0.5 / 2)
        nn.init.zeros_(self.head.bias)
        self.head.requires_grad_(False)

    def embed(self, epochs: torch.Tensor) -> torch.Tensor:
        """Return the last state, (batch, embedding), of epochs (batch, time, channel)."""
        states, _ = self.first(epochs)
        states, _ = self.second(self.dropout(states))
        return states[:, -1]

    def forward(self, epochs: torch.Tensor) -> torch.Tensor:
        """Return logits, (batch, classes)."""
        return self.head(self.embed(epochs))
