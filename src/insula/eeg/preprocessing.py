"""From a recording to clean microvolts, and from these to epochs around events."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import ceil
from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, PositiveFloat, model_validator

from insula.eeg.artefacts import ICLABEL_BAND, Artefacts, Cleaning, learn_cleaning
from insula.eeg.bad_channels import BLINK_ELECTRODES, loud_channels_of_parts, repair
from insula.eeg.checks import check_signal, unusable_channels
from insula.eeg.features import samples_in
from insula.eeg.filters import band_passed, low_edge_seconds, resampling_ratio
from insula.errors import DataError, SettingsError
from insula.samples.recording import Recording
from insula.storage.settings import Settings

#: Of a recording's rate. Above it an amplifier's anti-alias filter is at work, so the band ends there at the latest.
HIGHEST_EDGE = 0.45

_LEARN_AT = 250.0  # Hz: enough for the 100 Hz that ICLabel looks at
_LEARN_FROM, _PIECES = 900.0, 30  # seconds, and pieces of a longer recording: memory is that of these, not of a night
BLOCK = 600.0  # seconds preprocessed at a time: a night of EEG never enters memory whole
_NOTCH_REACH = 7.0  # seconds: MNE's default notch filter is 6.6 s long


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
    artefacts : Artefacts, optional
        What is taken out or marked; by default nothing.

    Raises
    ------
    SettingsError
        If a span is empty, the band does not fit below half of `rate`, or ICA is wanted without the average reference.

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
    # Left out of what is written where nothing is asked for: such settings are those, and the cache entries, of before.
    artefacts: Artefacts | None = Field(None, exclude_if=lambda artefacts: artefacts is None)

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
        if self.artefacts and self.artefacts.ica and self.reference != "average":
            raise SettingsError("ICA needs the average reference", where="reference", do="ICLabel was trained on it")
        return self

    @property
    def learns(self) -> bool:
        """Whether a step of cleaning learns from more than the epoch at hand."""
        return self.artefacts is not None and self.artefacts.learns

    @property
    def marks(self) -> bool:
        """Whether epochs are looked at one by one, and marked."""
        return self.artefacts is not None and self.artefacts.marks


def preprocess(
    recording: Recording, settings: Preprocessing, cleaning: Cleaning | None = None
) -> tuple[np.ndarray, float]:
    """Return a recording resampled, filtered, re-referenced and cleaned, and its new rate.

    The recording is checked first (`insula.eeg.checks.check_signal`). Resampling comes first because the filters are
    linear: the order changes the time they take, not what they return. Events keep their onsets in seconds.

    Parameters
    ----------
    recording : Recording
        Or a part of one.
    settings : Preprocessing
        Its `epoch` and `baseline`, and the steps of `artefacts` that are about epochs, are not used.
    cleaning : Cleaning, optional
        What `learn` learnt of the whole recording; by default it is learnt here, where the settings ask for it.

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
    if cleaning is None:
        cleaning = learn(recording, settings)
    raw = recording.read()
    if cleaning and cleaning.bad:
        good = np.array([name not in cleaning.bad for name in recording.channels])
        check_signal(raw[good], np.array(recording.channels)[good], recording.rate, recording.units, where=where)
        raw = np.where(good[:, None], raw, np.float32(0))  # its column of the matrix is 0, but 0 times NaN is NaN
    else:
        check_signal(raw, recording.channels, recording.rate, recording.units, where=where)
    rate = settings.rate or recording.rate
    signal = band_passed(raw, recording.rate, rate, _band(recording, settings, where), settings.notch, where)
    if cleaning:
        signal = cleaning.matrix @ signal
    if settings.reference == "average":
        signal -= signal.mean(axis=0)
    return signal, rate


