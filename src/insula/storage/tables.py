"""CSV files: those of others read with one clear line where they cannot be; those of insula, which run nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from insula.errors import DataError, printable

# where a spreadsheet would begin a formula, in the widths of East Asia, too; some take a semicolon for the next cell
_FORMULA = re.compile("(^|;)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")


def encoding_of(path: Path) -> str:
    """Return how a text file is encoded: UTF-8, with the mark that spreadsheets begin it with or without, or Windows.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "names.csv"
    >>> _ = path.write_bytes("é".encode("cp1252"))
    >>> encoding_of(path)
    'cp1252'
    """
    try:
        path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return "cp1252"
    except OSError:  # which the reader says
        pass
    return "utf-8-sig"


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a CSV file.

    Raises
    ------
    DataError
        Where the file is absent, empty or no CSV.
    """
    if not path.is_file():
        raise DataError("no such file", where=path, do="give a CSV file")
    try:
        return pd.read_csv(path, **options)
    except (ValueError, UnicodeError) as error:
        raise DataError(f"not a CSV file: {error}", where=path, do="save it as CSV, in UTF-8") from None


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
