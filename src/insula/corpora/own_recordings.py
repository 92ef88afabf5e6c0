"""What a folder of recordings means where nobody says it: who, which table, which label, how it is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from insula.corpora.recording_channels import read_names
from insula.corpora.recording_files import TABLES, RecordingFile, keyed_table, recording_names
from insula.corpora.recording_folders import is_bids
from insula.corpora.recording_people import guess_who
from insula.corpora.recording_tables import StudyFolder, annotated, text_of
from insula.eeg.epoch_store import Windows
from insula.eeg.filters import low_edge_seconds
from insula.eeg.preprocessing import HIGHEST_EDGE, Preprocessing
from insula.eeg.reading import channel_table, outline
from insula.emotions import OF_RATINGS, normalise_label
from insula.errors import DataError
from insula.storage.below import files_below
from insula.storage.tables import is_missing

USUAL_LABELS = ("label", "emotion", "condition", "trial_type", "class", "category")
"""Columns that are taken for the label before any other, in this order."""

_NO_LABELS = {
    "recording", "subject", "session", "onset", "duration", "trial", "stimulus", "stim_file", "sample", "value",
    "place", "identity", "response_time", "age", "sex", "gender", "hand", "handedness", "date",
}  # fmt: skip
_MOST_CLASSES, _MOST_CODES = 10, 4  # whole numbers beyond four are ratings, as far as one can guess
_MARK = 0.2  # seconds: what lasts less says when something began, and not how long it was
_LASTING = 2 * Windows().seconds  # events from here on are cut into windows

Outline = tuple[float, float, pd.DataFrame]


@dataclass(frozen=True)
class OwnRecordings:
    """What was understood of a folder of recordings.

    Parameters
    ----------
    settings : dict
        Of the corpus `recordings`: those given, and those that were found out.
    label : str
        The column that is the label.
    people : int
        How many are recorded.
    summary : str
        One line that says what was understood.
    """

    settings: dict[str, Any]
    label: str
    people: int
    summary: str


def understand(given: Mapping[str, Any], label: str | None = None, *, classes: bool = True) -> OwnRecordings:
    """Find out what a folder of recordings means; only tables and headers are read.

    Parameters
    ----------
    given : mapping
        Settings of the corpus `recordings` that are said already, `root` among them: they are kept.
    label : str, optional
        The column that is the label, where that is said already.
    classes : bool
        Whether the label is learnt as classes, so that whole numbers are names.

    Raises
    ------
    DataError
        Where two readings are possible, or there is no label: it says what to type.
    """
    settings, root = dict(given), Path(given["root"])
    if not root.is_dir():
        raise DataError("no such folder", where=root, do="correct root")
    tables = (
        {} if any(path.name.endswith(("_events.csv", "_events.tsv")) for path in files_below(root)) else _tables(root)
    )
    if not {"events", "labels"} & set(given):
        settings |= _chosen_tables(tables, root)
    if not is_bids(root) and "who" not in given:
        own_tables = [table for path, table in tables.items() if path.name in map(str, settings.values())]
        people = {name for table in own_tables if "subject" in table for name in table["subject"].dropna()}
        settings["who"] = guess_who(recording_names(root), people)
    study = _study(settings, root)
    outlines = [outline(one.path) for one in study.files]
    if study.kind == "windows" and not {"events", "labels"} & set(settings) and _names_conditions(outlines):
        settings["events"] = "annotations"
        study = _study(settings, root)
    label = label or given.get("label")
    rows = _rows(study, outlines, label or USUAL_LABELS[1])
    label = label or _label(rows, root)
    if label not in rows:
        raise _no_column(label, rows, root)
    settings["label"] = label
    labelled = rows[~is_missing(rows[label])]
    values = labelled[label]
    if classes and pd.api.types.is_numeric_dtype(values):
        if not _are_codes(values, _MOST_CLASSES):
            raise DataError(f"{label} is a rating, and the task wants classes", where=root, do=OF_RATINGS)
        settings.setdefault("classes", sorted(text_of(values).unique(), key=float))
    settings |= {**_channels(study.files, settings, root), **_cut(study, labelled, outlines, settings)}
    return OwnRecordings(settings, label, len({one.subject for one in study.files}),
                         _summary(study, rows, label, settings))  # fmt: skip


def _study(settings: Mapping[str, Any], root: Path) -> StudyFolder:
    events, labels = settings.get("events", "auto"), settings.get("labels")
    return StudyFolder.open(root, settings.get("who", "{subject}"), events, labels)


def _tables(root: Path) -> dict[Path, pd.DataFrame]:
    """Return the tables in a folder that speak of recordings or people."""
    tables = {}
    for path in sorted(path for path in root.iterdir() if path.suffix.lower() in TABLES and path.is_file()):
        try:
            table = keyed_table(path)
        except DataError:
            continue  # whatever it is, it is no table of recordings
        if {"recording", "subject"} & set(table.columns):
            tables[path] = table
    return tables


def _chosen_tables(tables: Mapping[Path, pd.DataFrame], root: Path) -> dict[str, str]:
    """Return the settings `events` and `labels` that the tables in a folder suggest."""
    chosen = {}
    for key in ("events", "labels"):
        kind = [path for path, table in tables.items() if ("onset" in table) == (key == "events")]
        if key == "labels" and is_bids(root):
            kind = [path for path in kind if path.name != "participants.tsv"]  # which is joined anyway
        best = [path for path in kind if path.stem.lower() in (key, key.removesuffix("s"))]
        best = best or [path for path in kind if _candidates(tables[path])] or kind
        if len(best) > 1:
            do = " or ".join(f"--set corpus.{key}={path.name}" for path in best)
            raise DataError(f"{len(best)} tables may be that of {key}", where=root, do=f"add {do}")
        if best:
            chosen[key] = best[0].name
    return chosen


def _names_conditions(outlines: Sequence[Outline]) -> bool:
    """Say whether annotations are events: each recording has some, and their few texts repeat."""
    texts = [annotated(marks)["text"] for _, _, marks in outlines]
    return all(len(each) for each in texts) and _is_label(pd.concat(texts))


def _rows(study: StudyFolder, outlines: Sequence[Outline], label: str) -> pd.DataFrame:
    """Return what the tables say, one row an event or, without events, a recording; `place` is the recording's."""
    if study.kind != "annotations":
        return study.rows_as_written()[0]
    marks = [annotated(marks).rename(columns={"text": label}) for _, _, marks in outlines]
    return pd.concat([study.with_facts(marked, place) for place, marked in enumerate(marks)], ignore_index=True)


