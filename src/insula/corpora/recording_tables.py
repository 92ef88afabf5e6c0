"""What happened in recordings: events from tables or annotations, and what holds for a recording as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from insula.corpora.recording_files import (
    NAMES,
    TABLES,
    RecordingFile,
    check_sessions,
    find_recordings,
    keyed_table,
    rows_of,
    with_people,
)
from insula.corpora.recording_folders import is_bids
from insula.eeg.montage import some
from insula.emotions import label_map, normalise_label
from insula.errors import DataError
from insula.storage.tables import is_missing, read_table

_NO_EVENT = r"(?i)^(?:bad|edge|boundary|new segment|syncstatus)"  # what software writes among the annotations
_EVENTS = {f"events{suffix}" for suffix in TABLES}
_KEYS = ("recording", "subject", "session")
_TAKEN = ("corpus", "start", "stop", "file", "quality", "eeg_quality", "eeg_cleaned_on", "eeg_store", "eeg_row",
          "picture_store", "picture_row")  # fmt: skip


@dataclass(frozen=True)
class StudyFolder:
    """A folder of recordings and the tables that go with it.

    Parameters
    ----------
    files : tuple of RecordingFile
        The recordings.
    kind : {"tables", "annotations", "windows"}
        Where events come from; `windows` where there are none.
    facts : DataFrame
        What holds for a whole recording: one row each, in the order of `files`.
    above : Path, optional
        The file of one table of the events of all recordings; without it each recording has its own.
    rows : DataFrame, optional
        What it holds, with `place`: which of the files a row speaks of.
    notes : tuple of str
        What `participants.tsv` leaves open.
    """

    files: tuple[RecordingFile, ...]
    kind: Literal["tables", "annotations", "windows"]
    facts: pd.DataFrame
    above: Path | None = None
    rows: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def open(cls, root: Path, who: str, events: str, labels: str | None) -> StudyFolder:
        """Find recordings and tables; the parameters are those of `RecordingsSettings`.

        Raises
        ------
        DataError
            If there is no recording, a table does not fit, or a recording has no events where others have.
        """
        files = find_recordings(root, who)
        above = next((path for path in sorted(root.iterdir()) if path.name.lower() in _EVENTS and path.is_file()), None)
        kind: Literal["tables", "annotations", "windows"] = "tables"
        if events == "annotations":
            kind, above = "annotations", None
        elif events == "none":
            kind, above = "windows", None
        elif events != "auto":
            above = root / events
        elif any(one.events for one in files):
            above = None
            lacking = [one for one in files if one.events is None]
            if lacking:
                what = f"no table of events beside {lacking[0].path.name}, where other recordings have one"
                raise DataError(what, where=lacking[0].path, do="add it, or cut windows: --set corpus.events=none")
        elif above is None:
            kind = "windows"
        rows = keyed_table(above) if above else None
        if labels:
            files = with_people(files, keyed_table(root / labels), root / labels)
        if above is not None and rows is not None:
            files = with_people(files, rows, above)
            rows = rows.assign(place=rows_of(files, rows, above))
        check_sessions(files)
        facts, notes = _facts(root, files, labels)
        return cls(tuple(files), kind, facts, above, rows, tuple(notes))

    def table_of(self, one: RecordingFile) -> Path:
        """Return the file that a recording's events are in."""
        return (self.above or one.events or one.path) if self.kind == "tables" else one.path

    def rows_as_written(self) -> tuple[pd.DataFrame, Path]:
        """Return what tables say, one row an event or, without events, a recording, and a file that it is from.

        The column `place` says which of the files a row speaks of; of annotations nothing is known here.
        """
        if self.kind != "tables":
            return self.facts.assign(place=range(len(self.facts))), self.files[0].path.parent
        parts = [self.with_facts(self.events_of(one), place) for place, one in enumerate(self.files)]
        return pd.concat(parts, ignore_index=True), self.table_of(self.files[0])

    def with_facts(self, events: pd.DataFrame, place: int) -> pd.DataFrame:
        """Return events of one file with what holds for all of it, and its `place`."""
        facts = self.facts.iloc[[place] * len(events)].set_axis(events.index)
        more = facts.drop(columns=facts.columns.intersection(events.columns))
        return events.join(more).assign(place=place)

    def events_of(self, one: RecordingFile) -> pd.DataFrame:
        """Return the rows of a table that are a recording's events, where `kind` is `tables`."""
        if self.rows is not None:
            return self.rows[self.rows["place"] == self.files.index(one)].drop(columns="place")
        assert one.events is not None
        table = read_table(one.events, NAMES)
        plain = {name: name.lower() for name in table if name.lower() in ("onset", "duration")}
        return table.rename(columns=plain) if len(set(plain.values())) == len(plain) else table


