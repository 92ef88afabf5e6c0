"""XDF, the format of the Lab Streaming Layer, by pyxdf: its stream of EEG, and its markers as annotations."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from insula.eeg.units import unit_in_microvolts
from insula.errors import DataError

_JUMP = 0.1  # seconds between two samples, beyond those that their rate says, that are a gap


def open_xdf(path: Path) -> tuple[Any, list[str], list[str]]:
    """Return an XDF file as MNE's Raw, the unit of each of its channels, and what pyxdf warned of.

    Volts as MNE has them, where the unit is one of voltage; other channels as they are.

    Raises
    ------
    DataError
        Where it holds no stream of EEG, several, or one with gaps.
    """
    return _opened(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _opened(path: Path, written: int) -> tuple[Any, list[str], list[str]]:
    """Read it whole, as pyxdf does, once for all pieces that are asked for."""
    import mne
    import pyxdf

    warned = _Lines(logging.WARNING)
    pyxdf.pyxdf.logger.addHandler(warned)
    try:
        streams, _ = pyxdf.load_xdf(path, verbose=False, jitter_break_threshold_samples=0)  # of any rate, a second
    finally:
        pyxdf.pyxdf.logger.removeHandler(warned)
    chosen = [one for one in streams if one["info"]["type"][0].upper() == "EEG" and len(one["time_stamps"]) > 1]
    if len(chosen) != 1:
        names = ", ".join(f"{one['info']['name'][0]} ({one['info']['type'][0]})" for one in streams)
        do = f"keep one of type EEG a file; there is {names or 'none'}"
        raise DataError(f"{len(chosen)} streams of EEG", where=path, do=do)
    (stream,), stamps = chosen, chosen[0]["time_stamps"]
    rate = float(stream["info"]["nominal_srate"][0]) or (len(stamps) - 1) / (stamps[-1] - stamps[0])
    late = np.diff(stamps) - 1 / rate
    if late.max() > _JUMP:
        what = f"the stream has gaps, the first after {stamps[np.argmax(late > _JUMP)] - stamps[0]:g} s"
        raise DataError(what, where=path, do="export each part on its own")
    channels = _described(stream, len(stream["time_series"][0]))
    factors = np.array([1e-6 * (unit_in_microvolts(unit) or 1e6) for _, unit in channels])
    values = np.asarray(stream["time_series"], float).T * factors[:, None]
    raw = mne.io.RawArray(values, mne.create_info([name for name, _ in channels], rate, "eeg"), verbose="error")
    marks = [(stamp - stamps[0], str(text[0])) for one in streams if one["info"]["channel_format"][0] == "string"
             for stamp, text in zip(one["time_stamps"], one["time_series"], strict=True)]  # fmt: skip
    onsets, texts = zip(*sorted(marks), strict=True) if marks else ((), ())
    raw.set_annotations(mne.Annotations(onsets, 0.0, texts), verbose="warning")
    return raw, [unit for _, unit in channels], warned.lines


class _Lines(logging.Handler):
    """Keeps what is logged, each line once, in place of printing it."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() not in self.lines:
            self.lines.append(record.getMessage())


def _described(stream: Any, count: int) -> list[tuple[str, str]]:
    """Return name and unit of each channel; numbers where the stream does not describe them."""
    try:
        described = stream["info"]["desc"][0]["channels"][0]["channel"]
        pairs = [(str(one["label"][0]), str((one.get("unit") or [""])[0] or "")) for one in described]
    except (KeyError, IndexError, TypeError):
        pairs = []
    return pairs if len(pairs) == count else [(f"channel {number}", "") for number in range(1, count + 1)]
