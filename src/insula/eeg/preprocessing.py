"""From a recording to clean microvolts, and from these to epochs around events."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import PositiveFloat, model_validator
from scipy import signal as scipy_signal

from insula.eeg.checks import check_signal
from insula.eeg.features import samples_in
from insula.errors import DataError, SettingsError
from insula.samples.recording import Recording
from insula.storage.settings import Settings

#: Of a recording's rate. Above it an amplifier's anti-alias filter is at work, so the band ends there at the latest.
HIGHEST_EDGE = 0.45

_AT_ONCE = 8  # channels filtered together: MNE filters in float64, and a whole recording in it is large


class Preprocessing(Settings):
    """How EEG is cleaned and cut. Frequencies in Hz, spans in seconds around an event's onset.

    Parameters
    ----------
    band : (low, high)
        Pass band of a zero-phase FIR filter (MNE's defaults: Hamming window, transition min(max(low / 4, 2), low)).
    notch : float, optional
        Mains frequency, removed by a zero-phase FIR notch; left out where the signal does not reach it.
    reference : "average", optional
        The mean of all channels is subtracted.
    rate : float, optional
        Samples per second afterwards (polyphase resampling); None keeps each recording's own.
    epoch : (start, stop)
        The epoch; the sample at `stop` belongs to what follows, so 0 to 0.5 s at 250 Hz are 125 samples.
    baseline : (start, stop), optional
        Each channel's mean over this span, `stop` excluded, is subtracted from the epoch.

    Raises
    ------
    SettingsError
        If a span is empty or the band does not fit below half of `rate`.

    Examples
    --------
    >>> Preprocessing(rate=128)
    Traceback (most recent call last):
    ...
    insula.errors.SettingsError: the band 1-75 Hz does not fit below 64 Hz, half of rate: lower it or raise the rate
    """

    band: tuple[PositiveFloat, PositiveFloat] = (1.0, 75.0)
    notch: PositiveFloat | None = 50.0
    reference: Literal["average"] | None = "average"
    rate: PositiveFloat | None = 250.0
    epoch: tuple[float, float] = (0.0, 0.5)
    baseline: tuple[float, float] | None = (-0.2, 0.0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in ("band", "epoch", "baseline"):
            span = getattr(self, name)
            if span and not span[0] < span[1]:
                raise SettingsError(f"{name} runs from {span[0]:g} to {span[1]:g}", do="give the smaller value first")
        if self.rate and self.band[1] >= self.rate / 2:
            what = (
                f"the band {self.band[0]:g}-{self.band[1]:g} Hz does not fit below {self.rate / 2:g} Hz, half of rate"
            )
            raise SettingsError(what, do="lower it or raise the rate")
        return self


def preprocess(recording: Recording, settings: Preprocessing) -> tuple[np.ndarray, float]:
    """Return a recording resampled, filtered and re-referenced, and its new rate.

    The recording is checked first (`insula.eeg.checks.check_signal`). Resampling comes first because the filters are
    linear: the order changes the time they take, not what they return. Events keep their onsets in seconds.

    Returns
    -------
    signal : ndarray of float32, (channels, times)
        Microvolts.
    rate : float
        Samples per second.

    Raises
    ------
    DataError
        If `check_signal` refuses the recording, or it is too slow or too short for the band.

    Warns
    -----
    UserWarning
        If the recording's rate cannot carry the band: it then ends at `HIGHEST_EDGE` of that rate.
    """
    where = f"{recording.corpus} {recording.subject} {recording.session}"
    raw = recording.read()
    check_signal(raw, recording.channels, recording.rate, recording.units, where=where)
    low, high = _band(recording, settings, where)
    rate = settings.rate or recording.rate
    seconds, filter_seconds = raw.shape[1] / recording.rate, low_edge_seconds(low)
    if seconds < filter_seconds:
        what = f"{seconds:.1f} s are shorter than the {filter_seconds:.1f} s of a filter from {low:g} Hz"
        raise DataError(what, where=where, do="raise the band's lower edge or leave the recording out")
    ratio = resampling_ratio(recording.rate, rate)
    pieces = [_clean(raw[first : first + _AT_ONCE], ratio, rate, (low, high), settings.notch)
              for first in range(0, len(raw), _AT_ONCE)]  # fmt: skip
    signal = np.concatenate(pieces)
    if settings.reference == "average":
        signal -= signal.mean(axis=0)
    return signal, rate


def _band(recording: Recording, settings: Preprocessing, where: str) -> tuple[float, float]:
    low, high = settings.band
    limit = HIGHEST_EDGE * recording.rate
    if low >= limit:
        what = f"a band from {low:g} Hz does not fit a recording at {recording.rate:g} Hz"
        raise DataError(what, where=where, do=f"start it below {limit:g} Hz")
    if high > limit:
        cut = f"{low:g}-{limit:g} Hz instead of {low:g}-{high:g} Hz"
        warnings.warn(f"band {cut}: the recording is at {recording.rate:g} Hz ({where})", stacklevel=3)
    return low, min(high, limit)


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


def low_edge_seconds(low: float) -> float:
    """Return how long MNE's default FIR filter from `low` Hz is: 3.3 over the width of its transition (Hamming window).

    Examples
    --------
    >>> low_edge_seconds(1.0)
    3.3
    """
    return 3.3 / min(max(low / 4, 2.0), low)


def _clean(raw: np.ndarray, ratio: Fraction, rate: float, band: tuple[float, float], notch: float | None) -> np.ndarray:
    """Resample and filter some channels; float32 (channels, times) in and out."""
    from mne.filter import filter_data, notch_filter

    if ratio != 1:
        # scipy's rather than MNE's, which takes the ratio from rounded lengths and so drifts from the clock.
        raw = scipy_signal.resample_poly(raw, ratio.numerator, ratio.denominator, axis=-1, padtype="reflect")
    values = filter_data(raw.astype(np.float64), rate, *band, n_jobs=1, copy=False, verbose="error")
    if notch and notch < rate / 2 - 1:
        values = notch_filter(values, rate, notch, n_jobs=1, copy=False, verbose="error")
    return values.astype(np.float32)


def epochs(signal: np.ndarray, rate: float, events: pd.DataFrame, settings: Preprocessing) -> np.ndarray:
    """Cut the epoch of every event out of a signal, less its baseline.

    Parameters
    ----------
    signal : ndarray, (channels, times)
        Microvolts.
    rate : float
        Samples per second.
    events : DataFrame
        Column `onset`, seconds. An onset is its nearest sample, halves upwards (`insula.eeg.features.samples_in`), and
        the spans of the settings are counted in whole samples from there.
    settings : Preprocessing
        Its `epoch` and `baseline` are used.

    Returns
    -------
    ndarray of float32, (events, channels, times)
        ``samples_in(stop - start, rate)`` times each.

    Raises
    ------
    DataError
        If an epoch or its baseline reaches out of the signal.

    Examples
    --------
    >>> ramp = np.arange(1000, dtype=np.float32)[None]
    >>> cut = epochs(ramp, 250, pd.DataFrame({"onset": [1.0, 2.0]}), Preprocessing(baseline=None))
    >>> cut.shape, cut[:, 0, 0].tolist()
    ((2, 1, 125), [250.0, 500.0])
    """
    first, length = _span(settings.epoch, rate)
    base, base_length = _span(settings.baseline, rate) if settings.baseline else (first, 0)
    start = np.floor(events["onset"].to_numpy(float) * rate + 0.5)
    last = max(first + length, base + base_length)
    inside = (start + min(first, base) >= 0) & (start + last <= signal.shape[1])  # NaN is not inside
    if not inside.all():
        row = int(np.argmin(inside))
        what = f"the epoch of event {events.index[row]} at {events['onset'].iloc[row]:g} s reaches out of the recording"
        raise DataError(what, where=f"0 to {signal.shape[1] / rate:g} s", do="drop the row or shorten the epoch")
    cut = np.empty((len(events), len(signal), length), np.float32)
    for epoch, onset in zip(cut, start.astype(int), strict=True):
        epoch[:] = signal[:, onset + first : onset + first + length]
        if base_length:
            epoch -= signal[:, onset + base : onset + base + base_length].mean(axis=1, keepdims=True)
    return cut


def _span(span: tuple[float, float], rate: float) -> tuple[int, int]:
    """Return a span's first sample relative to the onset and its number of samples, at least one."""
    return samples_in(span[0], rate), max(1, samples_in(span[1] - span[0], rate))
