"""Which events of a BIDS recording are trials: when each begins and ends, what was shown, and its labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field, PositiveFloat

from insula.corpora.bids_labels import Answers, Order, Rated, Ratings, Scale, answered, check_scale, same_stimulus
from insula.corpora.recording_files import NAMES, RecordingFile
from insula.corpora.recording_tables import annotated, seconds, text_of
from insula.errors import DataError
from insula.samples import Recording
from insula.storage.settings import Settings
from insula.storage.tables import read_table


class Layout(Settings):
    """Which events of a BIDS set are trials, and where their labels are.

    Parameters
    ----------
    column : str
        The events' column that says what an event is. Of a recording without a table of events, its annotations.
    names : mapping of str to str
        From values of the column to words, where it holds codes.
    starts : tuple of str, optional
        What begins a trial; by default every event does.
    ends : tuple of str
        What ends it: the first such event after its start and before the next; a trial without one is left out.
    seconds : float, optional
        How long it lasts at most; by default until its end or, without `ends`, the event's duration.
    unit : {"seconds", "samples"}
        What onset and duration count. BIDS says seconds; some sets hold samples.
    stimulus : str, optional
        The events' column that names what was shown.
    stimulus_codes : (int, int), optional
        Or the codes of the stimuli in `column`, lowest and highest: the one nearest to the start is taken.
    labels : mapping of str to (low, high) or null
        Columns of the events that are labels: their scales, or null for words.
    ratings, answers, order
        Labels beside the events, among them, or in the README.
    rename : mapping of str to str
        From channels as the files name them to 10-05 electrodes; where given, no others are read.
    """

    column: str = "trial_type"
    names: dict[str, str] = Field(default_factory=dict)
    starts: tuple[str, ...] | None = None
    ends: tuple[str, ...] = ()
    seconds: PositiveFloat | None = None
    unit: Literal["seconds", "samples"] = "seconds"
    stimulus: str | None = None
    stimulus_codes: tuple[int, int] | None = None
    labels: dict[str, Scale | None] = Field(default_factory=dict)
    ratings: Ratings | None = None
    answers: Answers | None = None
    order: Order | None = None
    rename: dict[str, str] = Field(default_factory=dict)


class Part(NamedTuple):
    """A trial of a recording, in seconds of it; `code` is what its start is called."""

    start: float
    stop: float
    code: str
    stimulus: str | None
    labels: dict[str, Any]


def trials_in(one: RecordingFile, recording: Recording, layout: Layout, ratings: Mapping[str, Rated]) -> list[Part]:
    """Return the trials of a recording, in the order of their onsets.

    Parameters
    ----------
    one : RecordingFile
        Its tables.
    recording : Recording
        Its rate and, where there is no table of events, its annotations.
    layout : Layout
        Of the set.
    ratings : mapping
        Each person's ratings by stimulus (`insula.corpora.bids_labels.rated`), where the set has such tables.

    Raises
    ------
    DataError
        If a column is missing, a value is no number or off its scale, or trials overlap.
    """
    where = one.events or one.path
    events = _events(one, recording, layout)
    rows, start, stop = _spans(events, layout, where)
    stimuli = _stimuli(rows, start, events, layout)
    if layout.ratings:
        names = {name for rated in ratings.values() for name in rated}
        stimuli = [_rated_name(name, names) for name in stimuli]
    rated = ratings.get(one.subject, {})
    labels = [dict.fromkeys(layout.ratings.scales) if layout.ratings else {} for _ in stimuli]
    for label, name in zip(labels, stimuli, strict=True):
        label.update(rated.get(name or "", {}))
    for column, scale in layout.labels.items():
        for label, value in zip(labels, text_of(rows[column]) if scale is None else rows[column], strict=True):
            label[column] = _label(value, column, scale, where)
    if layout.answers:
        for label, answers in zip(labels, answered(events, start, layout.answers, where), strict=True):
            label.update(answers)
    return [Part(*one) for one in zip(start.tolist(), stop.tolist(), rows["code"], stimuli, labels, strict=True)]


def _events(one: RecordingFile, recording: Recording, layout: Layout) -> pd.DataFrame:
    """Return the events in the order of their onsets (seconds), with `code`, what an event is, as text."""
    where = one.events or one.path
    table = read_table(one.events, NAMES) if one.events else annotated(recording.events)
    column = layout.column if one.events else "text"
    needed = ["onset", column, *layout.labels, *([layout.stimulus] if layout.stimulus else [])]
    absent = [name for name in needed if name not in table]
    if absent:
        columns = ", ".join(map(str, table.columns))
        raise DataError(f"no column {absent[0]!r}", where=where, do=f"set layout; its columns are {columns}")
    scale = recording.rate if layout.unit == "samples" else 1.0
    code = text_of(table[column]).map(lambda value: layout.names.get(value, value), na_action="ignore")
    duration = seconds(table["duration"], where).fillna(0.0) if "duration" in table else 0.0
    table = table.assign(onset=seconds(table["onset"], where) / scale, duration=duration / scale, code=code)
    return table[table["onset"].notna() & table["code"].notna()].sort_values("onset", ignore_index=True)


def _spans(events: pd.DataFrame, layout: Layout, where: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the events that begin trials, and when these begin and end."""
    onset, code = events["onset"].to_numpy(float), events["code"]
    rows = events if layout.starts is None else events[code.isin(layout.starts)]
    start = rows["onset"].to_numpy(float)
    following = np.append(start[1:], np.inf)[: len(start)]
    if layout.ends:
        ends = np.append(onset[code.isin(layout.ends).to_numpy()], np.inf)
        stop = ends[np.searchsorted(ends, start, side="right").clip(max=len(ends) - 1)]
        ended = np.isfinite(stop) & (stop <= following)
        rows, start, stop, following = rows[ended], start[ended], stop[ended], following[ended]
        stop = np.minimum(stop, start + (layout.seconds or np.inf))
    else:
        stop = start + (layout.seconds or rows["duration"].to_numpy(float))
    wrong = (stop <= start) | (stop > following)
    if wrong.any():
        row = int(np.argmax(wrong))
        length, room = stop[row] - start[row], following[row] - start[row]
        what = f"the trial at {start[row]:g} s lasts {length:g} s, and the next begins {room:g} s after it"
        raise DataError(what, where=where, do="correct layout (unit, seconds, starts) or the table")
    return rows.reset_index(drop=True), start, stop


def _stimuli(rows: pd.DataFrame, start: np.ndarray, events: pd.DataFrame, layout: Layout) -> list[str | None]:
    if layout.stimulus:
        return [None if pd.isna(name) else str(name) for name in text_of(rows[layout.stimulus])]
    low, high = layout.stimulus_codes or (0, -1)
    coded = events[pd.to_numeric(events["code"], errors="coerce").between(low, high)]
    if coded.empty:
        return [None] * len(rows)
    nearest = np.abs(coded["onset"].to_numpy()[None] - start[:, None]).argmin(axis=1)
    return coded["code"].iloc[nearest].tolist()


def _label(value: Any, column: str, scale: Scale | None, where: object) -> Any:
    if pd.isna(value):
        return None
    return str(value) if scale is None else check_scale(value, column, scale, where)


def _rated_name(name: str | None, rated: Collection[str]) -> str | None:
    """Return what a stimulus is called among the ratings: events may number its showings, as in `12_3`."""
    if name is None:
        return None
    full = same_stimulus(name)
    return next((one for one in (same_stimulus(re.sub(r"_\d+$", "", name)), full) if one in rated), full)
