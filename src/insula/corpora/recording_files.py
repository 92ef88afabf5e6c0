"""Which recordings lie in a folder or a BIDS tree, whose they are, and the tables that speak of them."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.corpora.recording_folders import is_bids, recordings_below, unread
from insula.eeg.reading import SUFFIXES, suffix_of
from insula.errors import DataError, SettingsError
from insula.storage.below import check_names
from insula.storage.tables import read_table

TABLES = (".csv", ".tsv")

OTHER_NAMES = {
    "recording": ("file", "filename", "file_name", "path", "eeg_file"),
    "subject": ("participant_id", "participant", "subject_id", "person", "proband"),
}
"""Other names in use for the columns that say which recording, or whose, a row of a table speaks of."""

NAMES = {"recording", "subject", "session", "trial", "stimulus", "identity", "image_id"}.union(*OTHER_NAMES.values())
_MARK = re.compile(r"[-_](raw|eeg|meg)$", re.I)  # ends a file's name, and says nothing of who or when
_FIELD = re.compile(r"\\\{(subject|session)\\\}|\\\*")  # in a pattern that was escaped


@dataclass(frozen=True)
class RecordingFile:
    """One recording, not opened yet.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its path below the root, without suffix.
    subject, session : str
        Whose brain, and when. Recordings of one session have one name each: a session has one clock.
    events, channels : Path, optional
        The tables beside it: its events, and BIDS `channels.tsv`.
    """

    path: Path
    name: str
    subject: str
    session: str
    events: Path | None = None
    channels: Path | None = None


def find_recordings(root: Path, pattern: str) -> list[RecordingFile]:
    """Return the recordings below a folder, in the order of their names.

    In a BIDS tree (found by mne-bids, derivatives left out) the subject is the entity `sub`, and the session is what
    else tells the recording apart, such as `ses-01_task-faces_run-2`.

    Parameters
    ----------
    root : Path
        The folder, or the root of a BIDS tree.
    pattern : str
        How the path below the root, without suffix, says who and when: `{subject}_{session}`, `{subject}/*`. Without
        `{session}` each recording is session 1. It is not used in a BIDS tree.

    Raises
    ------
    DataError
        If the folder is absent or holds no recording, or a path does not fit the pattern.
    SettingsError
        If the pattern has no subject.
    """
    if not root.is_dir():
        raise DataError("no such folder", where=root, do="correct root")
    check_names(recordings_below(root), root)
    files = _in_bids(root) if is_bids(root) else _in_folder(root, pattern)
    if not files:
        others = "".join(f"; {note}" for note in unread(root))
        do = f"it should hold {', '.join(SUFFIXES)} of raw recordings{others}"
        raise DataError("no recording in this folder", where=root, do=do)
    return files


def _in_bids(root: Path) -> list[RecordingFile]:
    from mne_bids import get_bids_path_from_fname

    files = []
    for path in recordings_below(root):
        place = get_bids_path_from_fname(path, check=False, verbose="error")
        session = path.stem.removeprefix(f"sub-{place.subject}_").removesuffix("_eeg")
        beside = (_sidecar(place, "events"), _sidecar(place, "channels"))
        files.append(RecordingFile(path, _name(path, root), place.subject, session, *beside))
    return files


def _sidecar(place: Any, kind: str) -> Path | None:
    """Return the table of a recording, by BIDS's rule of inheritance."""
    from mne_bids import get_entities_from_fname

    path = place.find_matching_sidecar(suffix=kind, extension=".tsv", on_error="ignore")
    if path is None:
        return None
    entities = get_entities_from_fname(path, on_error="ignore")
    shared = {name: value for name, value in place.entities.items() if name in entities}
    own = all(entities[name] in (None, value) for name, value in shared.items())
    return Path(path) if own else None  # the nearest there is may be that of another run


def recording_names(root: Path) -> list[str]:
    """Return the paths of the recordings below a folder, relative to it and without suffix, in their order."""
    return [_name(path, root) for path in recordings_below(root)]


