"""BMCL's picture network as a bundle holds it, with everything that comes before it."""

from __future__ import annotations

import torch
from torch import nn

from insula.systems.bmcl.network import Domain


class Alone(nn.Module):
    """Pictures to probabilities, as `insula.networks.answer.Answer` wants them.

    Parameters
    ----------
    features : Module
        Pictures, (n, height, width, 3), to features.
    space : Module
        Features to their main components.
    network : Domain
        Trained.
    """

    def __init__(self, features: nn.Module, space: nn.Module, network: Domain) -> None:
        super().__init__()
        self.features, self.space, self.network = features, space, network

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor]:
        """Return float64 (n, classes)."""
        logits = self.network(self.space(self.features(pictures)).float()).logits
        return (logits.double().softmax(dim=1),)