def _facts(root: Path, files: Sequence[RecordingFile], labels: str | None) -> tuple[pd.DataFrame, list[str]]:
    facts, notes = pd.DataFrame(index=range(len(files))), list[str]()
    people = root / "participants.tsv"
    if is_bids(root) and people.is_file():
        facts, notes = _participants(root, keyed_table(people), files)
    if labels:
        path = root / labels
        table = _row_a_recording(keyed_table(path), files)
        places = rows_of(files, table, path)
        lacking = [one.name for place, one in enumerate(files) if place not in set(places)]
        if lacking:
            raise DataError(f"no row for the recording {lacking[0]!r}", where=path, do="add it, or leave the file out")
        twice = table[pd.Series(places).duplicated().to_numpy()]
        if len(twice):
            raise DataError(f"two rows for the recording {files[places[twice.index[0]]].name!r}", where=path,
                            do="keep one row a recording")  # fmt: skip
        table = table.drop(columns=[name for name in _KEYS if name in table]).set_axis(places)
        facts = facts.drop(columns=facts.columns.intersection(table.columns)).join(table)
    _check_names(facts, root / (labels or "participants.tsv"))
    return facts, notes


def _participants(root: Path, table: pd.DataFrame, files: Sequence[RecordingFile]) -> tuple[pd.DataFrame, list[str]]:
    """Return what `participants.tsv` says of each recording, of its person or session, and what it leaves open."""
    named = next((name for name in ("participant_id", "subject") if name in table), None)
    if named is None:  # where there are both, BIDS means the first
        return pd.DataFrame(index=range(len(files))), ["participants.tsv has no column participant_id: it is not read"]
    people = table[named].str.replace(r"(?i)^sub-", "", regex=True)
    times = table.get("session", table.get("session_id", people)).astype("str").map(_session_of)
    columns = [name for name in table if name not in (*_KEYS, "participant_id", "session_id")]
    facts, several, absent = [], [], []
    for one in files:
        rows = table[(people == one.subject).to_numpy(bool)]
        if len(rows) > 1 and (times[rows.index] == _session_of(one.session)).any():
            rows = rows[times[rows.index] == _session_of(one.session)]
        agreed = {name: rows[name].iloc[0] for name in columns if len(rows[name].unique()) == 1}
        facts.append(agreed)
        several += [f"sub-{one.subject}"] if len(rows) > 1 else []
        absent += [] if len(rows) else [f"sub-{one.subject}"]
    notes = []
    if several:
        do = "what they agree on is taken; add a column session, or keep one row a person"
        notes = [
            f"participants.tsv has several rows of one session or person ({some(dict.fromkeys(several), 3)}): {do}"
        ]
    if absent:
        notes += [f"participants.tsv has no row of {some(dict.fromkeys(absent), 3)}: add it"]
    lost = [f"sub-{name}" for name in people.dropna().unique() if not (root / f"sub-{name}").is_dir()]
    if lost:
        notes += [f"participants.tsv names {some(lost, 3)}, of whom there is no folder"]
    return pd.DataFrame(facts, index=range(len(files)), columns=columns), notes


def _session_of(name: str) -> str:
    """Return the session in a name such as `ses-01_task-rest`, zeros before it left out."""
    return name.removeprefix("ses-").partition("_")[0].lstrip("0")


def _row_a_recording(table: pd.DataFrame, files: Sequence[RecordingFile]) -> pd.DataFrame:
    """Return a table of people as one of recordings, where it has a row a person and some have several recordings."""
    if {"recording", "session"} & set(table.columns) or "subject" not in table or not table["subject"].is_unique:
        return table
    if len({one.subject for one in files}) == len(files):
        return table
    names = pd.DataFrame({"recording": [one.name for one in files], "subject": [one.subject for one in files]})
    return names.merge(table, on="subject")


def annotated(marks: pd.DataFrame) -> pd.DataFrame:
    """Return a file's annotations without those that software writes; `text` is what they say.

    Examples
    --------
    >>> annotated(pd.DataFrame({"onset": [0.0, 1.0], "duration": 0.0, "stimulus": ["New Segment/", "smile"]}))
       onset  duration   text
    1    1.0       0.0  smile
    """
    kept = marks[~marks["stimulus"].str.contains(_NO_EVENT, regex=True)]
    return kept[["onset", "duration"]].assign(text=kept["stimulus"].astype("str"))


