"""What one asks of copies and of people under several names: done, said in a line, and told in the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from PIL import Image

from commands import Said, sets
from evaluation.test_two_roots import people

Command = Callable[..., Said]


def test_copies_and_spellings_of_a_folder_are_joined_where_one_says_so(insula: Command, tmp_path: Path) -> None:
    root = people(tmp_path / "h", "p1", "p2", "p3", "P01")
    copied = next((root / "p2").rglob("*.png"))
    Image.open(copied).convert("L").save(root / "p3" / copied.parent.name / "again.png")
    of_people = ["protocol.name=identity-disjoint", "protocol.folds=2", "system.name=majority", "corpus.size=32",
                 "corpus.faces=cropped", "protocol.validation_share=0", "controls=[majority]"]  # fmt: skip
    asked = ["protocol.copies=together", "protocol.spellings=joined"]
    said = insula("run", root, *sets([*of_people, *asked]), "-o", tmp_path / "run", "--jobs", 1)
    assert said.code == 0, said.err
    assert "are copies of others and stay with them" in said.err
    assert "people: folder/P01 = folder/p1 count as one person each, as asked" in said.err
    report = (tmp_path / "run" / "report.html").read_text()
    assert "are copies of others" in report and "count as one person each" in report
    told = insula("corpora", "check", "folder", root)
    assert "P01 and p1 count as different people" in told.out and "--set protocol.spellings=joined" in told.out


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
