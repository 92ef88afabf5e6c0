"""Tables as other software saves them: encodings, separators, words for nothing; and labels that may be no class."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from insula.corpora.own_names import about_labels
from insula.storage.tables import is_missing, read_csv, read_table

NOTHING = ["nan", "NA", "N/A", "n/a", "None", "none", "null", "NULL", "", "  "]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_however_it_was_saved(tmp_path: Path, encoding: str, separator: str) -> None:
    path = tmp_path / "labels.csv"
    lines = [["person", "émotion", "length"], ["01", "fierté", "1.5"], ["02", "none", "2"]]
    path.write_bytes("\r\n".join(separator.join(line) for line in lines).encode(encoding))
    table = read_table(path, names=["person"])
    assert table["person"].tolist() == ["01", "02"]
    assert table["émotion"].tolist() == ["fierté", "none"]
    assert table["length"].tolist() == [1.5, 2.0]
    assert read_csv(path)["émotion"].tolist()[0] == "fierté"
    assert read_csv(path)["émotion"].isna().tolist() == [False, True]


def test_what_software_writes_for_nothing_is_missing() -> None:
    assert is_missing(pd.Series([*NOTHING, None])).all()
    assert not is_missing(pd.Series(["neutral", "nana", "0"])).any()


def test_labels_that_may_be_no_class_are_questioned() -> None:
    labels = ["Happy", "joy", "hapy", "happy/surprise", "hap\npy", "train", "p001", "3", "NA", "left"]
    notes = about_labels(pd.Series(labels), "events", "codes")
    assert notes[0].startswith("1 of 10 events without a label (1 x 'NA')")
    assert notes[1].startswith("8 classes: happiness 2, ")
    questions = " ".join(notes[2:])
    assert all(
        name in questions for name in ("hapy (happiness?)", "happy/surprise", "'hap\\npy'", "train", "p001", "left")
    )
    assert "happiness 2" not in questions
    assert about_labels(pd.Series(["Sad", "anger"]), "events", "codes") == ["2 classes: anger 1, sadness 1"]
