"""Tables as other software saves them: encodings, separators, words for nothing; and labels that may be no class."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from insula.corpora.own_names import about_labels
from insula.errors import DataError
from insula.storage.tables import is_missing, read_csv, read_table

NOTHING = ["nan", "NA", "N/A", "n/a", "None", "none", "null", "NULL", "", "  "]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
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


@pytest.mark.parametrize("rows", ["a.jpg,joy,\nb.jpg,fear,\n", "1,a.jpg,joy\n2,b.jpg,fear\n"])
def test_rows_that_are_longer_than_the_head_shift_no_column(tmp_path: Path, rows: str) -> None:
    (tmp_path / "labels.csv").write_text(f"path,emotion\n{rows}")
    for table in (read_table(tmp_path / "labels.csv"), read_csv(tmp_path / "labels.csv")):
        assert table["path"].tolist() == ["a.jpg", "b.jpg"] and table["emotion"].tolist() == ["joy", "fear"]


def test_two_columns_of_one_name_and_a_workbook_are_refused(tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text("path,emotion,emotion\na.jpg,joy,fear\n")
    with pytest.raises(DataError, match="two columns are called 'emotion'"):
        read_table(tmp_path / "twice.csv")
    (tmp_path / "book.csv").write_bytes(b"PK\3\4\24\0\6\0\n" + bytes(range(256)))
    with pytest.raises(DataError, match=r"no text.*save it as CSV"):
        read_table(tmp_path / "book.csv")


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
    several = about_labels(
        pd.Series(["happy_sad", "sad and angry", "['joy', 'fear']", "very_happy"]), "events", "codes"
    )
    assert "several classes in one (['joy', 'fear'], happy_sad, sad and angry)" in several[1]
    codes = about_labels(pd.Series(["S 11", "R  1", "S 11"]), "events", "markers")[1]
    assert "numbers (s 11, r  1)" in codes and "--set 'corpus.markers={S 11: joy}'" in codes
    assert about_labels(pd.Series([1.5, 2.0]), "events", "codes") == ["2 ratings from 1.5 to 2"]
    assert about_labels(pd.Series(["Sad", "anger"]), "events", "codes") == ["2 classes: anger 1, sadness 1"]
