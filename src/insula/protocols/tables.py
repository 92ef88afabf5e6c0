"""The audit of anybody's tables: provenance in one, the split in another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.protocols.audit import Audit, audit
from insula.protocols.people import with_all_names
from insula.protocols.protocol import Protocol
from insula.protocols.settings import OF_TABLES
from insula.protocols.split import PART_NAMES, PARTS, Split
from insula.protocols.units import SAMPLE, refuse_backwards
from insula.samples import PROVENANCE, Fit, Samples, provenance
from insula.storage.tables import encoding_of, is_missing, read_csv, separator_of

_IDS = PROVENANCE[:6]
_YES, _NO = ("1", "1.0", "true", "t", "yes", "y", "x"), ("0", "0.0", "false", "f", "no", "n", "", "nan")
_SHOWN = 6  # columns
_ENDING = re.compile(r"(?<=[a-z])(id|nr|no|number|name|code)$")

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "corpus": ("dataset",),
    "subject": ("participant", "sub", "subj", "person", "proband", "patient"),
    "session": ("ses", "date"),
    "run": (),
    "trial": (),
    "stimulus": ("stim",),
    "identity": (),
    "start": ("startat", "starttime", "tstart", "onset"),
    "stop": ("stopat", "stoptime", "tstop", "end", "endat", "endtime", "tend"),
    "duration": (),
    "index": (),
}
"""The columns of a table, and other names in use for them (torcheeg's, LibEER's, MOABB's and BIDS's): in any case, with
blanks and the like, and with an ending such as `_id`."""

_SPLIT = {"index": ("idx", "row", "sample"), "part": ("split", "set", "subset", "partition")}


def audit_tables(
    table: pd.DataFrame,
    split: pd.DataFrame,
    units: Sequence[str] | None = None,
    spellings: str = "told",
    same_people: pd.DataFrame | str | Path | None = None,
) -> Audit:
    """Check a split that was made elsewhere.

    Trials and windows that overlap in time are always looked for, as far as the table has them. A trial is told by its
    name together with its subject and session, where those are columns; a session by its name and its subject.

    Parameters
    ----------
    table : DataFrame
        One row a sample, with any of the columns `corpus, subject, session, trial, stimulus, identity`, and `start,
        stop` or `duration` (seconds of the session or, where there is a column `run`, of the run); `OTHER_NAMES` will
        do, such as torcheeg's `subject_id` and `start_at`. What is not read is named in the audit's warnings.
    split : DataFrame
        Columns `index` (numbers of the table's rows from 0 or, where the table has a column `index`, its values) and
        `part` (`train`, `validation`, `test` or as in `PART_NAMES`; empty for a row in no part). A column such as
        `fitted_scaler` or `Scaler fit` says, by 1, of which rows a step has seen the inputs; the table may have one.
    units : sequence of str, optional
        What must not be shared besides, for example `("subject", "stimulus")`.
    spellings : {"told", "joined"}
        Whether names such as `P001` and `p1` are told, or count as one person.
    same_people : DataFrame or path of a CSV file, optional
        Who has two names: columns `corpus`, `person`, `other_corpus`, `other_person`, those of corpora only where there
        are several.

    Returns
    -------
    Audit

    Raises
    ------
    LeakageError
        Naming the unit and the rows.
    DataError
        Where a column, a part or a row is not what it should be.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": ["S1", "S1", "S2"], "trial": [1, 1, 1]})
    >>> audit_tables(table, pd.DataFrame({"index": [0, 1, 2], "part": ["train", "test", "test"]}))
    Traceback (most recent call last):
    ...
    insula.errors.LeakageError: trial S1/1 is in train and test (train: row 0; test: row 1)
    """
    columns = f"its columns are {', '.join(map(str, table.columns))}"
    (table, read), (split, read_of_split) = _named(table, OTHER_NAMES), _named(split, _SPLIT)
    wanted = list(units or ())
    missing = [part for unit in wanted for part in unit.split("+") if part != "person" and part not in table.columns]
    if missing:
        raise DataError(f"the table has no column {missing[0]}", do=columns)
    if not wanted and "trial" not in table.columns and ("start" not in read or not {"stop", "duration"} & set(read)):
        what = "nothing to audit: the table has neither trial nor start and stop"
        raise DataError(what, do=f"add them, or name a unit; {columns}")
    samples, notes = _samples(table)
    samples = with_all_names(samples, spellings, same_people)
    by_index, others, more = "index" in read, table.drop(columns=read), split.drop(columns=read_of_split)
    parts = _split(split, samples, by_index)
    fits = [*_fits(others, samples.table.index), *_fits(more, _ids(split, by_index), must_say=True)]
    protocol = Protocol.parse(
        {
            "name": OF_TABLES,
            "disjoint": tuple(dict.fromkeys(wanted)),
            "scored_unit": SAMPLE,
            "spellings": spellings,
            "same_people": None if same_people is None else "same_people",
        },
        where="audit",
    )
    report = audit(parts, samples, protocol, fits)
    notes = [f"{ours}: read from the column {name}" for ours, name in read.items() if ours not in name.lower()] + notes
    if report.counts["unused"]:
        notes.append(f"{report.counts['unused']} of {len(samples)} rows are in no part")
    for what, rest in (("table", others), ("split", more)):
        unread = [name for name in rest if _step(name) not in {fit.step for fit in fits}]
        if unread:
            left = f" and {len(unread) - _SHOWN} more" if len(unread) > _SHOWN else ""
            notes.append(f"not read of the {what}: {', '.join(unread[:_SHOWN])}{left}")
    shared = {name: count for name, count in report.shared.items() if name in table.columns}
    return replace(report, shared=shared, warnings=(*report.warnings, *notes))


def audit_files(
    table: Path,
    split: Path,
    units: Sequence[str] | None = None,
    spellings: str = "told",
    same_people: pd.DataFrame | str | Path | None = None,
) -> Audit:
    """Check a split that lies in two CSV files; see `audit_tables`."""
    return audit_tables(words_of(table), words_of(split), units, spellings, same_people)


def words_of(path: Path) -> pd.DataFrame:
    """Return a CSV file as text; where semicolons part the cells, decimals may have a comma."""
    # NA may be somebody's name: only an empty cell is missing
    table = read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    if separator_of(path, encoding_of(path)) != ";":
        return table
    return table.replace(r"^\s*(-?\d+),(\d+)\s*$", r"\1.\2", regex=True)


def _named(table: pd.DataFrame, names: Mapping[str, Iterable[str]]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a table with the columns that are read under our names, and by these how it calls them."""
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    plain = {_ENDING.sub("", re.sub(r"[\W_]+", "", name.lower())): name for name in reversed(table.columns)}
    plain |= {name: name for name in table.columns}
    theirs = {name: next((plain[one] for one in (name, *more) if one in plain), None) for name, more in names.items()}
    read = {name: column for name, column in theirs.items() if column is not None}
    return table.rename(columns={column: name for name, column in read.items()}), read


def _samples(table: pd.DataFrame) -> tuple[Samples, list[str]]:
    """Return the table as samples, and what had to be assumed."""
    columns: dict[str, object] = {name: _text(table[name]) for name in _IDS if name in table.columns}
    columns["corpus"] = pd.Series(columns.get("corpus", [None] * len(table)), dtype=object).fillna("").to_numpy()
    if not {"subject", "session"} & set(columns):
        columns["session"] = [""] * len(table)  # one recording, as far as the table says
    times = {name: _numbers(table[name], name) for name in ("start", "stop", "duration") if name in table.columns}
    if "start" in times and "duration" in times:
        times.setdefault("stop", times["start"] + times["duration"])
    times.pop("duration", None)
    if "run" in table.columns:  # each counts its trials, and has its clock
        run = _text(table["run"])
        if "trial" in columns:
            pairs = zip(run, _text(table["trial"]), strict=True)
            columns["trial"] = [None if trial is None else f"{one}/{trial}" for one, trial in pairs]
        if times:
            length = max(np.nanmax(each, initial=0.0) for each in times.values()) + 1
            times = {name: each + pd.factorize(run)[0] * length for name, each in times.items()}
    result = provenance(len(table), **columns, **times)
    if "index" in table.columns:
        result.index = pd.Index(_text(table["index"]))
        if result.index.hasnans or not result.index.is_unique:
            raise DataError("the table's column index is incomplete or names two rows alike", do="number the rows")
    notes = []
    refuse_backwards(result)
    if _clock_restarts(result):
        result[["start", "stop"]] = np.nan
        notes.append("time: start and stop begin anew with every trial, and were not compared between trials")
    return Samples(result, {}), notes


def _text(values: pd.Series) -> np.ndarray:
    """Return names as text: 3.0, which a missing value made of 3, is 3 again; NA may be somebody's."""
    if values.dtype.kind == "f" and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    text = values.astype("str").str.strip()
    return text.astype(object).mask(values.isna() | (is_missing(text) & (text != "NA")), None).to_numpy(object)


def _numbers(values: pd.Series, name: str) -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = (numbers.isna() & ~is_missing(values)) | np.isinf(numbers)
    if wrong.any():
        raise DataError(f"{name} is {str(values[wrong].iloc[0])!r}", where=f"row {wrong.to_numpy().argmax()}",
                        do="give numbers")  # fmt: skip
    return numbers.to_numpy(float)


def _clock_restarts(table: pd.DataFrame) -> bool:
    """Say whether times count from the start of each trial, since two trials of one session cannot both begin at 0."""
    timed = table.dropna(subset=["start", "stop", "trial"])
    starts = timed.groupby(["corpus", "subject", "session", "trial"], dropna=False)["start"].min()
    sessions = starts.groupby(level=["corpus", "subject", "session"], dropna=False).agg(["size", "nunique"])
    several = sessions[sessions["size"] > 1]
    alike = (several["nunique"] == 1).all() and (starts.max() <= 0 or several["size"].min() > 2)
    return len(several) > 0 and bool(alike)


def _split(split: pd.DataFrame, samples: Samples, by_index: bool) -> Split:
    for name in ("index", "part"):
        if name not in split.columns:
            raise DataError(f"the split has no column {name}", do="give the columns index and part")
    parts = split["part"].astype("str").str.strip().str.lower().map(PART_NAMES).to_numpy(object)
    unknown = np.flatnonzero(pd.isna(parts) & ~is_missing(split["part"]))
    if len(unknown):
        raise DataError(f"unknown part {split['part'].iloc[unknown[0]]!r}", where=f"row {unknown[0]} of the split",
                        do=f"parts are {', '.join(PARTS)}")  # fmt: skip
    ids = _ids(split, by_index)
    outside = np.flatnonzero(~ids.isin(samples.table.index))
    if len(outside):
        raise DataError(
            f"index {split['index'].iloc[outside[0]]} is not in the table",
            where=f"row {outside[0]} of the split",
            do="use the table's column index" if by_index else f"the table has {len(samples)} rows, numbered from 0",
        )
    for name in ("train", "test"):
        if name not in parts:
            raise DataError(f"the split has no {name} row", do="give the parts train and test")
    return Split(*(ids[parts == name].to_numpy() for name in PARTS))


def _ids(split: pd.DataFrame, by_index: bool) -> pd.Index:
    numbers = _text(split["index"]) if by_index else _numbers(split["index"], "index")
    ids = pd.Index(numbers)
    return ids if by_index or ids.hasnans or (ids % 1 != 0).any() else ids.astype(np.int64)


def _step(column: str) -> str | None:
    """Return the step of which a column says what it was fitted on, as `fitted_scaler` or `Scaler fit`; None of others.

    Examples
    --------
    >>> [_step(name) for name in ("fitted_scaler", "fit on PCA", "ScalerFitted", "benefit")]
    ['scaler', 'pca', 'scaler', None]
    """
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).lower())
    step = "_".join(word for word in words if word not in ("fit", "fitted", "on"))
    return (step or column) if {"fit", "fitted"} & set(words) else None


def _fits(table: pd.DataFrame, ids: pd.Index, must_say: bool = False) -> list[Fit]:
    """Return what columns say that steps were fitted on; one that says neither yes nor no is of something else."""
    fits = []
    for column, step in ((name, _step(name)) for name in table.columns):
        words = table[column].astype("str").str.strip().str.lower()
        strange = ~words.isin((*_YES, *_NO)) & table[column].notna()
        if step is None or (strange.any() and not must_say):
            continue
        if strange.any():
            what = f"{column} is {table[column][strange].iloc[0]!r}"
            raise DataError(what, where=f"row {int(strange.to_numpy().argmax())} of the split", do="write 1 or 0")
        fits.append(Fit(step, ids[words.isin(_YES).to_numpy()].to_numpy(), "inputs"))
    return fits
