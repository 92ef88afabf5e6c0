"""What is noticed of a study's recordings and labels and stops nothing, a line a kind."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd

from insula.corpora.own_names import about_labels
from insula.corpora.recording_channels import channel_sidecar, spelt_as
from insula.corpora.recording_files import RecordingFile
from insula.eeg.checks import check_scales
from insula.eeg.montage import some
from insula.eeg.opening import stored_channels
from insula.eeg.triggers import TRIGGERS
from insula.eeg.units import unit_in_microvolts
from insula.errors import InsulaError
from insula.samples import Recording
from insula.storage.tables import is_missing


def notes_about(recordings: Mapping[RecordingFile, Recording], without_events: bool, unit: str | None) -> list[str]:
    """Return what is odd about files, a line a kind of oddity, such as triggers where there are no other events.

    Parameters
    ----------
    recordings : mapping of RecordingFile to Recording
        Those of a corpus that can be read.
    without_events : bool
        Whether nothing says when something happened.
    unit : str, optional
        The setting of the corpus, which overrules headers and `channels.tsv`.
    """
    names: dict[str, list[str]] = {}
    for one, recording in recordings.items():
        notes = [*recording.notes, *_beside(one, recording, unit)]
        with suppress(InsulaError):  # which `check` says
            notes += check_scales(recording, where=one.path)
        channels = stored_channels(one.path)[0]["channel"] if without_events else pd.Series(dtype=str)
        for channel in channels[channels.str.contains(TRIGGERS)]:
            do = "--set corpus.events=annotations makes events of them"
            notes.append(f"the channel {channel} may hold triggers, which are not read: {do}")
        for note in notes:
            names.setdefault(note, []).append(one.path.name)
    return [f"{note} ({some(several, 3)})" for note, several in names.items()]


def _beside(one: RecordingFile, recording: Recording, unit: str | None) -> list[str]:
    """Return where `channels.tsv` and the file disagree: on channels that are bad, and on units."""
    if one.channels is None:
        return []
    table, notes = channel_sidecar(one.channels), []
    names = spelt_as(table["name"], stored_channels(one.path)[0]["channel"])
    strange = table["name"][names.isna() & table["bad"]]
    if len(strange):
        notes.append(f"channels.tsv calls {some(strange)} bad, which the file does not have: correct the names")
    units = dict(zip(names, table["units"], strict=True)) if "units" in table else {}
    differ: dict[tuple[str, str], list[str]] = {}
    for channel, header in recording.declared if unit is None else ():
        other = units.get(channel)
        factors = [unit_in_microvolts(text) for text in (header, other) if isinstance(text, str)]
        if isinstance(other, str) and None not in factors and len(set(factors)) > 1:
            differ.setdefault((other, header), []).append(channel)
    return notes + [
        f"channels.tsv says {other} of {some(channels)}, the file {header}, which is believed: "
        f"if it is wrong, --set corpus.unit={other}"
        for (other, header), channels in differ.items()
    ]


def label_notes(rows: pd.DataFrame, label: str, what: str, where: Path, *, named: bool = False) -> list[str]:
    """Return what one should know of labels: how many of each, missing ones, odd ones, and events that are there twice.

    Parameters
    ----------
    rows : DataFrame
        One row an event or a recording, with `place`, which recording it is of, and `onset` of events.
    label : str
        The column that is the label.
    what : {"events", "recordings"}
        What a row is.
    where : Path
        The file that rows are from.
    named : bool
        Whether settings name the labels, so that none is odd.

    Examples
    --------
    >>> rows = pd.DataFrame({"onset": [1.0, 1.0, 3.0], "place": 0, "emotion": ["fear", "fear", "nan"]})
    >>> for note in label_notes(rows, "emotion", "events", Path("events.csv")):
    ...     print(note)
    1 of 3 events without a label (1 x 'nan'): never learnt nor scored; give it
    1 class: fear 2
    events that are there twice: 1 (first: events.csv, row 1); remove them: each counts as a trial
    """
    if label not in rows:
        cut = "no events are told, so recordings are cut into windows, and " if what == "recordings" else ""
        return [f"{cut}no label {label}: nothing in the folder gives it; set label to its column, or to null"]
    notes = about_labels(rows[label].rename(label), what, "markers")
    if named:
        notes = notes[: 1 + int(is_missing(rows[label]).any())]
    if "onset" not in rows:
        return notes
    copies = rows.duplicated(["place", "onset", label])
    if copies.any():
        first = f"{where}, row {copies.idxmax()}"
        notes.append(
            f"events that are there twice: {copies.sum()} (first: {first}); remove them: each counts as a trial"
        )
    words = rows[~copies & ~is_missing(rows[label])]
    differ = words.duplicated(["place", "onset"])
    if differ.any():
        first = f"{where}, row {differ.idxmax()}"
        notes.append(
            f"events at one time under two labels: {differ.sum()} (first: {first}); keep one, or each is a trial"
        )
    return notes
