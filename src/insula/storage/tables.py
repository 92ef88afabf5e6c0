"""Tables of others: a CSV file, read with one clear line where it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from insula.errors import DataError


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
