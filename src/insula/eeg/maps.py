"""Numbers behind scalp maps: time bins around an event, maps of classes, and how well two sets of maps agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from insula.eeg.features import samples_in
from insula.errors import DataError
from insula.samples import Description

BIN = 0.02
"""Seconds that are averaged to one point in time: finer than any component of an answer to a picture."""


@dataclass(frozen=True)
class Signals:
    """What electrodes measured, and what a system that knows the picture alone would draw on the same scalp.

    Parameters
    ----------
    real : array, shape (n, channels, bins)
        Measured epochs, averaged in time bins, microvolts.
    virtual : array, shape (n, channels, bins)
        Of the same subjects and pictures. It is a readout of a regression, a statistical proxy: nobody measured it. NaN
        where the system has nothing to draw.
    channels : tuple of str
        Electrodes.
    times : array, shape (bins,)
        Middle of each bin, seconds after the event.
    """

    real: np.ndarray
    virtual: np.ndarray
    channels: tuple[str, ...]
    times: np.ndarray


def is_time_locked(form: Description) -> bool:
    """Say whether a store holds signals cut around an event: what a map or a course over time can be read from."""
    return form.kind == "signal" and form.axes == ("channel", "time") and None not in (form.rate, form.start)


def time_bins(epochs: np.ndarray, form: Description) -> tuple[np.ndarray, np.ndarray]:
    """Average epochs in bins of about `BIN` seconds, none of which reaches over the event.

    What does not fill a bin, at either end, is left out.

    Parameters
    ----------
    epochs : array, shape (..., times)
        One epoch or many.
    form : Description
        Of the store they are from; its rate and start are used.

    Returns
    -------
    values : array, shape (..., bins)
        Mean of each bin.
    times : array, shape (bins,)
        Middle of each bin, seconds after the event.

    Raises
    ------
    DataError
        Where the store is not time-locked, or the epoch shorter than a bin.

    Examples
    --------
    >>> form = Description(kind="signal", axes=("channel", "time"), rate=100, start=-0.03)
    >>> values, times = time_bins(np.arange(8.0)[None], form)
    >>> values.tolist(), times.round(2).tolist()
    ([[1.5, 3.5, 5.5]], [-0.01, 0.01, 0.03])
    """
    if form.rate is None or form.start is None:
        raise DataError("epochs that follow no event have no course over time", do="cut them around events")
    rate, start = form.rate, form.start
    width = max(1, samples_in(BIN, rate))
    event = -samples_in(start, rate)  # place of the event's sample, rounded as epochs are cut
    first = event % width
    count = (epochs.shape[-1] - first) // width
    if count < 1:
        raise DataError(f"{epochs.shape[-1]} samples at {rate:g} Hz do not fill a time bin", do="give longer epochs")
    kept = epochs[..., first : first + count * width]
    times = (first - event + width * (np.arange(count) + 0.5)) / rate
    return kept.reshape(*epochs.shape[:-1], count, width).mean(axis=-1), times


def class_maps(values: np.ndarray, codes: np.ndarray, classes: int) -> np.ndarray:
    """Return how each class differs from the mean over classes.

    Parameters
    ----------
    values : array, shape (n, ...)
        Signals.
    codes : int array, shape (n,)
        Class of each, -1 where unknown.
    classes : int
        Number of classes.

    Returns
    -------
    array, shape (classes, ...)
        Mean of the class minus the mean over the classes that occur, each counting once; NaN for one that does not.

    Examples
    --------
    >>> class_maps(np.array([[1.0], [3.0], [8.0]]), np.array([0, 0, 1]), 2).tolist()
    [[-3.0], [3.0]]
    """
    means = np.full((classes, *values.shape[1:]), np.nan)
    for code in np.unique(codes[codes >= 0]):
        means[code] = values[codes == code].mean(axis=0, dtype=float)
    present = ~np.isnan(means.reshape(classes, -1)).all(axis=1)
    if not present.any():
        return means
    return means - means[present].mean(axis=0)


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two sets of maps over all their entries; NaN where there is nothing to correlate.

    Examples
    --------
    >>> agreement(np.array([[0.0, 1.0], [2.0, np.nan]]), np.array([[5.0, 6.0], [7.0, 1.0]]))
    1.0
    """
    both = np.isfinite(one) & np.isfinite(other)
    x, y = one[both] - one[both].mean(), other[both] - other[both].mean()
    length = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / length) if length > 0 else float("nan")
