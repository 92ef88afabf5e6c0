"""Tokens of RBTransformer: the differential entropy of band-passed windows, as the source computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.signal import butter, sosfilt

from insula.errors import DataError

Bands = Sequence[tuple[float, float]]
PUBLISHED: tuple[tuple[float, float], ...] = ((4, 8), (8, 14), (14, 31), (31, 49))  # Hz


def band_tokens(
    epochs: np.ndarray, rate: float, bands: Bands = PUBLISHED, scale: Literal["window", "channel"] = "window"
) -> np.ndarray:
    """Return half the binary logarithm of 2 pi e times the variance of each band, float32 (n, channels, bands).

    Windows are standardised first and then filtered by a causal Butterworth filter of order 5.

    Parameters
    ----------
    epochs : array, shape (n, channels, times)
        Windows of EEG.
    rate : float
        Samples per second, the true one: the source's code takes 128 Hz for SEED's 200.
    bands : sequence of (low, high)
        Hz.
    scale : str
        Mean and deviation of the whole `window`, as in the source's code, or of each `channel`.

    Raises
    ------
    DataError
        Where a band does not fit below half of the rate.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((1, 2, 512))
    >>> band_tokens(noise, 128).shape
    (1, 2, 4)
    """
    highest = max(high for _, high in bands)
    if 2 * highest >= rate:
        do = "resample to a higher rate, or give lower bands"
        raise DataError(f"a band up to {highest:g} Hz does not fit below half of {rate:g} Hz", do=do)
    axes = (1, 2) if scale == "window" else 2
    spread = epochs.std(axis=axes, keepdims=True)
    standard = (epochs - epochs.mean(axis=axes, keepdims=True)) / np.where(spread > 0, spread, 1)
    tokens = np.empty((*epochs.shape[:2], len(bands)), np.float32)
    for number, band in enumerate(bands):
        variance = sosfilt(butter(5, band, "bandpass", fs=rate, output="sos"), standard).var(axis=2)
        tokens[..., number] = 0.5 * np.log2(2 * np.pi * np.e * np.maximum(variance, 1e-12))
    return tokens


def mean_second(epochs: np.ndarray, rate: float) -> np.ndarray:
    """Return the mean of an epoch's whole seconds, as waveforms (n, channels, samples of a second).

    Examples
    --------
    >>> mean_second(np.array([[[1.0, 2.0, 3.0, 6.0, 9.0]]]), 2)
    array([[[2., 4.]]])
    """
    length = round(rate)
    seconds = epochs.shape[2] // length
    if not seconds:
        what = f"a baseline of {epochs.shape[2]} samples at {rate:g} Hz is shorter than a second"
        raise DataError(what, do="record a longer one, or subtract none")
    mean: np.ndarray = epochs[..., : seconds * length].reshape(*epochs.shape[:2], seconds, length).mean(axis=2)
    return mean