def preprocess_part(
    recording: Recording, settings: Preprocessing, cleaning: Cleaning | None, first: int, stop: int
) -> np.ndarray:
    """Return the samples from `first` up to `stop` of what `preprocess` returns, without reading what is far from them.

    Parameters
    ----------
    recording : Recording
        The whole of it.
    settings : Preprocessing
        As of `preprocess`.
    cleaning : Cleaning, optional
        What was learnt of the whole recording.
    first, stop : int
        Samples after resampling.
    """
    rate = settings.rate or recording.rate
    ratio = resampling_ratio(recording.rate, rate)
    margin = ceil((low_edge_seconds(settings.band[0]) + _NOTCH_REACH) * rate)
    units = max(0, first - margin) // ratio.numerator
    begin = units * ratio.denominator  # a sample before resampling that is a sample after it
    end = min(ceil((stop + margin) / ratio), recording.n_times)

    def reader(start: int, stop: int) -> np.ndarray:
        return recording.reader(begin + start, begin + stop)

    signal, _ = preprocess(replace(recording, n_times=end - begin, reader=reader), settings, cleaning)
    offset = units * ratio.numerator
    return signal[:, first - offset : stop - offset]


def learn(recording: Recording, settings: Preprocessing) -> Cleaning | None:
    """Return what cleaning learns from a recording, or None where the settings ask for nothing that is learnt.

    Loud channels are told by the whole recording as `preprocess` filters it, block by block. All else is learnt from
    the whole recording or, where that is long, from `_PIECES` pieces spread over `_LEARN_FROM` seconds of it, filtered
    anew at what ICLabel was trained on: there band, rate and epochs of the settings play no part.

    Warns
    -----
    UserWarning
        If the recording's rate cannot carry the 100 Hz that ICLabel was trained on.
    """
    artefacts = settings.artefacts
    if artefacts is None or not artefacts.spatial:
        return None
    if not artefacts.loud_channels:
        return _learn_from_pieces(recording, settings, artefacts)
    names, same = recording.channels, np.eye(len(recording.channels), dtype=np.float32)
    with _filtered_on_disk(recording, settings) as parts:
        loud = loud_channels_of_parts(parts)
        if artefacts.ica is None:
            return Cleaning(repair(same, names, loud), loud=_named(names, loud))
        first = repair(same, names, loud, BLINK_ELECTRODES)
        learnt = _learn_from_pieces(recording, settings, artefacts, first)
        for part in parts:
            part[:] = learnt.matrix @ part
        still = loud_channels_of_parts(parts)
    mended = (first != same).any(axis=1) | still
    return replace(learnt, matrix=repair(same, names, still) @ learnt.matrix, loud=_named(names, mended))


def _named(names: tuple[str, ...], marks: np.ndarray) -> tuple[str, ...]:
    return tuple(name for name, mark in zip(names, marks, strict=True) if mark)


@contextmanager
def _filtered_on_disk(recording: Recording, settings: Preprocessing) -> Iterator[list[np.ndarray]]:
    """Lend a recording before it is cleaned and referenced, in blocks (channels, times) of a temporary file."""
    plain = settings.model_copy(update={"artefacts": None, "reference": None})
    rate = settings.rate or recording.rate
    n_times, block = ceil(recording.n_times * resampling_ratio(recording.rate, rate)), ceil(BLOCK * rate)
    with tempfile.TemporaryFile() as file:
        signal = np.memmap(file, np.float32, "w+", shape=(len(recording.channels), n_times))
        parts = [signal[:, first : first + block] for first in range(0, n_times, block)]
        for number, part in enumerate(parts):
            first = number * block
            part[:] = preprocess_part(recording, plain, None, first, first + part.shape[1])
        yield parts


