"""Settings of BMCL."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from insula.systems.pictures import PictureSettings
from insula.training.settings import Training


class BMCLSettings(PictureSettings):
    """How BMCL learns.

    Parameters
    ----------
    backbone, weights, grid, picture_size
        How pictures are read, as in `PictureSettings`.
    picture_components : int
        The picture network reads so many main components of the picture's features.
    time_bins : int or None
        An epoch is averaged into so many bins; None keeps every sample.
    eeg_components : int
        The EEG network reads so many main components of each subject's binned epochs.
    width, hidden : int
        Of each channel, and of the layer inside the common channel's shared perceptron (2048 in the source).
    dropout : float
        In both networks.
    alignment : float
        Weight of the central moment discrepancy between the two common channels; 0.5 in the source.
    separation : float
        Weight of what keeps the private channels apart; 0.5 in the source.
    apart : str
        What keeps them apart: `orthogonality`, or `adversary`, critics that try to tell one channel from another.
    brain : str
        What the EEG network is given: `eeg`, or one of the placebos.
    training : Training
        Of both networks, the coupled one and the picture-only one alike.
    seed : int
        Of everything random.
    """

    picture_components: int = Field(16, ge=1)
    time_bins: int | None = 10
    eeg_components: int = Field(32, ge=1)
    width: int = Field(64, ge=2)
    hidden: int = Field(2048, ge=1)
    dropout: float = Field(0.3, ge=0, lt=1)
    alignment: float = Field(0.5, ge=0)
    separation: float = Field(0.5, ge=0)
    apart: Literal["orthogonality", "adversary"] = "orthogonality"
    brain: Literal["eeg", "class-code", "shuffled-within", "shuffled"] = "eeg"
    training: Training = Training(epochs=60, patience=10)
    seed: int = 0
