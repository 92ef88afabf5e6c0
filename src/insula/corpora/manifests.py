"""Tables of pictures that others wrote: which column is the path and which the label, under the names in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os.path import normpath
from pathlib import Path

import pandas as pd

from insula.corpora.own_names import part_of
from insula.errors import DataError
from insula.faces.pictures import SUFFIXES
from insula.storage.below import files_below

PATHS = ("path", "image_path", "img", "image", "file", "filepath", "filename", "file_name", "image_name")
"""Names in use for the column of paths."""

NAMES = ("label_name", "class_name", "label_str")
"""Names in use for the column of labels in words."""

CODES = ("label_id", "label", "cls", "class", "target", "y")
"""Names in use for a column of labels that may be numbers."""


_PARTS = ("part", "split", "subset", "usage")


def usual_columns(table: pd.DataFrame, label: str, codes: Mapping[str, str] | None, where: Path) -> pd.DataFrame:
    """Return the table with its paths in the column `path` and its labels, by name, in the column `label`.

    Columns that have these names are taken, in capitals too; others only where these are missing. A column `part`, or
    `split` and the like, that holds nothing but parts of a split is the column `part`.

    Parameters
    ----------
    table : DataFrame
        As read, labels as text.
    label : str
        What the column of labels is to be called.
    codes : mapping of str to str, optional
        Name of each label, where they are numbers: nothing is guessed.
    where : Path
        The file, for errors.

    Raises
    ------
    DataError
        Where a column is missing, or labels are numbers and no name is given for one of them.

    Examples
    --------
    >>> table = pd.DataFrame({"img": ["a.png", "b.png"], "y": ["0", "1"]})
    >>> usual_columns(table, "emotion", {"0": "anger", "1": "fear"}, Path("list.csv")).to_dict("list")
    {'path': ['a.png', 'b.png'], 'emotion': ['anger', 'fear']}
    """
    plain = {name.lower().replace(" ", "_"): name for name in reversed(table.columns)} | {name: name for name in table}
    path = next((plain[name] for name in PATHS if name in plain), None)
    column = next((plain[name] for name in (label, *NAMES, *CODES) if name in plain), None)
    if path is None or column is None:
        missing = "path" if path is None else label
        raise DataError(f"no column {missing!r}", where=where, do=f"the columns are {', '.join(table.columns)}")
    table = table.rename(columns={path: "path", column: label})
    table["path"] = table["path"].str.replace("\\", "/")  # as Windows writes them
    labels = table[label].astype("str").str.replace(r"^([+-]?\d+)\.0*$", r"\1", regex=True)  # as gaps make of numbers
    labels = labels.replace(dict(codes or {}))
    number = labels.str.fullmatch(r"[+-]?\d+(\.\d*)?").fillna(False)
    if number.any():
        first = labels[number].iloc[0]
        raise DataError(f"the label {first} is a number", where=f"{where}, column {column}",
                        do=f"give its name in codes, as in --set 'corpus.codes={{{first}: anger}}'")  # fmt: skip
    given = next((plain[name] for name in _PARTS if name in plain), None)
    parts = table[given].astype("str").map(part_of, na_action="ignore") if given else pd.Series()
    if given and parts.notna().equals(table[given].notna()):
        table = table.drop(columns=given).assign(part=parts)
    return table.assign(**{label: labels})


def unnamed(root: Path, paths: Iterable[str]) -> str | None:
    """Return how many pictures in a folder its manifest does not name, in words; None where it names all."""
    named = {normpath(root / path) for path in paths}
    others = [path for path in files_below(root) if path.suffix.lower() in SUFFIXES and normpath(path) not in named]
    first = f"the first is {others[0].relative_to(root)}" if others else ""
    return f"{len(others):,} pictures that the manifest does not name are left out: {first}" if others else None
