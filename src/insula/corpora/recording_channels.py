"""Which channels are read from recordings: renamed, sorted out, and the same in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import yaml

from insula.corpora.recording_files import RecordingFile
from insula.eeg.montage import canonical
from insula.eeg.opening import stored_channels
from insula.eeg.reading import channel_table
from insula.errors import DataError, SettingsError
from insula.storage.tables import read_table

Names = Mapping[str, str | None]
"""From channels as files name them to 10-05 electrodes, or to None, which leaves one out."""


def read_names(rename: Names | str | None, root: Path) -> Names:
    """Return the setting `rename`, read from its YAML file where it names one.

    Raises
    ------
    DataError
        If the file is absent, no YAML, or no mapping.
    """
    if not isinstance(rename, str):
        return rename or {}
    path = root / rename
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise DataError(f"cannot be read: {error}", where=path, do="give a YAML file, a line a channel") from None
    if not isinstance(values, dict) or not all(isinstance(name, str | None) for name in values.values()):
        raise DataError("no mapping of names", where=path, do="write a line a channel, as in 'EEG 001: Fz'")
    return {str(key): name for key, name in values.items()}


def names_in(one: RecordingFile, rename: Names, unit: str | None = None) -> tuple[Names, list[str]]:
    """Return how channels of a file are renamed, and which electrodes are bad, BIDS `channels.tsv` included.

    Channels of another type than EEG are left out, unless `rename` says what they are.

    Raises
    ------
    DataError
        If `channels.tsv` lacks a column.
    """
    if one.channels is None:
        return rename, []
    table = channel_sidecar(one.channels)
    table["name"] = spelt_as(table["name"], stored_channels(one.path)[0]["channel"])
    other = table["type"].notna() & (table["type"] != "EEG")
    rename = {**dict.fromkeys(table["name"][table["name"].notna() & other]), **rename}
    electrodes = channel_table(one.path, rename, unit).set_index("channel")["electrode"]
    bad = electrodes[table["name"][table["bad"]].dropna()]
    return rename, bad.dropna().tolist()


def channel_sidecar(path: Path) -> pd.DataFrame:
    """Return BIDS `channels.tsv`: `name` as text, `type` in capitals, whether one is `bad`, and what else it says.

    Raises
    ------
    DataError
        If it lacks a column.
    """
    table = read_table(path, ["name"])
    table.columns = table.columns.str.lower()
    if not {"name", "type"} <= set(table.columns):
        raise DataError("no column name or type", where=path, do="complete it as BIDS says")
    marks = table["status"].astype("str").str.strip().str.lower() if "status" in table else pd.Series("", table.index)
    kinds = table["type"].astype("str").str.strip().str.upper()
    return table.assign(type=kinds, bad=marks == "bad")


def spelt_as(names: pd.Series, channels: pd.Series) -> pd.Series:
    """Return names of channels as the file spells them, missing where it has none: capitals and blanks do not matter.

    Examples
    --------
    >>> spelt_as(pd.Series(["FP1", "fp2", "Cz"]), pd.Series(["Fp1", "FP2", "fp2"])).tolist()
    ['Fp1', 'fp2', nan]
    """
    spellings = {_plain(name): name for name in channels} | {name: name for name in channels}
    return names.map(lambda name: spellings.get(name, spellings.get(_plain(name)))).astype("str")


def _plain(name: str) -> str:
    return "".join(str(name).split()).casefold()


def shared_channels(
    files: Sequence[RecordingFile], rename: Names, asked: str | tuple[str, ...] | None, unit: str | None = None
) -> tuple[str, ...]:
    """Return the electrodes to read from each file, in the order of the first.

    Parameters
    ----------
    files : sequence of RecordingFile
        The recordings; only headers are read.
    rename, asked, unit
        As the settings `rename`, `channels` and `unit` of the corpus.

    Raises
    ------
    DataError
        If a header cannot be read, channels differ where none are asked for, or none is common.
    SettingsError
        If no electrode at all is asked for.
    """
    if asked == ():
        raise SettingsError("no electrode is named", where="channels", do="name some, or leave the setting out")
    if isinstance(asked, tuple):
        return canonical(asked, where="channels")
    each = [_electrodes(one, rename, unit, strict=asked is None) for one in files]
    first = each[0]
    for one, channels in zip(files, each, strict=True):
        differ = [*(name for name in first if name not in channels), *(name for name in channels if name not in first)]
        if differ and asked is None:
            has, lacks = (files[0], one) if differ[0] in first else (one, files[0])
            what = f"{lacks.path.name} lacks the channel {differ[0]}, which {has.path.name} has"
            raise DataError(what, where=lacks.path, do="set channels to common, or name those to read")
    common = tuple(name for name in first if all(name in channels for channels in each))
    if not common:
        raise DataError("no electrode is in all recordings", where=files[0].path.parent, do="set channels or rename")
    return common


def readable_of(files: Sequence[RecordingFile]) -> list[RecordingFile]:
    """Return the recordings whose header can be read."""
    readable = []
    for one in files:
        with suppress(DataError):
            stored_channels(one.path)
            readable.append(one)
    return readable


def _electrodes(one: RecordingFile, rename: Names, unit: str | None, *, strict: bool) -> tuple[str, ...]:
    table = channel_table(one.path, names_in(one, rename, unit)[0], unit)
    table = table[table["dropped"].isna()]
    return canonical(table["name"].tolist(), where=one.path) if strict else tuple(table["electrode"].dropna())
