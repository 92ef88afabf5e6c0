"""Tables of others: a CSV file, read with one clear line where it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from insula.errors import DataError


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