def _learn_from_pieces(
    recording: Recording, settings: Preprocessing, artefacts: Artefacts, first: np.ndarray | None = None
) -> Cleaning:
    """Learn all that is not told by loudness; `first` is a matrix over channels that comes before."""
    where = f"{recording.corpus} {recording.subject} {recording.session}"
    high = min(ICLABEL_BAND[1], HIGHEST_EDGE * recording.rate)
    if artefacts.ica and high < ICLABEL_BAND[1]:
        what = f"ICLabel was trained on 1-100 Hz, a recording at {recording.rate:g} Hz ends at {high:g}"
        warnings.warn(
            f"{what}: it errs more ({where}); look at what it takes out, or set artefacts.ica to null", stacklevel=2
        )
    rate = min(recording.rate, _LEARN_AT)
    bad: set[str] = set(recording.bad) if artefacts.bad_channels else set()
    pieces = []
    for start, stop in _pieces(recording):
        raw = recording.read(start, stop)
        if artefacts.bad_channels:
            unusable = unusable_channels(raw)
            bad |= {name for name, dead in zip(recording.channels, unusable, strict=True) if dead}
            raw = np.where(unusable[:, None], np.float32(0), raw)
        else:
            check_signal(raw, recording.channels, recording.rate, recording.units, where=where)
        pieces.append(band_passed(raw, recording.rate, rate, (ICLABEL_BAND[0], high), settings.notch, where))
    signal = np.concatenate(pieces, axis=1)
    if first is not None:
        signal = first @ signal
    learnt = learn_cleaning(signal, recording.channels, rate, artefacts, sorted(bad), where=where)
    return learnt if first is None else replace(learnt, matrix=learnt.matrix @ first)


def _pieces(recording: Recording) -> list[tuple[int, int]]:
    """Return first and last sample of what cleaning learns from."""
    length = int(_LEARN_FROM * recording.rate)
    if recording.n_times <= length:
        return [(0, recording.n_times)]
    starts = np.linspace(0, recording.n_times - length // _PIECES, _PIECES).astype(int)
    return [(int(start), int(start) + length // _PIECES) for start in starts]


def _band(recording: Recording, settings: Preprocessing, where: str) -> tuple[float, float]:
    low, high = settings.band
    limit = HIGHEST_EDGE * recording.rate
    if low >= limit:
        what = f"a band from {low:g} Hz does not fit a recording at {recording.rate:g} Hz"
        raise DataError(what, where=where, do=f"start it below {limit:g} Hz")
    if high > limit:
        cut = f"{low:g}-{limit:g} Hz instead of {low:g}-{high:g} Hz"
        do = f"set band to [{low:g}, {limit:g}] to say so yourself"
        warnings.warn(f"band {cut}: recordings are at {recording.rate:g} Hz; {do}", stacklevel=3)  # the same of each
    return low, min(high, limit)


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
    check_epochs(events, signal.shape[1], rate, settings)
    start = _samples_of(events, rate)
    cut = np.empty((len(events), len(signal), length), np.float32)
    for epoch, onset in zip(cut, start.astype(int), strict=True):
        epoch[:] = signal[:, onset + first : onset + first + length]
        if base_length:
            epoch -= signal[:, onset + base : onset + base + base_length].mean(axis=1, keepdims=True)
    return cut


def epochs_within(events: pd.DataFrame, n_times: int, rate: float, settings: Preprocessing) -> np.ndarray:
    """Return bool (events,): whose epoch and baseline lie within a recording of so many samples.

    Examples
    --------
    >>> epochs_within(pd.DataFrame({"onset": [0.1, 1.0, 3.6]}), 1000, 250, Preprocessing()).tolist()
    [False, True, False]
    """
    spans = [_span(span, rate) for span in (settings.epoch, settings.baseline) if span]
    start = _samples_of(events, rate)
    before, after = min(first for first, _ in spans), max(first + length for first, length in spans)
    inside: np.ndarray = (start + before >= 0) & (start + after <= n_times)  # NaN is not inside
    return inside


def check_epochs(events: pd.DataFrame, n_times: int, rate: float, settings: Preprocessing) -> None:
    """Refuse events of which `epochs_within` is not true, naming the first."""
    inside = epochs_within(events, n_times, rate, settings)
    if not inside.all():
        row = int(np.argmin(inside))
        what = f"the epoch of event {events.index[row]} at {events['onset'].iloc[row]:g} s reaches out of the recording"
        raise DataError(what, where=f"0 to {n_times / rate:g} s", do="drop the row or shorten the epoch")


def _samples_of(events: pd.DataFrame, rate: float) -> np.ndarray:
    return np.asarray(np.floor(events["onset"].to_numpy(float) * rate + 0.5))


def _span(span: tuple[float, float], rate: float) -> tuple[int, int]:
    """Return a span's first sample relative to the onset and its number of samples, at least one."""
    return samples_in(span[0], rate), max(1, samples_in(span[1] - span[0], rate))
