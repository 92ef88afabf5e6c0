"""Predictions as files: a table, annotated copies, curves of films; written as they are made."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from insula.deployment.inputs import Source, sources
from insula.errors import DataError, InsulaError, MachineError, SettingsError, printable

if TYPE_CHECKING:
    from insula.deployment.inputs import Inputs
    from insula.deployment.predictor import Predictor

_BATCH = 64  # pictures that are judged before their copies are written
_EVERY = 5.0  # s after which what was answered so far is written
_TABLE = "predictions.csv"
_LONGEST = 80  # bytes of a name that the name of a copy takes over


def check_folder(folder: Path) -> None:
    """Refuse, before anything is looked at, an output folder that holds something else, and one that cannot be written.

    Raises
    ------
    DataError
        Where there are files in it and no `predictions.csv`, or nothing can be written there.
    """
    from insula.storage.atomic import check_writable

    check_writable(folder)
    if (folder / _TABLE).is_file():
        return
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise DataError("the output folder holds something else", where=folder, do="give a new folder with -o")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _TABLE).write_text("path\n")  # so that what is broken off is known again


def _lies_in(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents


def predict_to_folder(
    predictor: Predictor,
    inputs: Inputs,
    folder: Path,
    mode: str | None = None,
    *,
    rate: float | None = 5.0,
    smooth: float = 0.5,
) -> pd.DataFrame:
    """Predict pictures, films and folders of them, and write what was answered.

    Written are `predictions.csv`, every few seconds, an annotated copy of every picture and film that shows a face (of
    a film the frames that were looked at, without sound), and for every such film its tracks over time and a page of
    frames. What was written to the same folder before, and lies among the inputs, is not read.

    Returns
    -------
    DataFrame
        As `Predictor.predict`.
    """
    from insula.storage.atomic import write_file
    from insula.storage.tables import as_csv

    predictor.check(mode, rate, smooth)
    given = sources(inputs)
    within = [source for source in given if isinstance(source.given, Path) and _lies_in(source.given, folder)]
    if (folder / _TABLE).is_file():  # it was written by this before, and lies among the pictures
        given = [source for source in given if source not in within]
    if within and (not given or not (folder / _TABLE).is_file()):
        do = "give another folder with -o: what is written into this one would be read as a picture next time"
        raise SettingsError("the output folder holds what is to be read", where=within[0].name, do=do)
    check_folder(folder)
    parts: list[pd.DataFrame] = []
    written = time.monotonic()
    for first, some in _batches(given):
        part = predictor._predict(some, mode, rate, smooth)
        parts.append(_with_copies(part, some, folder, first, rate))
        if first + len(some) == len(given) or time.monotonic() > written + _EVERY:
            table = _joined(parts)
            with write_file(folder / _TABLE) as temporary:
                temporary.write_text(as_csv(table), encoding="utf-8")
            parts, written = [table], time.monotonic()
    return parts[0]


def _batches(given: list[Source]) -> Iterator[tuple[int, list[Source]]]:
    """Yield sources that are judged together and the place of the first: films one by one, pictures some at a time."""
    first = 0
    for is_film, same in groupby(given, key=lambda source: source.is_film):
        sources, step = list(same), 1 if is_film else _BATCH
        for start in range(0, len(sources), step):
            yield first + start, sources[start : start + step]
        first += len(sources)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return tables as one, whose columns stand where `Predictor.predict` has them."""
    if len(parts) == 1:
        return parts[0]
    columns = max((part.columns for part in parts), key=len)
    filled = [part.dropna(axis=1, how="all") for part in parts]
    return pd.concat(filled, ignore_index=True).reindex(columns=columns)


def _with_copies(
    table: pd.DataFrame, given: list[Source], folder: Path, first: int, rate: float | None
) -> pd.DataFrame:
    """Write annotated copies, and return the table; a copy that fails is a reason in it, and spoils nothing else."""
    from insula.deployment.draw_tracks import write_tracks
    from insula.deployment.sheet import annotate
    from insula.faces import read_reduced
    from insula.storage.atomic import write_file

    files = {source.name: source.given for source in given}
    for number, (name, rows) in enumerate(table.groupby("path", sort=False), start=first):
        path = files[str(name)]
        stem = folder / f"{number:03d}-{Path(str(name)).stem.encode()[:_LONGEST].decode(errors='ignore')}"
        if not isinstance(path, Path):  # what was in memory is not kept
            continue
        try:
            if rows["track"].notna().any():
                write_tracks(path, rows[rows["track"].notna()], stem, rate)
            elif rows["face"].notna().any():
                picture, divisor = read_reduced(path, math.inf)  # by 1, but for the largest
                boxes = rows[["left", "top", "right", "bottom"]].astype(float) / divisor
                with write_file(stem.with_name(f"{stem.name}.png")) as temporary:
                    annotate(picture, rows.assign(**boxes)).save(temporary, format="PNG")
        except MachineError:
            raise
        except Exception as error:  # of a library that draws or writes: the answer stands
            what = error.what if isinstance(error, InsulaError) else f"{type(error).__name__}: {error}"
            places = table.index[table["path"] == name]
            table["reason"] = table["reason"].astype(object)
            table.loc[places, "reason"] = table.loc[places, "reason"].fillna(printable(f"no annotated copy: {what}"))
    return table
