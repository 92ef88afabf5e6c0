"""Which recordings lie in a folder or a BIDS tree, whose they are, and the tables that speak of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.eeg.reading import SUFFIXES
from insula.errors import DataError, SettingsError
from insula.storage.tables import read_csv

TABLES = (".csv", ".tsv")

_IDS = {"recording", "subject", "session", "trial", "stimulus", "identity", "participant_id", "image_id"}
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


def is_bids(root: Path) -> bool:
    """Say whether a folder is the root of a BIDS tree."""
    return (root / "dataset_description.json").is_file() or any(root.glob("sub-*/"))


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
    found = _in_bids(root) if is_bids(root) else _in_folder(root, pattern)
    if not found:
        raise DataError("no recording in this folder", where=root, do=f"it should hold {', '.join(SUFFIXES)}")
    return found


def _in_bids(root: Path) -> list[RecordingFile]:
    from mne_bids import find_matching_paths

    found = []
    for place in find_matching_paths(root, suffixes="eeg", datatypes="eeg", extensions=list(SUFFIXES)):
        path = Path(place.fpath)
        session = path.stem.removeprefix(f"sub-{place.subject}_").removesuffix("_eeg")
        beside = (_sidecar(place, "events"), _sidecar(place, "channels"))
        found.append(RecordingFile(path, _name(path, root), place.subject, session, *beside))
    return sorted(found, key=lambda one: one.name)


def _sidecar(place: Any, kind: str) -> Path | None:
    """Return the table of a recording, by BIDS's rule of inheritance."""
    from mne_bids import get_entities_from_fname

    path = place.find_matching_sidecar(suffix=kind, extension=".tsv", on_error="ignore")
    if path is None:
        return None
    said = get_entities_from_fname(path, on_error="ignore")
    mine = {name: value for name, value in place.entities.items() if name in said}
    own = all(said[name] in (None, value) for name, value in mine.items())
    return Path(path) if own else None  # the nearest there is may be that of another run


def _in_folder(root: Path, pattern: str) -> list[RecordingFile]:
    fields = {"{subject}": r"(?P<subject>[^/]+?)", "{session}": r"(?P<session>[^/]+?)", "*": r"[^/]*"}
    if pattern.count("{subject}") != 1 or pattern.count("{session}") > 1:
        raise SettingsError(f"the pattern {pattern!r} does not say who", where="who", do="write {subject} once in it")
    expression = re.sub(_FIELD, lambda field: fields[field[0].replace("\\", "")], re.escape(pattern))
    found = []
    for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        name = _name(path, root)
        match = re.fullmatch(expression, name)
        if not match:
            raise DataError(f"the path {name!r} does not fit the pattern {pattern!r}", where=path,
                            do="set who, as in {subject}/{session}, * standing for anything")  # fmt: skip
        beside = [path.with_name(f"{path.stem}_events{suffix}") for suffix in TABLES]
        events = next((table for table in beside if table.is_file()), None)
        found.append(RecordingFile(path, name, match["subject"], match.groupdict().get("session") or "1", events))
    return found


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def read_table(path: Path) -> pd.DataFrame:
    """Return a CSV or TSV file: names as text, columns of numbers as numbers, missing where a cell is empty or n/a.

    Raises
    ------
    DataError
        If it cannot be read, or two columns have one name.
    """
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    options = {"sep": separator, "dtype": str, "keep_default_na": False, "na_values": ["", "n/a"]}
    table = read_csv(path, encoding="utf-8-sig", **options)  # spreadsheets begin a file with a mark
    table.columns = table.columns.str.strip()
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise DataError(f"two columns are called {twice!r}", where=path, do="rename or remove one of them")
    for column in table.columns:
        if column not in _IDS:
            numbers = pd.to_numeric(table[column], errors="coerce")
            if table[column].notna().any() and numbers.notna().equals(table[column].notna()):
                table[column] = numbers
    return table


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
            (one.name, one.path.name, one.path.stem, f"{one.name}{one.path.suffix}") for one in files
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

    Raises
    ------
    DataError
        If it gives one recording two, or a row none.
    """
    if not {"recording", "subject"} <= set(table.columns):
        return list(files)
    columns = [name for name in ("subject", "session") if name in table]
    said = table[columns].assign(place=rows_of(files, table, where))
    blank = said.isna().any(axis=1)
    if blank.any():
        raise DataError(f"row {blank.idxmax()} has no {' or '.join(columns)}", where=where, do="fill it in")
    said = said.drop_duplicates()
    if said["place"].duplicated().any():
        name = files[said["place"][said["place"].duplicated()].iloc[0]].name
        raise DataError(f"recording {name} has two subjects or sessions", where=where, do="correct the table")
    result = list(files)
    for row in said.to_dict("records"):
        place = row.pop("place")
        result[place] = replace(result[place], **row)
    return result


def check_sessions(files: Iterable[RecordingFile]) -> None:
    """Refuse two recordings of one subject and session, which would share a clock."""
    seen: dict[tuple[str, str], RecordingFile] = {}
    for one in files:
        other = seen.setdefault((one.subject, one.session), one)
        if other is not one:
            what = f"{other.name} and {one.name} are both session {one.session} of subject {one.subject}"
            raise DataError(what, where=one.path, do="set who so that it says the session, as in {subject}_{session}")
