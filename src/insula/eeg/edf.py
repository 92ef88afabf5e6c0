"""The header of EDF and BDF files, and the times of their records.

MNE resamples uneven channels, renames duplicates and forgives truncation and gaps, all in silence. The fields are those
of Kemp et al. 1992, A simple format for exchange of digitized polygraphic recordings, and Kemp and Olivan 2003,
European data format plus; BDF has three bytes a value where EDF has two.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from insula.errors import DataError

DURATION = slice(244, 252)
"""Where in the header the duration of a record stands: the one number that some programs write with a comma."""

ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_RANGES = (104, 112, 120, 128)  # where the ends of the physical and of the digital range stand
_JUMP = 0.1  # seconds that a record may begin early or late: clocks and rounding, not a gap
_BEGINS = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15\d*(?:\.\d*)?)?\x14")


def edf_channels(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return `channel`, `unit` and `rate` of each channel as the header spells them, and what is odd about the file.

    `dropped` says of a channel whose values have no scale that it is so.

    Raises
    ------
    DataError
        Where the header cannot be read, the file is too short, its records do not follow one another, or it holds
        annotations alone.
    """
    try:
        with open(path, "rb") as file:
            fixed = file.read(256).decode("latin-1")
            size, kind, n = int(fixed[184:192]), fixed[192:236].strip(), int(fixed[252:])
            fields = file.read(256 * n).decode("latin-1")
        if len(fields) < 256 * n or n < 1:
            raise ValueError
    except ValueError:
        what = f"this {path.suffix.lower()} file cannot be read: its header is cut off or of another kind"
        raise DataError(what, where=path, do="copy or export it again") from None

    def column(offset: int, width: int) -> list[str]:
        return [fields[offset * n + width * i :][:width].strip() for i in range(n)]

    labels = column(0, 16)
    if all(label in ANNOTATIONS for label in labels):
        raise DataError("no EEG in this file: it holds annotations alone", where=path, do="leave it out")
    seconds = _number(fixed[DURATION], "the duration of a record", path)
    records = int(_number(fixed[236:244], "the number of records", path, above=None))
    lengths = [int(_number(text, f"the samples of {label} a record", path))
               for text, label in zip(column(216, 8), labels, strict=True)]  # fmt: skip
    ends = [column(offset, 8) for offset in _RANGES]
    dropped = [_dropped(label, ends, path) for label, ends in zip(labels, zip(*ends, strict=True), strict=True)]
    rates = [length / seconds for length in lengths]
    width = 2 if path.suffix.lower() == ".edf" else 3
    record = sum(lengths) * width
    beyond = path.stat().st_size - size - records * record
    if records < 1 or not 0 <= beyond < record:
        what = f"the file has {path.stat().st_size} bytes, its header says {size + records * record}"
        raise DataError(what, where=path, do="it is truncated or was never closed: copy or export it again")
    marks = next((place for place, label in enumerate(labels) if label in ANNOTATIONS), None)
    if marks is not None:
        values = np.memmap(path, np.uint8, "r", offset=size, shape=(records, record))
        first = sum(lengths[:marks]) * width
        begins = [_BEGINS.match(row.tobytes()) for row in values[:, first : first + min(64, lengths[marks] * width)]]
        _check_times([float(match[1]) if match else np.nan for match in begins], seconds, kind, path)
    elif kind.endswith("+D"):
        _check_times([np.nan], seconds, kind, path)
    table = pd.DataFrame({"channel": labels, "unit": column(96, 8), "rate": rates, "dropped": dropped})
    notes = [f"{beyond} bytes after the last record are not read"] if beyond else []
    return table[~table["channel"].isin(ANNOTATIONS)].reset_index(drop=True), notes


def _dropped(label: str, ends: tuple[str, ...], path: Path) -> str | None:
    """Return why the values of a channel have no scale, by the ends of its ranges; None where they have one."""
    for of, texts in (("physical", ends[:2]), ("digital", ends[2:])):
        low, high = (_number(text, f"the {of} range of {label}", path, above=None) for text in texts)
        if low == high and label not in ANNOTATIONS:
            return f"{of} range from {low:g} to {high:g}"
    return None


def _number(text: str, what: str, path: Path, above: float | None = 0) -> float:
    """Return a number of the header, which some programs write with a comma."""
    with suppress(ValueError):
        value = float(text.replace(",", "."))
        if math.isfinite(value) and (above is None or value > above):
            return value
    positive = "" if above is None else " above 0"
    do = f"write a number{positive} there, or export it again"
    raise DataError(f"{what} is {text.strip()!r} in the header", where=path, do=do)


def _check_times(begins: list[float], seconds: float, kind: str, path: Path) -> None:
    """Refuse records that do not follow one another, whatever the header says of gaps."""
    do = "export it as one continuous recording, or each part on its own"
    if np.isnan(begins).any():
        if kind.endswith("+D"):
            raise DataError("the recording has gaps (EDF+D)", where=path, do=do)
        return
    late = np.diff(begins) - seconds
    if len(late) and np.abs(late).max() > _JUMP:
        place = int(np.argmax(np.abs(late) > _JUMP))
        many = int((np.abs(late) > _JUMP).sum())
        what = (
            f"the recording has gaps ({kind[-5:]}): {many}, the first after {(place + 1) * seconds:g} s, "
            f"of {late[place]:g} s"
        )
        raise DataError(what, where=path, do=do)
