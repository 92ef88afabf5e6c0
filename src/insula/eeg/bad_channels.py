"""Channels that are far too loud in a trial, and their repair. Both look at one trial alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from insula.eeg.harmonisation import nearest_mean
from insula.eeg.loudness import median_magnitude
from insula.eeg.montage import canonical
from insula.errors import DataError

#: Electrodes that see blinks best: repaired before ICA, they would hide from it what it is to take out.
BLINK_ELECTRODES = ("Fp1", "Fp2", "F7", "F8")

_LOUD = ((3, 0.40), (30, 0.01))  # times the median magnitude, and the share of samples that may exceed it


def loud_channels(signal: np.ndarray) -> np.ndarray:
    """Return bool (..., channels): where a channel of a trial is bad.

    It is where the magnitude exceeds 3 times the median magnitude of the trial's channels in more than 40 % of samples,
    or 30 times in more than 1 %. A flat channel passes (`insula.eeg.checks.unusable_channels` finds it).

    Parameters
    ----------
    signal : ndarray, (..., channels, times)
        A trial, or several; in any unit, without offset.

    Raises
    ------
    DataError
        If a trial is empty, holds NaN or infinite values, or is zero for the most part.

    Examples
    --------
    >>> trial = np.ones((4, 200))
    >>> trial[1, :90], trial[2, :3], trial[3, :2] = 3.5, 31, 31  # 45 %, 1.5 % and 1 %
    >>> loud_channels(trial)
    array([False,  True,  True, False])
    """
    if signal.ndim < 2 or not signal.size:
        raise DataError(f"a trial of shape {signal.shape}", do="give (channels, times), at least one of each")
    trials = signal.reshape(-1, *signal.shape[-2:])
    return np.reshape([loud_channels_of_parts([trial]) for trial in trials], signal.shape[:-1])


def loud_channels_of_parts(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return `loud_channels` of one trial that comes in parts (channels, times): memory is that of the largest."""
    median = median_magnitude(parts)
    if median == 0:
        raise DataError("a trial that is zero for the most part", do="drop it, or the channels that are off")
    times = sum(part.shape[-1] for part in parts)
    loud = [
        sum((np.abs(part) > factor * median).sum(axis=-1) for part in parts) > share * times for factor, share in _LOUD
    ]
    return np.any(loud, axis=0)


def repair(signal: np.ndarray, channels: Sequence[str], bad: np.ndarray, untouched: Sequence[str] = ()) -> np.ndarray:
    """Return a trial whose bad channels are the mean of the three nearest good ones, weighted by inverse distance.

    Parameters
    ----------
    signal : ndarray, (channels, times)
        The trial.
    channels : sequence of str
        Electrodes, one a row.
    bad : bool array, (channels,)
        As of `loud_channels`.
    untouched : sequence of str
        Electrodes that stay as they are (before ICA, `BLINK_ELECTRODES`); where bad, nothing is repaired from them.

    Raises
    ------
    DataError
        If an electrode is unknown, shapes do not fit, values are not finite or no channel is good.

    Examples
    --------
    >>> trial = np.array([[2.0], [90.0], [4.0]])
    >>> repair(trial, ["C3", "Cz", "C4"], np.array([False, True, False])).round(1).ravel()
    array([2., 3., 4.])
    """
    names, kept = canonical(channels), canonical(untouched)
    if signal.ndim != 2 or not len(signal) == len(names) == len(bad):
        what = f"{len(names)} channel names and {len(bad)} marks for a signal of shape {signal.shape}"
        raise DataError(what, do="give (channels, times), and a name and a mark for each row")
    good = np.flatnonzero(~bad)
    mend = np.array([row for row in np.flatnonzero(bad) if names[row] not in kept], int)
    if not len(good):
        raise DataError("no good channel to repair from", do="drop the trial")
    if not np.isfinite(signal[good]).all():
        raise DataError("good channels with NaN or infinite values", do="mark them as bad, or drop the trial")
    result = signal.astype(np.result_type(signal, np.float32))
    weights = nearest_mean([names[row] for row in mend], [names[row] for row in good], inverse_distance=True)
    result[mend] = weights @ signal[good]
    return result
