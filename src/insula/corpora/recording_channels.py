"""Which channels are read from recordings: renamed, sorted out, and the same in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import yaml

from insula.corpora.recording_files import RecordingFile
from insula.eeg.montage import canonical, some
from insula.eeg.reading import channel_table
from insula.eeg.triggers import TRIGGERS
from insula.errors import DataError, InsulaError, SettingsError
from insula.samples import Recording
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
    table = read_table(one.channels)
    if not {"name", "type"} <= set(table.columns):
        raise DataError("no column name or type", where=one.channels, do="complete it as BIDS says")
    names = table["name"].astype("str")
    rename = {**dict.fromkeys(names[table["type"].str.upper() != "EEG"]), **rename}
    marked = names[table["status"] == "bad"] if "status" in table else []
    electrodes = channel_table(one.path, rename, unit).set_index("channel")["electrode"]
    return rename, [electrodes[name] for name in marked if name in electrodes and pd.notna(electrodes[name])]


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


def notes_about(
    files: Sequence[RecordingFile], opened: Callable[[RecordingFile], Recording], without_events: bool
) -> list[str]:
    """Return what is odd about files, a line a kind of oddity, such as triggers where there are no other events.

    Parameters
    ----------
    files : sequence of RecordingFile
        Of a corpus; those that cannot be read are passed over.
    opened : callable
        From a file to its recording.
    without_events : bool
        Whether nothing says when something happened.
    """
    names: dict[str, list[str]] = {}
    for one in files:
        with suppress(InsulaError):
            notes = opened(one).notes
            channels = channel_table(one.path)["channel"] if without_events else pd.Series(dtype=str)
            for channel in channels[channels.str.contains(TRIGGERS)]:
                do = "--set corpus.events=annotations makes events of them"
                notes += (f"the channel {channel} may hold triggers, which are not read: {do}",)
            for note in notes:
                names.setdefault(note, []).append(one.path.name)
    return [f"{note} ({some(several, 3)})" for note, several in names.items()]


def _electrodes(one: RecordingFile, rename: Names, unit: str | None, *, strict: bool) -> tuple[str, ...]:
    table = channel_table(one.path, names_in(one, rename, unit)[0], unit)
    table = table[table["dropped"].isna()]
    return canonical(table["name"].tolist(), where=one.path) if strict else tuple(table["electrode"].dropna())
