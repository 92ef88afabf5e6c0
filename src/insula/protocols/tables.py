"""The audit of anybody's tables: provenance in one, the split in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.protocols.audit import Audit, audit
from insula.protocols.protocol import Protocol
from insula.protocols.split import PARTS, Split
from insula.protocols.units import SAMPLE
from insula.samples import PROVENANCE, Fit, Samples, provenance
from insula.storage.tables import read_csv

_IDS = PROVENANCE[:6]
_FITTED, _YES, _NO = "fitted_", ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no", "", "nan")

OTHER_NAMES = {
    **{f"{name}_id": name for name in ("subject", "session", "trial", "stimulus", "identity")},
    "participant_id": "subject", "sub_id": "subject", "start_at": "start", "end_at": "stop",
}  # fmt: skip
"""Other names in use for columns of provenance: those of torcheeg's `info.csv`, of LibEER and of BIDS."""


def audit_tables(table: pd.DataFrame, split: pd.DataFrame, units: Sequence[str] | None = None) -> Audit:
    """Check a split that was made elsewhere.

    Trials and windows that overlap in time are always looked for, as far as the table has them. A trial is told by its
    name together with its subject and session, where those are columns; a session by its name and its subject.

    Parameters
    ----------
    table : DataFrame
        One row a sample, with any of the columns `corpus, subject, session, trial, stimulus, identity`, and `start,
        stop` (seconds of the session); `OTHER_NAMES` will do, such as torcheeg's `subject_id` and `start_at`.
    split : DataFrame
        Columns `index` (numbers of the table's rows from 0 or, where the table has a column `index`, its values) and
        `part` (`train`, `validation` or `val`, `test`). A column such as `fitted_scaler` says, by 1, of which rows
        a step has seen the inputs.
    units : sequence of str, optional
        What must not be shared besides, for example `("subject", "stimulus")`.

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
    table = table.rename(columns={name: ours for name, ours in OTHER_NAMES.items() if ours not in table.columns})
    wanted = list(units or ())
    missing = [part for unit in wanted for part in unit.split("+") if part != "person" and part not in table.columns]
    if missing:
        raise DataError(
            f"the table has no column {missing[0]}", do=f"its columns are {', '.join(map(str, table.columns))}"
        )
    if not wanted and "trial" not in table.columns and not {"start", "stop"} <= set(table.columns):
        raise DataError(
            "nothing to audit: the table has neither trial nor start and stop", do="add them, or name a unit"
        )
    samples, notes = _samples(table)
    parts = _split(split, samples, "index" in table.columns)
    protocol = Protocol.parse(
        {"name": "table", "disjoint": tuple(dict.fromkeys(wanted)), "scored_unit": SAMPLE}, where="units"
    )
    report = audit(parts, samples, protocol, _fits(split, samples, "index" in table.columns))
    if report.counts["unused"]:
        notes.append(f"{report.counts['unused']} of {len(samples)} rows are in no part")
    shared = {name: count for name, count in report.shared.items() if name in table.columns}
    return replace(report, shared=shared, warnings=(*report.warnings, *notes))


def audit_files(table: Path, split: Path, units: Sequence[str] | None = None) -> Audit:
    """Check a split that lies in two CSV files; see `audit_tables`."""
    # NA may be somebody's name: only an empty cell is missing
    as_text = {"dtype": str, "keep_default_na": False, "na_values": [""]}
    return audit_tables(read_csv(table, **as_text), read_csv(split, **as_text), units)


def _samples(table: pd.DataFrame) -> tuple[Samples, list[str]]:
    """Return the table as samples, and what had to be assumed."""
    columns: dict[str, object] = {name: _text(table[name]) for name in _IDS if name in table.columns}
    columns["corpus"] = pd.Series(columns.get("corpus", [None] * len(table)), dtype=object).fillna("").to_numpy()
    if not {"subject", "session"} & set(columns):
        columns["session"] = [""] * len(table)  # one recording, as far as the table says
    for name in ("start", "stop"):
        if name in table.columns:
            columns[name] = _numbers(table[name], name)
    result = provenance(len(table), **columns)
    if "index" in table.columns:
        result.index = pd.Index(_text(table["index"]))
        if result.index.hasnans or not result.index.is_unique:
            raise DataError("the table's column index is incomplete or names two rows alike", do="number the rows")
    notes = []
    if _clock_restarts(result):
        result[["start", "stop"]] = np.nan
        notes.append("time: start and stop begin anew with every trial, and were not compared between trials")
    return Samples(result, {}), notes


def _text(values: pd.Series) -> np.ndarray:
    """Return names as text: 3.0, which a missing value made of 3, is 3 again."""
    if values.dtype.kind == "f" and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    text = values.astype("str").str.strip().to_numpy(object)
    text[values.isna().to_numpy() | (text == "")] = None
    return text


def _numbers(values: pd.Series, name: str) -> np.ndarray:
    values = values.replace("", None)
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = numbers.isna() & values.notna()
    if wrong.any():
        raise DataError(f"{name} is {values[wrong].iloc[0]!r}", where=f"row {wrong.to_numpy().argmax()}",
                        do="give numbers")  # fmt: skip
    return numbers.to_numpy(float)


def _clock_restarts(table: pd.DataFrame) -> bool:
    """Say whether times count from the start of each trial, since two trials of one session cannot both begin at 0."""
    timed = table.dropna(subset=["start", "stop", "trial"])
    starts = timed.groupby(["corpus", "subject", "session", "trial"], dropna=False)["start"].min()
    sessions = starts.groupby(level=["corpus", "subject", "session"], dropna=False).agg(["size", "nunique"])
    several = sessions[sessions["size"] > 1]
    return len(several) > 0 and bool((several["nunique"] == 1).all() and starts.max() <= 0)


def _split(split: pd.DataFrame, samples: Samples, by_index: bool) -> Split:
    for name in ("index", "part"):
        if name not in split.columns:
            raise DataError(f"the split has no column {name}", do="give the columns index and part")
    parts = split["part"].astype(str).str.strip().str.lower().replace("val", "validation").to_numpy()
    unknown = np.flatnonzero(~pd.Series(parts).isin(PARTS))
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


def _fits(split: pd.DataFrame, samples: Samples, by_index: bool) -> list[Fit]:
    """Return what the split's columns say that steps were fitted on."""
    ids, fits = _ids(split, by_index), []
    for column in (str(name) for name in split.columns if str(name).startswith(_FITTED)):
        words = split[column].astype("str").str.strip().str.lower()
        strange = ~words.isin((*_YES, *_NO)) & split[column].notna()
        if strange.any():
            what = f"{column} is {split[column][strange].iloc[0]!r}"
            raise DataError(what, where=f"row {int(strange.to_numpy().argmax())} of the split", do="write 1 or 0")
        fits.append(Fit(column.removeprefix(_FITTED), ids[words.isin(_YES).to_numpy()].to_numpy(), "inputs"))
    return fits
