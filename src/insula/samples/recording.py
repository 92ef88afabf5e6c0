"""A recording: what a reader of a corpus yields before anything is cut, with its events and its clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Recording:
    """Continuous EEG of one session.

    Parameters
    ----------
    corpus, subject, session : str
        Whose brain, and when.
    channels : tuple of str
        Electrode names, in the order of the rows of `read`.
    rate : float
        Samples per second, from the file's header.
    n_times : int
        Samples in all.
    reader : callable
        `reader(start, stop)` returns float32 (channels, times) in microvolts, read lazily.
    events : DataFrame
        Columns `onset` and `duration` (seconds on this recording's clock), `stimulus`, `trial`, and labels.
    fingerprint : str
        The sha256 of the content, or of what makes it.
    bad : tuple of str
        Channels that whoever recorded them calls bad.
    declared : tuple of (str, str)
        What the file calls each channel, and its unit; empty where it says neither.
    notes : tuple of str
        What was noticed when the file was opened and stops nothing, a line each.
    """

    corpus: str
    subject: str
    session: str
    channels: tuple[str, ...]
    rate: float
    n_times: int
    reader: Callable[[int, int], np.ndarray]
    events: pd.DataFrame
    fingerprint: str
    units: str = "uV"
    bad: tuple[str, ...] = ()
    declared: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return float32 (channels, times) in microvolts, from sample `start` up to `stop`."""
        return self.reader(start, self.n_times if stop is None else stop)
