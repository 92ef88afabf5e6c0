"""An audit of anybody's files joins people under several names where one asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from commands import Said

Command = Callable[..., Said]


def test_an_audit_of_files_joins_people_on_request(insula: Command, tmp_path: Path) -> None:
    table, split, same = tmp_path / "table.csv", tmp_path / "split.csv", tmp_path / "people.csv"
    pd.DataFrame({"subject": ["S01", "s1", "7", "8"], "trial": [1, 2, 3, 4]}).to_csv(table, index=False)
    pd.DataFrame({"index": range(4), "part": ["train", "test", "train", "test"]}).to_csv(split, index=False)
    told = insula("audit", table, split, "--unit", "subject")
    assert told.code == 0 and "join them by --spellings joined" in told.out
    joined = insula("audit", table, split, "--unit", "subject", "--spellings", "joined", "--json")
    assert joined.code == 3 and "subject S01 = s1 is in train and test" in json.loads(joined.out)["leak"]
    same.write_text("person,other_person\n7,8\n")
    named = insula("audit", table, split, "--unit", "subject", "--same-people", same)
    assert named.code == 3 and "subject 7 = 8 is in train and test" in named.err
    same.write_text("person,other_person\n7,9\n")
    refused = insula("audit", table, split, "--same-people", same)
    assert refused.code not in (0, 3) and "has nobody called '9'" in refused.err and refused.err.count("\n") == 1