def who_and_when(name: str, pattern: str) -> tuple[str, str] | None:
    """Return subject and session of a recording by its path without suffix; None where it does not fit the pattern.

    Raises
    ------
    SettingsError
        If the pattern has no subject.

    Examples
    --------
    >>> who_and_when("eeg/S01_rest_2", "eeg/{subject}_{session}"), who_and_when("S01/day-1/rest", "{subject}/{session}")
    (('S01', 'rest_2'), ('S01', 'day-1_rest'))
    """
    fields = {"{subject}": r"(?P<subject>[^/]+?)", "{session}": r"(?P<session>.+?)", "*": r"[^/]*"}
    if pattern.count("{subject}") != 1 or pattern.count("{session}") > 1:
        do = "write {subject} once in it, and {session} at most once, as in --set 'corpus.who={subject}_{session}'"
        raise SettingsError(f"the pattern {pattern!r} does not say who", where="who", do=do)
    expression = re.sub(_FIELD, lambda field: fields[field[0].replace("\\", "")], re.escape(pattern))
    match = re.fullmatch(expression, name)
    return (match["subject"], match.groupdict().get("session", "1").replace("/", "_")) if match else None


def _in_folder(root: Path, pattern: str) -> list[RecordingFile]:
    files = []
    for path in recordings_below(root):
        name = _name(path, root)
        who = who_and_when(name, pattern)
        if who is None:
            do = "say who is in it, * standing for anything, as in --set 'corpus.who={subject}/{session}'"
            tree = next((folder for folder in path.parents if folder.is_relative_to(root) and is_bids(folder)), None)
            do = f"set root to {tree}, which is a BIDS tree" if tree else do
            raise DataError(f"the path {name!r} does not fit the pattern {pattern!r}", where=path, do=do)
        stems = dict.fromkeys((_stem(path), Path(name).name, _MARK.sub("", _stem(path))))
        beside = [path.with_name(f"{stem}_events{suffix}") for stem in stems for suffix in TABLES]
        events = next((table for table in beside if table.is_file()), None)
        files.append(RecordingFile(path, name, *who, events))
    return files


def _name(path: Path, root: Path) -> str:
    stem = _stem(path)
    plain = _MARK.sub("", stem) if "fif" in suffix_of(path) else stem
    return path.relative_to(root).with_name(plain or stem).as_posix()


def _stem(path: Path) -> str:
    return path.name[: -len(suffix_of(path))]


def keyed_table(path: Path) -> pd.DataFrame:
    """Return `read_table` with other names in use for `recording` and `subject` (`OTHER_NAMES`) as these.

    These columns, `session`, `onset` and `duration` may be written in capitals. A column keeps its name where the table
    has one that is called so already; and one of files beside one of people, where its files are no recordings.
    """
    table = read_table(path, NAMES)
    plain = {name.lower().replace(" ", "_"): name for name in reversed(table.columns)}
    for column in ("subject", "recording", "session", "onset", "duration"):
        names = [plain[name] for name in (column, *OTHER_NAMES.get(column, ())) if name in plain]
        if column == "recording" and "subject" in table:
            names = [name for name in names if name == column or table[name].map(_names_recording).all()]
        if names and column not in table:
            table = table.rename(columns={names[0]: column})
    return table.assign(subject=_one_spelling(table["subject"], path)) if "subject" in table else table


def _one_spelling(people: pd.Series, where: Path) -> pd.Series:
    """Return people under one spelling each: who is written in capitals here and not there is one, and that is said."""
    people = people.str.strip()
    first = {name.casefold(): name for name in reversed(people.dropna().unique())}
    spelt = people.map(lambda name: first[name.casefold()], na_action="ignore")
    joined = people[people.ne(spelt) & people.notna()]
    if len(joined):
        one, other = spelt[joined.index[0]], joined.iloc[0]
        warnings.warn(f"{one} and {other} are taken for one person ({where}): name them apart if they are two",
                      stacklevel=4)  # fmt: skip
    return spelt


def _names_recording(name: object) -> bool:
    return str(name).lower().endswith(SUFFIXES)


