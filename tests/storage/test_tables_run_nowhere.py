"""What insula writes as CSV is run by no spreadsheet, and obeyed by no terminal."""

from __future__ import annotations

import io
import re

import pandas as pd
import pytest

from insula.errors import DataError
from insula.storage.tables import as_csv


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+cmd|' /C calc'!A0", "-1+1", "@SUM(A1)", "\uff1d1+1", "a;=1+1", "=1;@B", "\ufeff=1+1", " =1", "\u200b=1"],
)
def test_no_cell_or_heading_begins_a_formula(cell: str) -> None:
    table = pd.DataFrame({cell: [cell], "kind": pd.Categorical([cell])})
    for text in pd.read_csv(io.StringIO(as_csv(table)), header=None).to_numpy().ravel():
        assert all(re.match(r"[\s\u200b\ufeff]*[^=+\-@\uff1d\s\u200b\ufeff]", part) for part in text.split(";")), text


def test_numbers_and_names_stay_as_they_are() -> None:
    table = pd.DataFrame(
        {"path": ["Zoë - 1.jpg", "-2.5"], "score": [-0.5, None], "when": pd.to_datetime(["2026-01-05"] * 2)}
    )
    assert as_csv(table) == table.to_csv(index=False)
    assert as_csv(table.iloc[:0]) == table.iloc[:0].to_csv(index=False)


@pytest.mark.parametrize("sign", ["\x1b[31m", "\x9b31m", "\r", "\t", "\n", "\u202e", "\udcff"])
def test_control_characters_of_names_reach_neither_tables_nor_errors(sign: str) -> None:
    text = as_csv(pd.DataFrame({"path": [f"a{sign}b.jpg"]}, dtype=object))
    assert text.count("\n") == 2 and text.isascii()
    assert sign.strip() == "" or sign not in str(DataError("broken", where=f"a{sign}b.jpg"))
