"""BrainVision's header, where MNE is silent about what it says: units, and the size of the data."""

from __future__ import annotations

import re
from pathlib import Path

from insula.errors import DataError

_NUMBER = r"(?=[\d.]*[1-9])\d*\.?\d*(?:[eE][+-]?\d+)?"  # above 0


def check_size(path: Path, data: Path) -> None:
    """Compare the size of the data with header and markers: MNE drops half a sample and late markers in silence.

    Raises
    ------
    DataError
        If the data are too short or too long.
    """
    header = _entries(path, "latin-1")  # only keys and numbers are looked for
    width = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}.get(header.get("binaryformat", "").upper())
    if width is None or header.get("dataformat", "BINARY").upper() != "BINARY":
        return
    size, sample = data.stat().st_size, width * int(header["numberofchannels"])
    points = header.get("datapoints", "")
    wanted = int(points) if points.isdigit() else None
    marks = path.parent / header.get("markerfile", "").replace("$b", path.stem)  # the folder, where none is named
    last = 0
    if marks.is_file():
        samples = re.findall(r"^Mk\d+=[^,\r\n]*,[^,\r\n]*,(\d+)", marks.read_bytes().decode("latin-1"), re.MULTILINE)
        last = max(map(int, samples), default=0)
    if size % sample or (wanted is not None and size != wanted * sample) or last > size // sample + 1:
        says = f"{sample} bytes a sample and markers to sample {last}" if wanted is None else f"{wanted * sample} bytes"
        what = f"{data.name} has {size} bytes, its header says {says}"
        raise DataError(what, where=path, do="it is truncated: copy or export it again")


def check_files(path: Path) -> None:
    """Refuse a header that names files which are not there, as where all three were renamed, or no number.

    Raises
    ------
    DataError
        Naming the line of the header and, where it is there, the file that is meant.
    """
    header = _entries(path, "utf-8")
    for key in ("SamplingInterval", "NumberOfChannels"):
        text = header.get(key.lower(), "1")
        if not re.fullmatch(_NUMBER, text):
            do = f"write a number above 0{', with a point' if ',' in text else ''}, or export it again"
            raise DataError(f"its line {key}={text} is no number above 0", where=path, do=do)
    for row in _channel_lines(path):
        if not re.fullmatch(rf"[^,]*,[^,]*,\s*(-?{_NUMBER})?\s*(,[^,\d]*(,.*)?)?", row):
            do = "write name,reference,resolution,unit there, with a point in the number, or export it again"
            raise DataError(f"its line of a channel is {row!r}", where=path, do=do)
    for key, suffixes in (("DataFile", (".eeg", ".dat")), ("MarkerFile", (".vmrk",))):
        name = header.get(key.lower(), "").replace("$b", path.stem)
        if not name or "\ufffd" in name or (path.parent / name).is_file():  # of another code page MNE knows more
            continue
        beside = [other.name for other in map(path.with_suffix, suffixes) if other.is_file()]
        if beside or key == "DataFile":  # MNE reads a recording without markers
            do = f"write {key}={beside[0]} in it" if beside else "copy that file, too, to where the header lies"
            raise DataError(f"its line {key}={name} names no file", where=path, do=do)


def _entries(path: Path, encoding: str) -> dict[str, str]:
    """Return what a header says before its comments, by keys in lower case."""
    text = path.read_bytes().decode(encoding, errors="replace").partition("[Comment]")[0]
    return {
        key.lower(): value.strip() for key, value in re.findall(r"^(\w+)[ \t]*=[ \t]*([^\r\n]*)", text, re.MULTILINE)
    }


def units_of(path: Path) -> list[str]:
    """Return the unit of each channel as the header spells it, microvolts where it names none."""
    return [(*row.split(","), "", "", "", "")[3].strip() or "uV" for row in _channel_lines(path)]


def _channel_lines(path: Path) -> list[str]:
    """Return what the header says of each channel: name, reference, resolution and unit, with commas between."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    section = re.search(r"^\[Channel Infos\](.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL | re.IGNORECASE)
    return re.findall(r"^Ch\d+[ \t]*=[ \t]*([^\r\n]*)", section[1] if section else "", re.MULTILINE)
