"""A network of which only the last layer learns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Probe(nn.Module):
    """A network that stays as it is, running means and all, but for its head.

    Parameters
    ----------
    network : Module
        Inputs to logits.
    head : sequence of str
        Names of the weights that learn.

    Examples
    --------
    >>> probe = Probe(nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 2)), ["2.weight", "2.bias"]).train()
    >>> [name for name, weight in probe.named_parameters() if weight.requires_grad], probe.network[1].training
    (['network.2.weight', 'network.2.bias'], False)
    """

    def __init__(self, network: nn.Module, head: Sequence[str]) -> None:
        super().__init__()
        self.network, self.head = network, {name.rpartition(".")[0] for name in head}
        for name, weight in network.named_parameters():
            weight.requires_grad_(name in head)
        self.train()

    def train(self, mode: bool = True) -> Probe:
        """Set training or evaluation, of the head alone."""
        super().train(mode)
        for name, part in self.network.named_modules():
            part.training = mode and name in self.head
        return self

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the network's logits."""
        return self.network(inputs)
