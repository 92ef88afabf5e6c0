"""What is noticed of a study's recordings and labels and stops nothing, a line a kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from insula.corpora.own_names import about_labels, alike
from insula.corpora.recording_channels import channel_sidecar, spelt_as
from insula.corpora.recording_files import TABLES, RecordingFile, who_and_when
from insula.corpora.recording_people import guess_who
from insula.corpora.recording_tables import annotated
from insula.eeg.checks import check_scales
from insula.eeg.montage import electrode_of, some
from insula.eeg.opening import stored_channels
from insula.eeg.reading import annotations_of
from insula.eeg.triggers import TRIGGERS
from insula.eeg.units import unit_in_microvolts
from insula.errors import DataError, InsulaError, printable
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
    texts: list[str] = []
    for one, recording in recordings.items():
        notes = [*recording.notes, *_beside(one, recording, unit)]
        with suppress(InsulaError):  # which `check` says
            notes += check_scales(recording, where=one.path)
        channels = stored_channels(one.path)[0]["channel"] if without_events else pd.Series(dtype=str)
        for channel in channels[channels.str.contains(TRIGGERS, case=False)]:
            do = "--set corpus.events=annotations makes events of them"
            notes.append(f"the channel {channel} may hold triggers, which are not read: {do}")
        texts += annotated(annotations_of(one.path))["text"].tolist() if without_events else []
        for note in notes:
            names.setdefault(note, []).append(one.path.name)
    lines = [f"{note} ({some(several, 3)})" for note, several in names.items()]
    if texts:
        words = some(map(printable, dict.fromkeys(texts)), 3)
        do = "--set corpus.events=annotations makes events of them"
        lines.append(f"{len(texts)} annotations ({words}) are not read: {do}")
    return lines + _copies(recordings)


def _copies(recordings: Mapping[RecordingFile, Recording]) -> list[str]:
    """Return that some files hold what others do, signal by signal."""
    groups: dict[str, list[str]] = {}
    for one, recording in recordings.items():
        groups.setdefault(recording.fingerprint, []).append(one.name)
    copies = [" and ".join(names) for names in groups.values() if len(names) > 1]
    return [f"recordings that are the same: {some(copies, 3)}; keep one of each"] if copies else []


def people_notes(files: Sequence[RecordingFile], who: str) -> list[str]:
    """Return what may be wrong with who is in which recording, by names alone.

    Parameters
    ----------
    files : sequence of RecordingFile
        The recordings.
    who : str
        The setting of the corpus.

    Examples
    --------
    >>> names = "S01_rest", "S01_task", "S02_rest", "S02_task"
    >>> print(*people_notes([RecordingFile(Path(name), name, name, "1") for name in names], "{subject}"))
    each of the 4 files counts as a person, and names look like 2 people: --set 'corpus.who={subject}_{session}'
    """
    names, lines = [one.name for one in files], list[str]()
    if who == "{subject}" and [one.subject for one in files] == names:
        try:
            pattern = guess_who(names)
            people = {pair[0] for pair in (who_and_when(name, pattern) for name in names) if pair}
            if len(people) < len(names):
                lines.append(f"each of the {len(names)} files counts as a person, and names look like {len(people)} "
                             f"people: --set 'corpus.who={pattern}'")  # fmt: skip
        except InsulaError as error:
            lines.append(f"each of the {len(names)} files counts as a person: {error}")
    spelt = alike(one.subject for one in files)
    return [*lines, spelt] if spelt else lines


def lines_of(errors: Sequence[InsulaError]) -> list[str]:
    """Return errors as lines, those that differ in their file alone as one.

    Examples
    --------
    >>> lines_of([DataError("no onset", where=name, do="give seconds") for name in ("a.csv", "b.csv")])
    ['no onset (a.csv, b.csv): give seconds']
    """
    places: dict[tuple[str, str | None], dict[str, None]] = {}
    for error in errors:
        where = {} if error.where is None else {str(error.where): None}
        places.setdefault((error.what, error.do), {}).update(where)
    return [str(DataError(what, where=some(where, 3) or None, do=do)) for (what, do), where in places.items()]


def _beside(one: RecordingFile, recording: Recording, unit: str | None) -> list[str]:
    """Return where `channels.tsv` and the file disagree: on channels that are bad, and on units."""
    if one.channels is None:
        return []
    table, notes = channel_sidecar(one.channels), []
    names = spelt_as(table["name"], stored_channels(one.path)[0]["channel"])
    strange = table["name"][names.isna() & table["bad"]]
    if len(strange):
        notes.append(f"channels.tsv calls {some(strange)} bad, which the file does not have: correct the names")
    typed = [f"{name} ({kind})" for name, kind in zip(names.dropna(), table["type"][names.notna()], strict=True)
             if kind == kind and kind != "EEG" and electrode_of(name)]  # fmt: skip
    if typed:
        notes.append(f"channels.tsv leaves out {some(typed)}, which are named as electrodes")
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
        beside = [path.name for path in sorted(where.glob("*")) if path.suffix.lower() in (*TABLES, ".txt")]
        beside = [name for name in beside if not name.startswith("sub-")]  # of BIDS, where all have their place
        table = [f"; a table is read by --set corpus.events={name} or --set corpus.labels={name}" for name in beside]
        return [f"{cut}no label {label} in what is read: --set corpus.label=COLUMN, or null{(*table, '')[0]}"]
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