def _is_label(values: pd.Series) -> bool:
    """Say whether a column holds a few values that repeat, and no ratings."""
    values = values[~is_missing(values)]
    if pd.api.types.is_numeric_dtype(values) and not _are_codes(values, _MOST_CODES):
        return False
    counts = values.value_counts()
    return 2 <= len(counts) <= _MOST_CLASSES and bool(counts.min() >= 2)


def _are_codes(values: pd.Series, most: int) -> bool:
    """Say whether numbers are whole and of so few values that they may be classes."""
    return bool((values % 1 == 0).all()) and len(values.unique()) <= most


def _candidates(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows if name not in _NO_LABELS and _is_label(rows[name])]


def _tells_apart(values: pd.Series) -> bool:
    """Say whether a column that is called a label holds classes, however many."""
    values = values[~is_missing(values)]
    return len(values.unique()) > 1 and (not pd.api.types.is_numeric_dtype(values) or _are_codes(values, _MOST_CLASSES))


def _label(rows: pd.DataFrame, root: Path) -> str:
    """Return the column that is the label, by its name or because no other can be."""
    telling = {name.lower(): name for name in rows if _tells_apart(rows[name])}
    usual = [telling[name] for name in USUAL_LABELS if name in telling]
    columns = usual[:1] or _candidates(rows)
    if len(columns) == 1:
        return columns[0]
    if columns:
        do = " or ".join(f"--set task.label={name}" for name in columns)
        raise DataError(f"{len(columns)} columns may be the label", where=root, do=f"add {do}")
    same = [name for name in rows if name not in _NO_LABELS and len(rows[name].dropna().unique()) == 1]
    if len(same) == 1:
        what = f"every recording is {rows[same[0]].dropna().iloc[0]!r}, in the column {same[0]}"
        raise DataError(what, where=root, do="give recordings of at least two classes")
    raise _no_column(None, rows, root)


def _no_column(label: str | None, rows: pd.DataFrame, root: Path) -> DataError:
    """Return what says that there is no label, and what could be one."""
    columns = [name for name in rows if name not in _NO_LABELS and not is_missing(rows[name]).all()]
    what = "no label is found" if label is None else f"no label column {label!r}"
    if not columns:
        do = "write labels.csv (recording,label) or events.csv (recording,onset,duration,label) into it"
        books = sorted(path.name for path in root.glob("*.xls*"))
        strange = sorted({path.name for path in root.glob("*.[ct]sv")} - {path.name for path in _tables(root)})
        blank = [name for name in rows if name not in _NO_LABELS]  # or it would be among the columns
        if blank:
            do = f"the column {blank[0]} holds nothing: fill it in"
        elif strange:
            do = f"give {strange[0]} the columns recording (or subject) and label, with a name in each row"
        return DataError(what, where=root, do=f"save {books[0]} as labels.csv" if books else do)
    ratings = [name for name in columns if pd.api.types.is_numeric_dtype(rows[name])]
    words = [f"--set task.label={columns[0]}"]
    if label is None and ratings:
        words = [f"--set task.label={ratings[0]}", "--set task.kind=binary", "--set task.threshold=5",
                 "--set task.tie=high"]  # fmt: skip
    return DataError(what, where=root, do=f"columns are {', '.join(columns)}: add one, as in {' '.join(words)}")


