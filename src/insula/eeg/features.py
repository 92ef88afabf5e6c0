"""Band power and differential entropy of EEG windows, by one of two named estimators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from insula.errors import DataError

Estimator = Literal["spectral", "filtered"]

#: Hz, each band from its lower edge up to, not including, its upper one. On the 1 Hz grid of 1-s windows these are the
#: bands of SEED (Zheng and Lu 2015, IEEE Trans. Auton. Ment. Dev. 7(3), 162-175: 1-3, 4-7, 8-13, 14-30, 31-50 Hz)
#: without 50 Hz itself, which is the mains.
BANDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 14.0), "beta": (14.0, 31.0), "gamma": (31.0, 50.0)}
)

#: Microvolts squared. Far below any amplifier's noise: keeps the entropy of a dead channel finite.
SMALLEST_VARIANCE = 1e-12

FILTER_ORDER = 4
_BLOCK = 2**18  # samples worked on at a time: input, taper and spectrum stay in the cache of one core


def samples_in(seconds: float, rate: float) -> int:
    """Return `seconds` as the nearest whole number of samples, halves upwards.

    Examples
    --------
    >>> samples_in(0.5, 125)
    63
    """
    return int(np.floor(seconds * rate + 0.5))


def differential_entropy(
    signal: np.ndarray,
    rate: float,
    bands: Mapping[str, tuple[float, float]] = BANDS,
    window: float = 1.0,
    hop: float | None = None,
    estimator: Estimator = "spectral",
) -> np.ndarray:
    """Return the differential entropy of each window, channel and band, taking the signal in a band as Gaussian.

    That is ``log(2 * pi * e * variance) / 2`` nats with the variance of `band_power`, taken as at least
    `SMALLEST_VARIANCE`. Parameters, shapes and errors are those of `band_power`.

    References
    ----------
    Duan, Zhu and Lu (2013), Differential entropy feature for EEG-based emotion classification, NER, 81-84.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((2, 2000), dtype=np.float32)
    >>> differential_entropy(noise, rate=200).shape
    (10, 2, 5)
    """
    variance = band_power(signal, rate, bands, window, hop, estimator)
    np.maximum(variance, np.float32(SMALLEST_VARIANCE), out=variance)
    np.log(variance, out=variance)
    variance += np.float32(np.log(2 * np.pi * np.e))
    variance *= np.float32(0.5)
    return variance


def band_power(
    signal: np.ndarray,
    rate: float,
    bands: Mapping[str, tuple[float, float]] = BANDS,
    window: float = 1.0,
    hop: float | None = None,
    estimator: Estimator = "spectral",
) -> np.ndarray:
    """Return the variance of the signal within each window, channel and band.

    Parameters
    ----------
    signal : ndarray, (..., channels, times)
        Microvolts; worked on as float32, block by block, so a memory-mapped array is never held whole.
    rate : float
        Samples per second.
    bands : mapping of str to (low, high)
        Hz, low included and high not, with ``0 < low < high <= rate / 2``.
    window, hop : float
        Seconds a window lasts, and from one start to the next (by default the windows adjoin). Both become whole
        samples by `samples_in`: window ``i`` starts at sample ``i * samples_in(hop, rate)``; a rest too short for a
        window is left out.
    estimator : {"spectral", "filtered"}
        Two estimators, not two speeds of one. "spectral" removes each window's mean, multiplies it by a periodic Hann
        taper and adds up its periodogram over the band's bins, scaled so that, by Parseval's theorem, white noise
        keeps its variance (`scipy.signal.periodogram` with ``window="hann"``). "filtered" filters the whole signal
        with a zero-phase Butterworth band-pass of order 4 and takes the variance of each window; its flanks lower the
        variance of white noise by a tenth. On 1-s windows of EEG the two correlate from 0.75 (delta) to 0.99 (gamma).

    Returns
    -------
    ndarray of float32, (..., windows, channels, bands)
        Microvolts squared. A NaN in a window (for "filtered": in a channel) makes its values NaN.

    Raises
    ------
    DataError
        If a band does not fit between 0 and half the rate, falls between the bins of so short a window, or if the
        signal is shorter than a window.

    Examples
    --------
    >>> seconds = np.arange(0, 4, 1 / 200)
    >>> sine = 10 * np.sin(2 * np.pi * 10 * seconds)[None]
    >>> band_power(sine, rate=200)[0, 0].round(1)
    array([ 0.,  0., 50.,  0.,  0.], dtype=float32)
    """
    if estimator not in ("spectral", "filtered"):
        raise DataError(f"no estimator {estimator!r}", do="choose 'spectral' or 'filtered'")
    length = samples_in(window, rate)
    step = length if hop is None else samples_in(hop, rate)
    _check(signal, rate, bands, window, length, step)
    rows = signal.reshape(-1, signal.shape[-1])
    fill = _fill_spectral if estimator == "spectral" else _fill_filtered
    *leading, channels, times = signal.shape
    power = np.empty((len(rows), 1 + (times - length) // step, len(bands)), np.float32)
    fill(rows, rate, list(bands.values()), length, step, power)
    return np.ascontiguousarray(power.reshape(*leading, channels, *power.shape[1:]).swapaxes(-3, -2))


def _check(
    signal: np.ndarray, rate: float, bands: Mapping[str, tuple[float, float]], window: float, length: int, step: int
) -> None:
    """Refuse what would give no window, no bin or a meaningless band."""
    if signal.ndim < 2:
        raise DataError(f"a signal of shape {signal.shape}", do="give (..., channels, times)")
    if length < 2 or step < 1:
        raise DataError(f"a window or hop of less than a sample at {rate:g} Hz", do="give longer ones, in seconds")
    if signal.shape[-1] < length:
        what = f"{signal.shape[-1]} samples are shorter than a window of {window:g} s at {rate:g} Hz"
        raise DataError(what, do="give a longer signal or a shorter window")
    for name, (low, high) in bands.items():
        if not 0 < low < high <= rate / 2:
            do = f"keep 0 < low < high <= {rate / 2:g} Hz, half the rate"
            raise DataError(f"the band {low:g}-{high:g} Hz is impossible", where=name, do=do)
        if np.ptp(_bins(low, high, rate, length)) == 0:
            what = f"a window of {window:g} s has no frequency within {low:g}-{high:g} Hz"
            raise DataError(what, where=name, do="give a longer window or a wider band")


def _bins(low: float, high: float, rate: float, length: int) -> tuple[int, int]:
    """Return the first bin of a band and the first beyond it; rounding errors must not move an edge by a bin."""
    first, beyond = (int(np.ceil(edge * length / rate - 1e-9)) for edge in (low, high))
    return first, beyond


def _windows(rows: np.ndarray, length: int, step: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(rows, length, axis=-1)[:, ::step]


def _blocks(n_rows: int, n_windows: int, length: int) -> Iterator[tuple[slice, slice]]:
    """Cut (rows, windows) into pieces of about `_BLOCK` samples."""
    at_once = max(1, _BLOCK // length)
    wide = min(at_once, n_windows)
    tall = max(1, at_once // n_windows)
    for row in range(0, n_rows, tall):
        for first in range(0, n_windows, wide):
            yield slice(row, row + tall), slice(first, first + wide)


def _fill_spectral(
    rows: np.ndarray, rate: float, bands: list[tuple[float, float]], length: int, step: int, power: np.ndarray
) -> None:
    from scipy import fft
    from scipy.signal import get_window

    windows = _windows(rows, length, step)
    taper = get_window("hann", length).astype(np.float32)
    scale = np.float32(2 / (length * np.sum(taper.astype(np.float64) ** 2)))  # 2: the negative frequencies
    bins = [_bins(low, high, rate, length) for low, high in bands]
    # An electrode's offset would drown a mean in float32, the first sample takes it away exactly. What is left of the
    # mean reaches no bin but the first two, the taper's own.
    leak = np.float32(fft.rfft(taper)[1].real / length)
    for block in _blocks(*windows.shape):
        piece = windows[block].astype(np.float32, copy=False)
        tapered = piece - piece[..., :1]
        rest = np.einsum("...i->...", tapered)
        tapered *= taper
        spectrum = fft.rfft(tapered, overwrite_x=True)
        spectrum[..., 1] -= rest * leak
        # As pairs of floats (real, imaginary), a band's power is one sum of squares without a complex temporary.
        pairs = spectrum.view(np.float32)
        for band, (first, beyond) in enumerate(bins):
            part = pairs[..., 2 * first : 2 * beyond]
            np.einsum("...i,...i->...", part, part, out=power[block][..., band])
    power *= scale


def _fill_filtered(
    rows: np.ndarray, rate: float, bands: list[tuple[float, float]], length: int, step: int, power: np.ndarray
) -> None:
    from scipy.signal import butter, sosfiltfilt

    for band, (low, high) in enumerate(bands):
        # A band that ends at half the rate has no upper flank to filter.
        edges, kind = (low, "highpass") if high >= rate / 2 else ((low, high), "bandpass")
        sections = butter(FILTER_ORDER, edges, kind, fs=rate, output="sos")
        pad = min(3 * (2 * len(sections) + 1), rows.shape[-1] - 1)
        for row, values in enumerate(rows):
            filtered = sosfiltfilt(sections, values, padlen=pad)
            power[row, :, band] = _windows(filtered[None], length, step)[0].var(axis=-1)
