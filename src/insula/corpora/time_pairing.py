"""Face video and EEG on one clock: what lies between two clocks, and which frame shows the face of which window.

Everything goes by times, never by counts of frames: rates vary, and frames are dropped.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, PositiveFloat, PositiveInt

from insula.errors import DataError
from insula.storage.settings import Settings

MAX_DRIFT = 2000.0
"""Parts per million: beyond it two clocks are not of one recording. Quartz is within 100, 29.97 for 30 frames 1,000."""

Shown = TypeVar("Shown")


class Alignment(Settings):
    """How the frames of a camera are put on the clock of an EEG, and when a window counts as without a face.

    Parameters
    ----------
    offset : float
        Seconds by which the camera's first frame was taken later than the corpus says.
    drift : float
        Parts per million by which the EEG's clock gains on the camera's, beside what the corpus says.
    frames : int
        Frames looked at in a window, evenly spaced. Of those that show a face the one nearest to the window's middle is
        taken; where fewer than half of them show one, the cell is missing.
    max_skew : float
        Seconds; a frame further from the moment it is wanted for is no frame of it.
    """

    offset: float = 0.0
    drift: float = Field(0.0, ge=-MAX_DRIFT, le=MAX_DRIFT)
    frames: PositiveInt = 3
    max_skew: PositiveFloat = 0.25


@dataclass(frozen=True)
class Clock:
    """How a camera's seconds become those of the EEG: ``offset + (1 + drift / 1e6) * seconds``.

    Parameters
    ----------
    offset : float
        The EEG's time when the camera's is 0.
    drift : float
        Parts per million.
    residual : float
        Root mean square (s) of what the shared events leave; 0 where there are but two, which always fit.

    Examples
    --------
    >>> clock = Clock(offset=2.0, drift=100.0)
    >>> clock.to_eeg(10.0).item(), clock.to_camera(clock.to_eeg(10.0)).item()
    (12.001, 10.0)
    """

    offset: float = 0.0
    drift: float = 0.0
    residual: float = 0.0

    def to_eeg(self, seconds: ArrayLike) -> np.ndarray:
        """Return the EEG's time at these times of the camera."""
        return self.offset + (1 + self.drift / 1e6) * np.asarray(seconds, float)

    def to_camera(self, seconds: ArrayLike) -> np.ndarray:
        """Return the camera's time at these times of the EEG."""
        return (np.asarray(seconds, float) - self.offset) / (1 + self.drift / 1e6)


def fit_clock(camera: ArrayLike, eeg: ArrayLike, tolerance: float = 0.1) -> Clock:
    """Return the clock that fits events seen by both best, by least squares.

    Parameters
    ----------
    camera, eeg : array, shape (events,)
        When each event was, in seconds, on either clock, in order; two or more.
    tolerance : float
        Seconds that an event may lie off the line without a warning.

    Raises
    ------
    DataError
        Where events are fewer than two, not the same in number, not finite or not in order, or where the clocks drift
        apart by more than `MAX_DRIFT`.

    Warns
    -----
    UserWarning
        Where an event lies off the line through all of them by more than the tolerance.

    Examples
    --------
    >>> fit_clock([0, 100, 200], [5, 105.01, 205.02])
    Clock(offset=5.0, drift=100.0, residual=0.0)
    """
    seen, marked = np.asarray(camera, float), np.asarray(eeg, float)
    if seen.ndim != 1 or seen.shape != marked.shape or len(seen) < 2:
        what = f"{seen.size} events of the camera and {marked.size} of the EEG"
        raise DataError(what, do="give the same events of both, two or more")
    for times, whose in ((seen, "the camera"), (marked, "the EEG")):
        if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
            raise DataError(f"the events of {whose} are not finite or not in order", do="sort them, and give each once")
    centred = seen - seen.mean()
    slope = centred @ (marked - marked.mean()) / (centred @ centred)
    offset = marked.mean() - slope * seen.mean()
    drift = (slope - 1) * 1e6
    if abs(drift) > MAX_DRIFT:
        what = f"the clocks drift apart by {drift:,.0f} parts per million, where {MAX_DRIFT:,.0f} is much"
        raise DataError(what, do="check that both saw the same events, and the rates that times were counted at")
    off = marked - offset - slope * seen
    worst = int(np.abs(off).argmax())
    if abs(off[worst]) > tolerance:
        what = f"event {worst} of {len(seen)} lies {off[worst]:+.3g} s off the line through all: a clock jumped, "
        warnings.warn(f"{what}or it is another event; pair each part by itself, or leave the event out", stacklevel=2)
    residual = 0.0 if len(seen) == 2 else np.sqrt(np.mean(off**2))
    return Clock(*(round(float(value), 9) for value in (offset, drift, residual)))