def rows_of(files: Sequence[RecordingFile], table: pd.DataFrame, where: Path) -> np.ndarray:
    """Return int64 (rows,): which recording each row of a table speaks of.

    Parameters
    ----------
    files : sequence of RecordingFile
        The recordings.
    table : DataFrame
        Names them by `recording` (a path below the root or a file's name, with or without suffix), or by `subject` and,
        if it has the column, `session`.
    where : Path
        The table's file, for errors.

    Raises
    ------
    DataError
        If a row names none of the recordings, or does not tell two of them apart.
    """
    if "recording" in table:
        keys = table["recording"]
        names: list[tuple[str, ...]] = [
            (one.name, Path(one.name).name, one.path.name, _stem(one.path), f"{one.name}{suffix_of(one.path)}")
            for one in files
        ]
    elif "subject" in table:
        pair = "session" in table
        keys = table["subject"] + "/" + table["session"] if pair else table["subject"]
        names = [(f"{one.subject}/{one.session}" if pair else one.subject,) for one in files]
    else:
        columns = ", ".join(map(str, table.columns))
        raise DataError("the table has no column recording", where=where, do=f"its columns are {columns}")
    if keys.isna().any():
        raise DataError(f"row {keys.isna().idxmax()} names no recording", where=where, do="fill it in, or drop the row")
    places: dict[str, set[int]] = {}
    for place, several in enumerate(names):
        for name in several:
            places.setdefault(name, set()).add(place)
    strange = [key for key in keys.unique() if key not in places]
    if strange:
        raise DataError(f"no recording {strange[0]!r}", where=where, do=f"recordings are {_some(names)}")
    double = [key for key in keys.unique() if len(places[key]) > 1]
    if double:
        what = f"{double[0]!r} is {len(places[double[0]])} recordings"
        raise DataError(what, where=where, do="tell them apart by a column recording, with the path below the root")
    return keys.map(lambda key: next(iter(places[key]))).to_numpy(np.int64)


def _some(names: Sequence[tuple[str, ...]]) -> str:
    return ", ".join(several[0] for several in names[:3]) + (" and so on" if len(names) > 3 else "")


def with_people(files: Sequence[RecordingFile], table: pd.DataFrame, where: Path) -> list[RecordingFile]:
    """Return the recordings with the subjects and sessions that a table with the column `recording` gives them.

    Recordings of one person that the table gives no session are told apart by their names.

    Raises
    ------
    DataError
        If it gives one recording two, or a row none.
    """
    if not {"recording", "subject"} <= set(table.columns):
        return list(files)
    columns = [name for name in ("subject", "session") if name in table]
    facts = table[columns].assign(place=rows_of(files, table, where))
    blank = facts.isna().any(axis=1)
    if blank.any():
        raise DataError(f"row {blank.idxmax()} has no {' or '.join(columns)}", where=where, do="fill it in")
    facts = facts.drop_duplicates()
    if facts["place"].duplicated().any():
        name = files[facts["place"][facts["place"].duplicated()].iloc[0]].name
        raise DataError(f"recording {name} has two subjects or sessions", where=where, do="correct the table")
    result = list(files)
    for row in facts.to_dict("records"):
        place = row.pop("place")
        result[place] = replace(result[place], **row)
    if "session" not in table:
        times = Counter((one.subject, one.session) for one in result)
        result = [one if times[one.subject, one.session] == 1 else replace(one, session=one.name.replace("/", "_"))
                  for one in result]  # fmt: skip
    return result


def check_sessions(files: Iterable[RecordingFile]) -> None:
    """Refuse two recordings of one subject and session, which would share a clock."""
    seen: dict[tuple[str, str], RecordingFile] = {}
    for one in files:
        other = seen.setdefault((one.subject, one.session), one)
        if other.name == one.name and other is not one:
            what = f"{other.path.name} and {one.path.name} are one recording in two formats"
            raise DataError(what, where=one.path.parent, do="keep one of them")
        if other is not one:
            what = f"{other.name} and {one.name} are both session {one.session} of subject {one.subject}"
            do = "set who so that it says the session, as in --set 'corpus.who={subject}_{session}'"
            raise DataError(what, where=one.path, do=do)
