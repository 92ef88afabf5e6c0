"""Resampling and zero-phase filters."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache, reduce

import numpy as np

from insula.errors import DataError

_AT_ONCE = 1e5  # values filtered together, of four channels at least: larger arrays leave the cache of a core


def band_passed(
    raw: np.ndarray, old: float, rate: float, band: tuple[float, float], notch: float | None, where: object
) -> np.ndarray:
    """Return signals resampled and filtered without delay, and without mains.

    Parameters
    ----------
    raw : ndarray of float32, (channels, times)
        Signals in any unit.
    old, rate : float
        Samples per second, before and after.
    band : (low, high)
        Hz; MNE's default FIR filter, as of `insula.eeg.preprocessing.Preprocessing`.
    notch : float, optional
        Hz; MNE's default FIR notch, left out where the signal does not reach it.
    where : object
        The recording, for the error.

    Returns
    -------
    ndarray of float32, (channels, times)
        Of the new rate.

    Raises
    ------
    DataError
        If the signal is shorter than the filter of the band.
    """
    check_length(raw.shape[1] / old, band[0], where=where)
    ratio = resampling_ratio(old, rate)
    step = max(4, int(_AT_ONCE // raw.shape[1]))  # channels
    return np.concatenate(
        [_clean(raw[first : first + step], ratio, rate, band, notch) for first in range(0, len(raw), step)]
    )


def check_length(seconds: float, low: float, *, where: object) -> None:
    """Refuse a signal shorter than the filter whose lower edge is `low` (Hz)."""
    needed = low_edge_seconds(low)
    if seconds < needed:
        what = f"{seconds:.1f} s are shorter than the {needed:.1f} s of a filter from {low:g} Hz"
        raise DataError(what, where=where, do="raise the band's lower edge or leave the recording out")


def low_edge_seconds(low: float) -> float:
    """Return how long MNE's default FIR filter from `low` Hz is: 3.3 over the width of its transition (Hamming window).

    Examples
    --------
    >>> low_edge_seconds(1.0)
    3.3
    """
    return 3.3 / min(max(low / 4, 2.0), low)


def resampling_ratio(old: float, new: float) -> Fraction:
    """Return the simplest ratio of new to old samples whose clock drifts by less than two milliseconds an hour.

    The simplest, because the resampling filter grows with its terms. A fixed bound on them would not do: below 1000,
    2048 to 250 Hz drifts by 35 ms an hour, and 499.907 to 250 Hz becomes 1/2, which drifts by 670.

    Examples
    --------
    >>> resampling_ratio(2048, 250), resampling_ratio(499.907, 250)
    (Fraction(125, 1024), Fraction(2688, 5375))
    """
    exact = Fraction(new) / Fraction(old)
    nearest = (exact.limit_denominator(10**digits) for digits in range(3, 7))
    return next(ratio for ratio in nearest if abs(ratio / exact - 1) < 2e-3 / 3600)  # terms of 10**6 always suffice


def _clean(raw: np.ndarray, ratio: Fraction, rate: float, band: tuple[float, float], notch: float | None) -> np.ndarray:
    """Resample and filter some channels; float32 (channels, times) in and out."""
    from scipy.signal import resample_poly

    if ratio != 1:
        # scipy's rather than MNE's, which takes the ratio from rounded lengths and so drifts from the clock.
        raw = resample_poly(raw, ratio.numerator, ratio.denominator, axis=-1, padtype="reflect")
    values = raw.astype(np.float64)
    kernels: tuple[np.ndarray, ...] = (_kernel(rate, band, notch),)
    if len(kernels[0]) // 2 >= values.shape[1]:  # both at once only where one reflection serves both
        kernels = _kernels(rate, band, notch)
    for kernel in kernels:
        values = _convolve(values, kernel)
    return values.astype(np.float32)


@lru_cache
def _kernels(rate: float, band: tuple[float, float], notch: float | None) -> tuple[np.ndarray, ...]:
    """Return MNE's default zero-phase FIR filters: of the band and, where the signal reaches it, against the mains."""
    from mne.filter import create_filter

    kernels = [create_filter(None, rate, *band, verbose="error")]
    if notch and notch < rate / 2 - 1:
        half = notch / 400 + 0.5  # MNE's notch: a 200th of the frequency wide, and a flank of 0.5 Hz on either side
        flanks = {"l_trans_bandwidth": 0.5, "h_trans_bandwidth": 0.5}
        kernels.append(create_filter(None, rate, [notch + half], [notch - half], **flanks, verbose="error"))
    return tuple(kernels)


@lru_cache
def _kernel(rate: float, band: tuple[float, float], notch: float | None) -> np.ndarray:
    """Return the filters of `_kernels` as one."""
    return reduce(np.convolve, _kernels(rate, band, notch))


def _convolve(signal: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Filter without delay what is continued beyond its ends by odd reflection and then by zeros, as MNE does.

    MNE's own functions go from channel to channel and piece to piece, which takes several times as long.
    """
    from scipy.signal import fftconvolve

    reach = len(kernel) // 2
    near = min(reach, signal.shape[1] - 1)
    padded = np.pad(signal, ((0, 0), (near, near)), "reflect", reflect_type="odd")
    if near < reach:
        padded = np.pad(padded, ((0, 0), (reach - near, reach - near)))
    filtered: np.ndarray = fftconvolve(padded, kernel[None], mode="valid", axes=1)
    return filtered