def moments(start: np.ndarray, stop: np.ndarray, frames: int) -> np.ndarray:
    """Return float (windows, frames): evenly spaced moments of each window; an odd number has one in the middle.

    Examples
    --------
    >>> moments(np.array([0.0, 2.0]), np.array([2.0, 4.0]), 1).tolist()
    [[1.0], [3.0]]
    """
    share = (np.arange(frames) + 0.5) / frames
    return start[:, None] + (stop - start)[:, None] * share


def nearest_frames(frames: Iterable[tuple[float, Shown]], wanted: np.ndarray) -> Iterator[tuple[float, Shown]]:
    """Yield, for each wanted time, the frame nearest to it, reading on no further than that takes.

    Two frames are held at a time. Where there is no frame at all nothing is yielded.

    Parameters
    ----------
    frames : iterable of (float, anything)
        Times, which increase, and what was seen then.
    wanted : array, shape (times,)
        In order.

    Raises
    ------
    DataError
        Where a frame's time is not finite, or not later than that of the frame before.

    Examples
    --------
    >>> list(nearest_frames([(0.0, "a"), (0.4, "b"), (2.0, "c")], np.array([0.3, 1.0, 1.9])))
    [(0.4, 'b'), (0.4, 'b'), (2.0, 'c')]
    """
    rest = _in_order(frames)
    before = after = next(rest, None)
    for time in wanted:
        while after is not None and after[0] < time:
            before, after = after, next(rest, None)
        near = [frame for frame in (before, after) if frame is not None]
        if not near:
            return
        yield min(near, key=lambda frame: abs(frame[0] - time))


def _in_order(frames: Iterable[tuple[float, Shown]]) -> Iterator[tuple[float, Shown]]:
    last = -np.inf
    for time, shown in frames:
        if not last < time < np.inf:
            what = f"a frame of {time:g} s follows one of {last:g} s"
            raise DataError(what, do="times must increase from frame to frame: write the video anew")
        last = time
        yield time, shown


def cells(
    times: np.ndarray, detected: np.ndarray, start: np.ndarray, stop: np.ndarray, alignment: Alignment
) -> tuple[np.ndarray, np.ndarray]:
    """Return which frame is the face of each window, -1 where it is missing, and how far it is from the middle.

    Parameters
    ----------
    times : array, shape (windows, frames)
        When the frame nearest to each of `moments` was taken, on the EEG's clock; NaN where there is none.
    detected : bool array, shape (windows, frames)
        Whether it shows a face.
    start, stop : array, shape (windows,)
        Of the windows, on the EEG's clock.
    alignment : Alignment
        What counts as missing.

    Returns
    -------
    chosen : int array, shape (windows,)
    skew : array, shape (windows,)
        Seconds after the middle of the window; NaN where it is missing.
    """
    in_time = np.abs(times - moments(start, stop, times.shape[1])) <= alignment.max_skew  # NaN is not
    faces = in_time & detected
    off = times - ((start + stop) / 2)[:, None]
    chosen = np.where(faces, np.abs(off), np.inf).argmin(axis=1)
    enough = faces.any(axis=1) & (2 * faces.sum(axis=1) >= in_time.sum(axis=1))
    skew = np.take_along_axis(off, chosen[:, None], axis=1)[:, 0]
    return np.where(enough, chosen, -1), np.where(enough, skew, np.nan)
