"""Tables: those of others, however they were saved, and what in them is missing; those of insula, which run nowhere."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from insula.errors import DataError, printable

# where a spreadsheet would begin a formula, in the widths of East Asia, too, and behind what it does not show; some
# take a semicolon for the next cell
_FORMULA = re.compile("(^[\\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*|;)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")

_NOTHING = ("", "nan", "-nan", "na", "n/a", "#n/a", "#na", "<na>", "nat", "none", "null", "nil")
_SPELLINGS = [spelt for word in _NOTHING for spelt in (word, word.upper(), word.capitalize())] + ["NaN", "NaT"]
_BLOCK = 1 << 20


def encoding_of(path: Path) -> str:
    """Return how a text file is encoded: UTF-8, 16 or 32, with a byte order mark or without, or Windows.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "names.csv"
    >>> for name in ("cp1252", "utf-16", "utf-8"):
    ...     _ = path.write_bytes("é,à".encode(name))
    ...     print(encoding_of(path))
    cp1252
    utf-16
    utf-8-sig
    """
    try:
        with path.open("rb") as file:
            start = file.read(_BLOCK)
            if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
                return "utf-32"
            if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            for place, name in enumerate(("utf-16-be", "utf-16-le")):  # without the mark every other byte is 0
                if 2 * start[place::2].count(0) > len(start[place::2]) > 2 * start[1 - place :: 2].count(0):
                    return name
            decoder = codecs.getincrementaldecoder("utf-8")()
            while start:
                decoder.decode(start)
                start = file.read(_BLOCK)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    except OSError:  # which the reader says
        pass
    return "utf-8-sig"


def separator_of(path: Path, encoding: str) -> str:
    r"""Return what parts the cells of a table: of `,`, `;`, `|` and tab the one that its first line has most of.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "names.csv"
    >>> _ = path.write_text('"name, first";age\nAnna;3')
    >>> separator_of(path, "utf-8-sig")
    ';'
    """
    try:
        with path.open(encoding=encoding, errors="replace") as lines:
            head = re.sub(r'"[^"]*"', "", next(iter(lines), ""))
    except OSError:  # which the reader says
        return ","
    return max(",;\t|", key=head.count)


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a CSV or TSV file of any encoding and separator; what software writes for nothing (`none`) is missing.

    Parameters
    ----------
    path : Path
        The file.
    **options
        Of `pandas.read_csv`.

    Raises
    ------
    DataError
        Where the file is absent, empty or no CSV.
    """
    if not path.is_file():
        raise DataError("no such file", where=path, do="give a CSV file")
    encoding = options.pop("encoding", None) or encoding_of(path)
    with path.open("rb") as file:
        if b"\0" in file.read(8) and not encoding.startswith(("utf-16", "utf-32")):
            raise DataError("this is no text, but a workbook or the like", where=path, do="save it as CSV, in UTF-8")
    usual = {"sep": separator_of(path, encoding), "na_values": _SPELLINGS}
    try:
        table = pd.read_csv(path, encoding=encoding, **{**usual, **options})
    except (ValueError, UnicodeError) as error:
        raise DataError(f"not a CSV file: {error}", where=path, do="save it as CSV, in UTF-8") from None
    return table if "chunksize" in options else _tidy(table)


def _tidy(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as its head says, where rows are longer: an empty cell ends each, or a number begins it."""
    columns = table.columns
    if isinstance(table.index, pd.RangeIndex):
        return table
    if table.iloc[:, -1].isna().all():
        table = table.reset_index().iloc[:, : len(columns)].set_axis(columns, axis=1)
    return table.reset_index(drop=True)


def read_table(path: Path, names: Collection[str] = ()) -> pd.DataFrame:
    """Return a CSV or TSV file: columns of numbers as numbers, others as the words that they have.

    Where semicolons part the cells, decimals may have a comma.

    Parameters
    ----------
    path : Path
        The file.
    names : collection of str
        Columns that hold names, which stay text whatever they look like.

    Returns
    -------
    DataFrame
        Empty cells and `n/a` are missing, and in columns of numbers or names all that `is_missing`; in the others it
        stands as it is written, so that it can be said.

    Raises
    ------
    DataError
        If it cannot be read, or two columns have one name.
    """
    encoding = encoding_of(path)
    table = read_csv(path, encoding=encoding, dtype=str, keep_default_na=False, na_values=["", "n/a"])
    table.columns = table.columns.str.strip()
    head = read_csv(path, encoding=encoding, dtype=str, header=None, nrows=1).iloc[0].str.strip().dropna()
    if not head.is_unique:  # pandas numbers what is there twice
        twice = head[head.duplicated()].iloc[0]
        raise DataError(f"two columns are called {twice!r}", where=path, do="rename or remove one of them")
    comma = separator_of(path, encoding) == ";"
    for column in table.columns:
        empty = is_missing(table[column])
        if column in names:
            table[column] = table[column].str.strip().mask(empty)
            continue
        points = table[column].str.replace(",", ".", regex=False) if comma else table[column]
        numbers = pd.to_numeric(points, errors="coerce")
        if not empty.all() and numbers.notna().equals(~empty):
            table[column] = numbers
    return table


def is_missing(values: pd.Series) -> pd.Series:
    """Say of each value whether it is none: an empty cell, or what software writes for one.

    Examples
    --------
    >>> is_missing(pd.Series(["fear", "NaN", "none", None])).tolist()
    [False, True, True, True]
    """
    return values.isna() | values.astype("str").str.strip().str.lower().isin(_NOTHING)


def as_csv(table: pd.DataFrame, *, header: bool = True) -> str:
    r"""Return a table as CSV, without its index, such that a spreadsheet runs nothing and a terminal obeys nothing.

    Text that a spreadsheet would take for a formula begins with an apostrophe; control characters are spelt out, as in
    `\x1b`. Numbers stay as they are.

    Parameters
    ----------
    table : DataFrame
        Of any columns.
    header : bool
        Whether to begin with the names of the columns.

    Examples
    --------
    >>> print(as_csv(pd.DataFrame({"path": ["=1+1.jpg", "-2"], "p_=joy": [0.5, -1]})), end="")
    path,p_=joy
    '=1+1.jpg,0.5
    -2,-1.0
    """
    cells = {
        name: column.astype(object).map(_harmless) if column.dtype.kind == "O" else column
        for name, column in table.items()
    }
    return pd.DataFrame(cells, index=table.index).rename(columns=_harmless).to_csv(index=False, header=header)


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        float(value)
    except ValueError:
        return _FORMULA.sub(r"\1'", printable(value))
    return printable(value)
