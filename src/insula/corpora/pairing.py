"""EEG and pictures in one table: one row a trial, joined to its picture by the stimulus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.samples import PROVENANCE, Samples

_POINTERS = ("eeg_store", "eeg_row", "picture_store", "picture_row")


def pair(seen: Samples, pictures: Samples, *, where: object) -> Samples:
    """Return the trials with their pictures, and a row without subject for each picture that nobody saw.

    Parameters
    ----------
    seen : Samples
        One row a trial, with `eeg` and `stimulus`; further columns are kept. A picture shown twice is two trials of it.
    pictures : Samples
        One row a picture, with its `stimulus`, `identity` and labels; `picture` may be missing (no face was found).
    where : object
        What names the stimuli, for errors.

    Raises
    ------
    DataError
        If a stimulus is no picture, or a trial's label contradicts its picture's.
    """
    faces = pictures.table.set_index("stimulus")
    if not faces.index.is_unique:
        twice = faces.index[faces.index.duplicated()][0]
        raise DataError(f"two pictures are called {twice!r}", where=where, do="give each picture its own stimulus")
    table = seen.table.assign(stimulus=stimulus_names(seen.table["stimulus"], faces.index, where))
    unseen = pictures.table[~pictures.table["stimulus"].isin(table["stimulus"])]
    own = [name for name in faces if name not in _POINTERS and name not in PROVENANCE]
    for name in ["identity", *own]:
        table[name] = _agreed(table, faces, name, where)
    rows = [*table["stimulus"], *unseen["stimulus"]]
    joined = pd.concat([table, unseen.drop(columns=["picture_store", "picture_row"])], ignore_index=True)
    joined["corpus"] = pd.array([table["corpus"].iloc[0]] * len(joined), dtype="str")
    pointers = {name: joined.pop(name) for name in ("eeg_store", "eeg_row")}
    picture = faces.loc[rows]
    joined = joined.assign(
        picture_store=picture["picture_store"].array,
        picture_row=picture["picture_row"].to_numpy(),
        eeg_store=pointers["eeg_store"].astype("str"),
        eeg_row=pointers["eeg_row"].fillna(-1).astype(np.int64),
    )
    return Samples(joined, {**pictures.stores, **seen.stores})


def stimulus_names(events: pd.Series, pictures: Iterable[str], where: object) -> list[str]:
    """Return which picture each stimulus is: of that very name or, where only one fits, of that file name or stem.

    Raises
    ------
    DataError
        If a stimulus is no picture, or may be two.

    Examples
    --------
    >>> stimulus_names(pd.Series(["b", "joy/a.png"]), ["joy/a.png", "fear/b.png"], "events.csv")
    ['fear/b.png', 'joy/a.png']
    """
    pictures = list(pictures)
    names: dict[str, list[str]] = {}
    for name in pictures:
        path = PurePosixPath(name)
        for short in {path.name, path.stem}:
            names.setdefault(short, []).append(name)
    exact = set(pictures)
    if events.isna().any():
        what = f"event {events.index[events.isna()][0]} names no picture"
        raise DataError(what, where=where, do="fill in its stimulus, or leave the event out")
    stimuli: dict[str, str] = {}
    for name in events.unique():
        fitting: Sequence[str] = [name] if name in exact else names.get(str(name), [])
        if len(fitting) != 1:
            what = (
                f"the stimulus {name!r} is no picture"
                if not fitting
                else f"the stimulus {name!r} may be {fitting[0]} or {fitting[1]}"
            )
            raise DataError(what, where=where, do="name a picture's path or stimulus, or leave the event out")
        stimuli[name] = fitting[0]
    return events.map(stimuli).tolist()


def _agreed(table: pd.DataFrame, faces: pd.DataFrame, name: str, where: object) -> pd.Series:
    """Return a column that trials or pictures may have; where both have a value it must be one."""
    theirs = faces[name].loc[table["stimulus"]].set_axis(table.index)
    if name not in table:
        return theirs
    own = table[name]
    differ = own.notna() & theirs.notna() & (own != theirs)
    if differ.any():
        row = differ.idxmax()
        what = f"{name} of {table['stimulus'][row]} is {own[row]!r} in the events and {theirs[row]!r} of the picture"
        raise DataError(what, where=where, do="rename one of the columns")
    return own.where(own.notna(), theirs)
