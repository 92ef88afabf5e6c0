"""Checks of EEG before anything is computed from it; each failure is one line: what, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from insula.eeg.features import samples_in
from insula.eeg.montage import as_rename, canonical, some
from insula.eeg.units import unit_in_microvolts
from insula.errors import DataError
from insula.samples.recording import Recording

#: Microvolts. Scalp EEG spreads over some 1 to 100 uV within a second; volts and millivolts lie below, nanovolts and
#: raw converter counts above.
PLAUSIBLE_SPREAD = (0.05, 1000.0)

_TYPICAL, _GAP = 10.0, 30.0  # microvolts within a second; times that channels of one scale do not differ by
_PIECES = 16  # seconds looked at for the spread: a median needs no more
_LOOKS, _LOOK_SECONDS = 5, 2.0  # pieces of a recording that are looked at before it is read whole


def unusable_channels(signal: np.ndarray) -> np.ndarray:
    """Return bool (channels,): where a signal (channels, times) is flat, or not finite.

    Examples
    --------
    >>> unusable_channels(np.array([[1.0, 2.0], [1.0, 1.0], [1.0, np.nan]]))
    array([False,  True,  True])
    """
    return np.array([not np.isfinite(values).all() or np.ptp(values) == 0 for values in signal])


def check_signal(
    signal: np.ndarray, channels: Sequence[str], rate: float, units: str = "uV", *, where: object, window: float = 1.0
) -> None:
    """Refuse a signal that is not finite, live EEG of known electrodes in microvolts.

    Parameters
    ----------
    signal : ndarray, (channels, times)
        Microvolts.
    channels : sequence of str
        One name a row.
    rate : float
        Samples per second.
    units : str
        What the reader says the values are; only "uV" passes.
    where : object
        The file or recording, for the error.
    window : float
        Seconds; the signal must hold at least one.

    Raises
    ------
    DataError
        For an unknown or duplicate channel, other units, too few samples, NaN or infinity, a flat channel, or a spread
        outside `PLAUSIBLE_SPREAD`.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 1e-5, (2, 500))
    >>> check_signal(noise, ["Fz", "Cz"], 250, where="s01.edf")
    Traceback (most recent call last):
    ...
    insula.errors.DataError: a spread of 6.6e-06 looks like volts, not microvolts (s01.edf): multiply by 1e6
    """
    if signal.ndim != 2 or len(signal) != len(channels):
        what = f"{len(channels)} channel names for a signal of shape {signal.shape}"
        raise DataError(what, where=where, do="give (channels, times) and a name for each row")
    canonical(channels, where=where)
    if units != "uV":
        raise DataError(f"the signal is in {units!r}, not in microvolts", where=where, do="convert it to 'uV'")
    if signal.shape[1] < samples_in(window, rate):
        what = f"{signal.shape[1]} samples at {rate:g} Hz are shorter than a window of {window:g} s"
        raise DataError(what, where=where, do="leave the recording out or shorten the window")
    _check_finite(signal, channels, rate, where)
    for name, values in zip(channels, signal, strict=True):
        if np.ptp(values) == 0:
            raise DataError(f"channel {name!r} is flat", where=where, do="drop or interpolate the channel")
    check_spread(signal, max(2, samples_in(1.0, rate)), where)


def check_recording(recording: Recording, *, where: object) -> list[str]:
    """Refuse a recording by a look at a few seconds of it: beginning, end, and evenly between.

    What `check_signal` refuses is found before hours of work, unless it lies between the looks.

    Parameters
    ----------
    recording : Recording
        `bad` channels are not looked at.
    where : object
        The file, for the error.

    Returns
    -------
    list of str
        As `check_scales`.

    Raises
    ------
    DataError
        As `check_signal` and `check_scales`.
    """
    looks = _looks(recording, where)
    names = [name for name in recording.channels if name not in recording.bad]
    for start, look in looks:
        _check_finite(look, names, recording.rate, where, start)
    notes = _check_scales(recording, looks, where)
    signal = np.concatenate([look for _, look in looks], axis=1)
    check_signal(signal, names, recording.rate, recording.units, where=where)
    return notes


def check_scales(recording: Recording, *, where: object) -> list[str]:
    """Refuse a recording whose header has a wrong unit, by the spread of each channel in a few seconds of it.

    Parameters
    ----------
    recording : Recording
        `bad` channels are not looked at.
    where : object
        The file, for the error.

    Returns
    -------
    list of str
        A line where some channels are on another scale than the others, and the header's units are not why.

    Raises
    ------
    DataError
        Where units of the header are why some are, or all of it lies outside `PLAUSIBLE_SPREAD`.
    """
    return _check_scales(recording, _looks(recording, where), where)


def _looks(recording: Recording, where: object) -> list[tuple[float, np.ndarray]]:
    """Return pieces of a recording without its bad channels, and the second that each begins at."""
    rate, length = recording.rate, min(recording.n_times, samples_in(_LOOK_SECONDS, recording.rate))
    rows = [row for row, name in enumerate(recording.channels) if name not in recording.bad]
    if not rows or not length:
        raise DataError("all its channels are marked bad" if length else "it holds no sample", where=where,
                        do="leave the recording out")  # fmt: skip
    starts = np.unique(np.linspace(0, recording.n_times - length, _LOOKS).astype(int))
    return [(start / rate, recording.read(int(start), int(start) + length)[rows]) for start in starts]


def _check_scales(recording: Recording, looks: list[tuple[float, np.ndarray]], where: object) -> list[str]:
    length, notes = max(2, samples_in(1.0, recording.rate)), []
    signal = np.concatenate([look for _, look in looks], axis=1)
    declared = recording.declared or tuple((name, "uV") for name in recording.channels)
    about = [pair for name, pair in zip(recording.channels, declared, strict=True) if name not in recording.bad]
    spreads = np.nan_to_num([np.median(np.abs(piece)) for piece in _pieces(signal, length).swapaxes(0, 1)])
    odd = _off_scale(spreads)
    if odd.any():
        usual = ~odd & (spreads > 0)
        names = [name for (name, _), mark in zip(about, odd, strict=True) if mark]
        wrong, right = ({unit for (_, unit), mark in zip(about, marks, strict=True) if mark} for marks in (odd, usual))
        wide, other = (_rounded(np.median(spreads[marks])) for marks in (odd, usual))
        what = f"{some(names)} ({some(sorted(wrong))}) spread {wide} uV, the other {usual.sum()} "
        what += f"({some(sorted(right))}) {other}"
        if not wrong & right:
            do = f"their unit is wrong in the header: --set corpus.unit={min(right)}"
            raise DataError(what, where=where, do=do)
        notes.append(f"{what}: a scale or an electrode is wrong; {as_rename(dict.fromkeys(names))} leaves them out")
    units = {unit for _, unit in about}
    check_spread(signal, length, where, units.pop() if recording.declared and len(units) == 1 else None)
    return notes


def _off_scale(spreads: np.ndarray) -> np.ndarray:
    """Return bool (channels,): which of two groups far apart is the less plausible, if it lies outside what EEG does.

    Examples
    --------
    >>> _off_scale(np.array([12, 9e3, 2, 12e3])).tolist(), _off_scale(np.array([12.0, 900, 2, 0])).tolist()
    ([False, True, False, True], [False, False, False, False])
    """
    live = np.sort(spreads[spreads > 0])
    steps = live[1:] / live[:-1]
    none = np.zeros(len(spreads), bool)
    if not len(steps) or steps.max() < _GAP:
        return none
    low, high = (spreads > 0) & (spreads <= live[np.argmax(steps)]), spreads > live[np.argmax(steps)]
    odd = max(low, high, key=lambda group: abs(np.log(np.median(spreads[group]) / _TYPICAL)))
    plausible = PLAUSIBLE_SPREAD[0] <= np.median(spreads[odd]) <= PLAUSIBLE_SPREAD[1]
    return none if plausible else odd


def _check_finite(signal: np.ndarray, channels: Sequence[str], rate: float, where: object, start: float = 0.0) -> None:
    for name, values in zip(channels, signal, strict=True):  # channel by channel: no copy of the whole recording
        finite = np.isfinite(values)
        if not finite.all():
            count, first = int((~finite).sum()), start + int(np.argmin(finite)) / rate
            what = f"channel {name!r} has {count} NaN or infinite values, the first at {first:.3f} s"
            raise DataError(what, where=where, do="mend the export, or drop or interpolate the channel")


def check_spread(signal: np.ndarray, length: int, where: object, unit: str | None = None) -> None:
    """Guess the unit from the spread within single seconds, which slow drifts and a few artefacts do not move.

    `unit` is what the header says that it is, where that is known.
    """
    spread = float(np.median(np.abs(_pieces(signal, length))))
    low, high = PLAUSIBLE_SPREAD
    if spread == 0:
        do = "leave out what is flat, or see whether the electrodes were connected"
        raise DataError("most of it does not vary", where=where, do=do)
    if low <= spread <= high:
        return
    stored = spread / (unit_in_microvolts(unit or "uV") or 1.0)
    near = {other: stored * (unit_in_microvolts(other) or 1.0) for other in ("uV", "mV", "V", "nV")}
    likely = min(near, key=lambda other: abs(np.log(near[other] / _TYPICAL)))
    if unit is not None and low <= near[likely] <= high:
        what = f"a spread of {_rounded(spread)} uV: the header says that values are {unit}, and they look like {likely}"
        raise DataError(what, where=where, do=f"mend the header, or overrule it by --set corpus.unit={likely}")
    if spread < low:
        unit, factor = ("millivolts", "1e3") if spread > 5e-4 else ("volts", "1e6")
        raise DataError(
            f"a spread of {spread:.2g} looks like {unit}, not microvolts", where=where, do=f"multiply by {factor}"
        )
    what = f"a spread of {spread:.2g} looks like nanovolts or raw counts, not microvolts"
    raise DataError(what, where=where, do="apply the scale of the file's header")


def _rounded(value: float) -> str:
    return f"{float(f'{value:.2g}'):g}"


def _pieces(signal: np.ndarray, length: int) -> np.ndarray:
    """Return (pieces, channels, times): seconds of a signal, each channel less its median there."""
    length = min(length, signal.shape[1])
    starts = np.unique(np.linspace(0, signal.shape[1] - length, _PIECES).astype(int))
    pieces = np.stack([signal[:, start : start + length] for start in starts])
    return pieces - np.median(pieces, axis=-1, keepdims=True)


def check_events(events: pd.DataFrame, n_times: int, rate: float, *, where: object) -> None:
    """Refuse an event that does not lie within the recording, naming the first such row.

    Parameters
    ----------
    events : DataFrame
        Columns `onset` and `duration`, seconds on the recording's clock.
    n_times, rate : int, float
        Samples of the recording, and samples per second; half a sample beyond the end is forgiven to rounding.
    where : object
        The file or recording, for the error.

    Examples
    --------
    >>> check_events(pd.DataFrame({"onset": [1, 9.8], "duration": [0.5, 0.5]}), 2500, 250, where="s01.edf")
    Traceback (most recent call last):
    ...
    insula.errors.DataError: event 1 (9.8 s to 10.3 s) lies outside the 10 s recorded (s01.edf): correct or drop the row
    """
    missing = [column for column in ("onset", "duration") if column not in events.columns]
    if missing:
        raise DataError(f"events lack the column {missing[0]!r}", where=where, do="give onset and duration in seconds")
    onset, duration = (events[column].to_numpy(float) for column in ("onset", "duration"))
    inside = (onset >= 0) & (duration >= 0) & (onset + duration <= (n_times + 0.5) / rate)  # NaN is not inside
    if not inside.all():
        row = int(np.argmin(inside))
        span = f"{onset[row]:g} s to {onset[row] + duration[row]:g} s"
        what, do = f"event {events.index[row]} ({span}) lies", "correct or drop the row"
        if len(inside) > 1 and not inside.any():
            what, do = f"all {len(inside)} events (the first {span}) lie", "give seconds from the recording's start"
        what += f" outside the {n_times / rate:g} s recorded"
        raise DataError(what, where=where, do=do)


def check_rate(declared: float, header: float, *, where: object) -> None:
    """Refuse a sampling rate that is not the one in the file's header, to one part in a thousand.

    Examples
    --------
    >>> check_rate(500, 128, where="s01.edf")
    Traceback (most recent call last):
    ...
    insula.errors.DataError: the sampling rate is declared as 500 Hz, the header says 128 Hz (s01.edf): trust the header
    """
    if not (header > 0 and abs(declared - header) <= 1e-3 * header):
        what = f"the sampling rate is declared as {declared:g} Hz, the header says {header:g} Hz"
        raise DataError(what, where=where, do="trust the header" if header > 0 else "mend the file's header")