def usual_labels(table: pd.DataFrame, label: str | None, classes: str | Sequence[str] | None) -> pd.DataFrame:
    """Return a table whose label has its usual names, or those of `classes`; ratings stay numbers without classes.

    Raises
    ------
    LabelError
        If a name has no counterpart in `classes`.

    Examples
    --------
    >>> usual_labels(pd.DataFrame({"emotion": ["Happy", "sad", "none"]}), "emotion", None)["emotion"].tolist()
    ['happiness', 'sadness', nan]
    """
    if label is None or label not in table:
        return table
    values = table[label]
    if classes is None and pd.api.types.is_numeric_dtype(values):
        return table
    values = text_of(values) if pd.api.types.is_numeric_dtype(values) else values.mask(is_missing(values))
    labels = values.dropna().unique().tolist()
    names = label_map(labels, classes) if classes else {name: normalise_label(name) for name in labels}
    return table.assign(**{label: values.map(names).astype("str")})


def windows_within(events: pd.DataFrame, seconds: float, hop: float) -> pd.DataFrame:
    """Return a row for each window that fits between onset and end of an event, at the onset of the window.

    Examples
    --------
    >>> windows_within(pd.DataFrame({"onset": [1.0, 9.0], "duration": [5.0, 1.0], "trial": ["a", "b"]}), 2, 2)
       onset  duration trial
    0    1.0       5.0     a
    0    3.0       5.0     a
    """
    lasting = events["duration"].to_numpy(float)
    counts = np.maximum(np.floor((lasting - seconds) / hop + 1e-6).astype(int) + 1, 0)
    rows = np.repeat(np.arange(len(events)), counts)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return events.iloc[rows].assign(onset=events["onset"].to_numpy(float)[rows] + place * hop)


def tidy_events(
    raw: pd.DataFrame, *, stimulus: str, label: str | None, markers: Mapping[str, str] | None, where: Path
) -> pd.DataFrame:
    """Return events with the columns of `Recording.events`, and whatever else the table says.

    Parameters
    ----------
    raw : DataFrame
        `onset` and, optionally, `duration`, `trial`, and others.
    stimulus, label, markers
        As in `RecordingsSettings`.
    where : Path
        The table's file, for errors.

    Raises
    ------
    DataError
        If a column is missing, an onset is no number, or a name is taken.

    Examples
    --------
    >>> raw = pd.DataFrame({"onset": [1.0, 2.0, 3.0], "code": [11, 12, 13]})
    >>> tidy_events(raw, stimulus="stimulus", label="code", markers={"11": "fear", "13": "anger"}, where=Path("a.csv"))
       onset   code  duration stimulus trial
    0    1.0   fear       0.0      NaN     1
    2    3.0  anger       0.0      NaN     3
    """
    columns = ", ".join(map(str, raw.columns))
    if "onset" not in raw:
        raise DataError("no column 'onset'", where=where, do=f"its columns are {columns}")
    if stimulus not in raw and stimulus != "stimulus":
        raise DataError(f"no column {stimulus!r}", where=where, do=f"set stimulus; its columns are {columns}")
    table = raw.drop(columns=[name for name in _KEYS if name in raw])
    if stimulus != "stimulus" and stimulus in table:
        table = table.drop(columns="stimulus", errors="ignore").rename(columns={stimulus: "stimulus"})
    _check_names(table, where)
    table["onset"] = seconds(table["onset"], where)
    if table["onset"].isna().any():
        raise DataError("no onset", where=f"{where}, row {table['onset'].isna().idxmax()}", do="give seconds")
    table["duration"] = seconds(table["duration"], where).fillna(0.0) if "duration" in table else 0.0
    table["stimulus"] = text_of(table["stimulus"]) if "stimulus" in table else pd.array([None] * len(table), "str")
    numbers = pd.Series(range(1, len(table) + 1), table.index).astype("str")
    table["trial"] = text_of(table["trial"]).fillna(numbers) if "trial" in table else numbers
    if markers is not None:
        if label is None or label not in table:
            raise DataError(f"markers are values of the label, and there is no column {label!r}", where=where,
                            do=f"set label; its columns are {columns}")  # fmt: skip
        table[label] = text_of(table[label]).map(dict(markers)).astype("str")
        table = table[table[label].notna()]
    return table


def seconds(values: pd.Series, where: Path) -> pd.Series:
    """Return a column as floats, missing where a cell is empty.

    Raises
    ------
    DataError
        If one is no number.
    """
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = numbers.isna() & values.notna()
    if wrong.any():
        row = wrong.idxmax()
        what = f"{values.name} {values[row]!r} is no number"
        raise DataError(what, where=f"{where}, row {row}", do="give seconds")
    return numbers


def text_of(values: pd.Series) -> pd.Series:
    """Return values as text; a number is written without a point where it has no fraction."""
    if values.dtype.kind == "f" and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype("str").where(values.notna(), None).astype("str")


def _check_names(table: pd.DataFrame, where: Path) -> None:
    taken = [name for name in table.columns if name in _TAKEN]
    if taken:
        raise DataError(f"the column name {taken[0]!r} is taken", where=where, do="rename the column")
