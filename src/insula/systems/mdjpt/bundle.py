"""The encoder in two parts that become graphs: before its normalisation, and after; NumPy does what lies between."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from insula.errors import SettingsError
from insula.networks.stratified import SMALL
from insula.samples import Samples
from insula.systems.mdjpt.encoding import encoded
from insula.systems.mdjpt.pretrained import Pretrained
from insula.systems.mdjpt.settings import MdJPTSettings


class _Tokens(nn.Module):
    outputs: ClassVar = ("tokens",)

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.encoder = network.channel_encoder
        self.eval()

    def forward(self, windows: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.encoder(windows),)


class _Features(nn.Module):
    outputs: ClassVar = ("features",)

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.dynamics = network.dynamics_encoder
        self.eval()

    def forward(self, spatial: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.dynamics(spatial).mean(dim=2),)


class Embedding:
    """What a bundle embeds with.

    Attributes
    ----------
    tokens, features : Module
        Windows to tokens before normalisation, and their normalised projection to features.
    arrays : dict of str to ndarray
        The projection (`weight`, `bias`) and, by place, `mean` and `deviation` of pre-training.
    about : dict
        Montage, loudness, fewest windows, what is added to deviations: JSON-like.

    Raises
    ------
    SettingsError
        Where the encoder is one of mdJPT's predecessors, which have no such parts.
    """

    def __init__(self, encoder: Pretrained, settings: MdJPTSettings) -> None:
        if settings.encoder.kind != "mdjpt":
            what = f"a bundle embeds by mdJPT's own network, not by {settings.encoder.kind}"
            raise SettingsError(what, where="system.encoder.kind", do="evaluate it with `insula run`")
        self.encoder, self.settings, network = encoder, settings, encoder.network
        self.tokens, self.features = _Tokens(network), _Features(network)
        projection = {"weight": network.projection.weight, "bias": network.projection.bias}
        places = {f"{name}_{place}": value for place, moments in enumerate(encoder.source)
                  for name, value in moments._asdict().items()}  # fmt: skip
        self.arrays = {name: value.detach().numpy() for name, value in (projection | places).items()}
        self.about = {
            "montage": list(settings.encoder.montage),
            "loudness": encoder.loudness,
            "fewest": settings.fewest,
            "small": SMALL,
        }

    def vectors(self, samples: Samples, normalise: str) -> np.ndarray:
        """Return what the trained encoder makes of samples, (n, width), to compare a bundle with."""
        return encoded(self.encoder, samples, self.settings.model_copy(update={"normalise": normalise}))
