"""Tables of pictures that others wrote: which column is the path and which the label, under the names in use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from insula.errors import DataError

PATHS = ("path", "image_path", "img", "file", "filepath", "filename")
"""Names in use for the column of paths."""

NAMES = ("label_name", "class_name", "label_str")
"""Names in use for the column of labels in words."""

CODES = ("label_id", "label", "cls", "class", "target", "y")
"""Names in use for a column of labels that may be numbers."""


def usual_columns(table: pd.DataFrame, label: str, codes: Mapping[str, str] | None, where: Path) -> pd.DataFrame:
    """Return the table with its paths in the column `path` and its labels, by name, in the column `label`.

    Columns that have these names are taken; others only where these are missing.

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
    path = next((name for name in PATHS if name in table), None)
    column = next((name for name in (label, *NAMES, *CODES) if name in table), None)
    if path is None or column is None:
        missing = "path" if path is None else label
        raise DataError(f"no column {missing!r}", where=where, do=f"the columns are {', '.join(table.columns)}")
    table = table.rename(columns={path: "path", column: label})
    labels = table[label].replace(dict(codes or {})).astype("str")
    number = labels.str.fullmatch(r"[+-]?\d+(\.\d*)?").fillna(False)
    if number.any():
        raise DataError(f"the label {labels[number].iloc[0]} is a number", where=f"{where}, column {column}",
                        do="give its name in codes, for example codes={0: anger}")  # fmt: skip
    return table.assign(**{label: labels})
