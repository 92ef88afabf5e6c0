"""Two domains, pictures and EEG, each with a common and a private channel (BMCL)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from insula.systems.bmcl.settings import BMCLSettings


class Channels(NamedTuple):
    """What a domain says of a batch: common (n, width), private (n, width), logits (n, classes)."""

    common: torch.Tensor
    private: torch.Tensor
    logits: torch.Tensor


class DomainOutput(NamedTuple):
    """What both domains say of a batch; `eeg` has the rows where `seen` is true alone."""

    picture: Channels
    eeg: Channels
    seen: torch.Tensor


class Domain(nn.Module):
    """One modality: a way in, a private channel, the common channel it is given, and a classifier of both.

    Both channels end in a hyperbolic tangent, because central moments can only be compared on a bounded range.

    Parameters
    ----------
    inputs, classes : int
        Features in, classes out.
    common : Module
        (n, width) to (n, width); the same module serves both domains.
    settings : BMCLSettings
        Width and dropout.
    """

    def __init__(self, inputs: int, classes: int, common: nn.Module, settings: BMCLSettings) -> None:
        super().__init__()
        width = settings.width
        self.entrance = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(settings.dropout))
        self.common = common
        self.private = nn.Sequential(nn.Linear(width, width), nn.Tanh())
        self.classifier = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(2 * width, classes))

    def forward(self, features: torch.Tensor) -> Channels:
        """Return both channels and the logits of their concatenation."""
        inside = self.entrance(features)
        common, private = self.common(inside), self.private(inside)
        return Channels(common, private, self.classifier(torch.cat([common, private], dim=1)))


def common_channel(settings: BMCLSettings) -> nn.Module:
    """Return the perceptron that both domains share."""
    return nn.Sequential(
        nn.Linear(settings.width, settings.hidden),
        nn.ReLU(),
        nn.Dropout(settings.dropout),
        nn.Linear(settings.hidden, settings.width),
        nn.Tanh(),
    )


class Coupled(nn.Module):
    """A picture domain and an EEG domain that share the perceptron of the common channel.

    Reads rows of picture features followed by EEG features; a row whose EEG features are all zero was not watched.

    Parameters
    ----------
    pictures, eeg, classes : int
        Features of a picture, features of an epoch, classes.
    settings : BMCLSettings
        Sizes, and whether critics are needed.
    """

    def __init__(self, pictures: int, eeg: int, classes: int, settings: BMCLSettings) -> None:
        super().__init__()
        self.sizes = [pictures, eeg]
        width = settings.width
        common = common_channel(settings)
        self.picture = Domain(pictures, classes, common, settings)
        self.eeg = Domain(eeg, classes, common, settings)
        critics = 3 if settings.apart == "adversary" else 0
        self.critics = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.Tanh())
            for _ in range(critics)
        )

    def forward(self, rows: torch.Tensor) -> DomainOutput:
        """Return the channels of both domains."""
        pictures, eeg = rows.split(self.sizes, dim=1)
        seen = eeg.any(dim=1)
        return DomainOutput(self.picture(pictures), self.eeg(eeg[seen]), seen)