def _channels(files: Sequence[RecordingFile], settings: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return the setting `channels`: those in common, where every channel is an electrode and recordings differ."""
    if "channels" in settings:
        return {}
    rename = read_names(settings.get("rename"), root)
    tables = [channel_table(one.path, rename, settings.get("unit")) for one in files]
    kept = [table[table["dropped"].isna()]["electrode"] for table in tables]
    differ = len({frozenset(electrodes) for electrodes in kept}) > 1
    return {"channels": "common"} if differ and all(one.notna().all() for one in kept) else {}


def _cut(
    study: StudyFolder, rows: pd.DataFrame, outlines: Sequence[Outline], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings `preprocessing`, `windows` and `within` that suit rates, lengths and events."""
    lengths = np.array([seconds for _, seconds, _ in outlines])
    rates = {rate for rate, _, _ in outlines}
    usual = Preprocessing()
    low = usual.band[0] if lengths.min() >= low_edge_seconds(usual.band[0]) else 2 * usual.band[0]
    band = [low, min(usual.band[1], round(HIGHEST_EDGE * min(rates), 3))]
    cleaning: dict[str, Any] = {} if tuple(band) == usual.band else {"band": band}
    if len(rates) == 1 and usual.rate and min(rates) < usual.rate:
        cleaning["rate"] = None
    choices: dict[str, Any] = {}
    if study.kind == "windows":
        choices["windows"] = {"seconds": Windows().seconds if lengths.min() >= _LASTING else 1.0}
    else:
        lasting = _seconds(rows, "duration").fillna(0.0)
        if lasting.min() >= _LASTING:
            choices |= {"within": True, "windows": {"seconds": Windows().seconds}}
        else:
            cleaning |= _epoch(rows, lasting, lengths)
    own_cleaning = settings.get("preprocessing")
    if cleaning and (own_cleaning is None or isinstance(own_cleaning, dict)):
        choices["preprocessing"] = cleaning | (own_cleaning or {})
    return {key: value for key, value in choices.items() if key not in settings or key == "preprocessing"}


def _epoch(rows: pd.DataFrame, lasting: pd.Series, lengths: np.ndarray) -> dict[str, Any]:
    """Return the epoch around events: as long as the shortest, or up to the next, a second at most where none lasts."""
    onset = _seconds(rows, "onset")
    ends = pd.Series(lengths[rows["place"]], rows.index)
    following = onset.groupby(rows["place"]).shift(-1).fillna(ends) - onset
    usual = Preprocessing().epoch[1]
    length = float(lasting.min()) if lasting.min() >= _MARK else min(1.0, float(following[following > 0].min()))
    epoch = [0.0, round(length, 3) if length >= _MARK else usual]
    reaches_back = onset.min() < _MARK or length >= 1.0  # out of the recording, or into what came before
    return {"epoch": epoch, **({"baseline": None} if reaches_back else {})}


def _seconds(rows: pd.DataFrame, column: str) -> pd.Series:
    return pd.to_numeric(rows[column], errors="coerce") if column in rows else pd.Series(np.nan, rows.index)


def _summary(study: StudyFolder, rows: pd.DataFrame, label: str, settings: Mapping[str, Any]) -> str:
    """Return one line that says what was understood."""
    people = sorted({one.subject for one in study.files})
    values = rows[label][~is_missing(rows[label])]
    names = values if pd.api.types.is_numeric_dtype(values) else values.map(normalise_label)
    counts = names.value_counts().sort_index()
    classes = ", ".join(f"{name} {count}" for name, count in counts.items()) if len(counts) <= _MOST_CLASSES else ""
    source = {"annotations": "the annotations", "tables": "tables of events"}.get(study.kind, settings.get("labels"))
    source = study.above.name if study.above else source or "participants.tsv"
    missing = f", {len(rows) - len(values)} without" if len(values) < len(rows) else ""
    cleaning = settings.get("preprocessing") or {}
    if settings.get("within") or study.kind == "windows":
        seconds = settings.get("windows", {}).get("seconds", Windows().seconds)
        cut = f"windows of {seconds:g} s"
    else:
        epoch = cleaning.get("epoch", Preprocessing().epoch)
        lasting = _seconds(rows, "duration").fillna(0.0)
        cut = f"epochs of {epoch[0]:g} to {epoch[1]:g} s from {'events' if lasting.min() >= _MARK else 'marks'} on"
    if "band" in cleaning:
        cut += f", {cleaning['band'][0]:g}-{cleaning['band'][1]:g} Hz"
    channels = ", channels that all have" if settings.get("channels") == "common" else ""
    who = f" (who: {settings['who']})" if "who" in settings else ""
    return (
        f"understood: {len(study.files)} recordings of {len(people)} {'people' if len(people) > 1 else 'person'}{who}, "
        f"{len(counts)} classes of {label} from {source} ({classes}{missing}), {cut}{channels}; "
        f"say otherwise with --set, as in --set task.label={label}"
    )
