"""Tokens of RBTransformer in torch: the causal filters as convolutions with what they answer to a single pulse."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.signal import butter, sosfilt
from torch import nn
from torch.nn import functional

from insula.systems.rbtransformer.tokens import Bands

_RINGING = 20.0  # seconds after a pulse: by then a band of 1 Hz is below a millionth


class BandTokens(nn.Module):
    """What `insula.systems.rbtransformer.tokens.band_tokens` returns of windows of one length.

    Parameters
    ----------
    rate : float
        Samples per second.
    bands : sequence of (low, high)
        Hz.
    scale : str
        What a window is standardised by: `window` or `channel`.
    """

    pulses: torch.Tensor

    def __init__(self, rate: float, bands: Bands, scale: str) -> None:
        super().__init__()
        self.axes = (1, 2) if scale == "window" else (2,)
        pulse = np.zeros(math.ceil(_RINGING * rate))
        pulse[0] = 1
        answers = [sosfilt(butter(5, band, "bandpass", fs=rate, output="sos"), pulse) for band in bands]
        self.register_buffer("pulses", torch.tensor(np.stack(answers)[:, None, ::-1].copy(), dtype=torch.float32))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return float32 (n, channels, bands) of windows (n, channels, times)."""
        values = windows.double()
        spread = values.std(dim=self.axes, correction=0, keepdim=True)
        centred = values - values.mean(dim=self.axes, keepdim=True)
        standard = (centred / torch.where(spread > 0, spread, 1.0)).float()
        times = windows.shape[2]
        reach = self.pulses[..., -times:]
        padded = functional.pad(standard.flatten(0, 1)[:, None], (reach.shape[2] - 1, 0))
        filtered = functional.conv1d(padded, reach).double()
        variance = filtered.var(dim=2, correction=0).clamp(min=1e-12)
        tokens = 0.5 * (2 * math.pi * math.e * variance).log2()
        return tokens.unflatten(0, (-1, windows.shape[1])).float()
