"""A table of features of one's own as a corpus: CSV and Parquet alike, columns by prefix or list, errors named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from insula.corpora.catalogue import corpus
from insula.evaluation.recipe import parse_change
from insula.samples import Samples
from insula.storage.cache import Cache


@pytest.fixture
def table() -> pd.DataFrame:
    values = np.random.default_rng(0).standard_normal((6, 3))
    about = {"participant": ["01", "01", "02", "02", "03", "03"], "trial": [1, 2] * 3, "age": 20}
    return pd.DataFrame(values, columns=["de_O1", "de_O2", "face"]).assign(**about, emotion=["Happy", "sad"] * 3)


def read(path: Path, **settings: object) -> Samples:
    return corpus("feature-table", root=path, **{"features": "de_", **settings}).samples(Cache(path.parent / "cache"))


def test_csv_and_parquet_are_one_table(tmp_path: Path, table: pd.DataFrame) -> None:
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "a.parquet")
    one, other = read(tmp_path / "a.csv"), read(tmp_path / "a.parquet")
    assert one.table["subject"].tolist() == ["01", "01", "02", "02", "03", "03"] == other.table["subject"].tolist()
    assert one.table["emotion"].tolist() == ["happiness", "sadness"] * 3 == other.table["emotion"].tolist()
    np.testing.assert_array_equal(one.read("features"), other.read("features"))
    np.testing.assert_allclose(one.read("features"), table[["de_O1", "de_O2"]], rtol=1e-6)
    assert one.store("features").description.channels == ("de_O1", "de_O2")
    named = read(tmp_path / "a.csv", features=("face", "de_O1"), modality="face_features")
    np.testing.assert_allclose(named.read("face_features"), table[["face", "de_O1"]], rtol=1e-6)


def test_codes_are_named_and_ratings_stay_numbers(tmp_path: Path, table: pd.DataFrame) -> None:
    table.assign(emotion=[1, 2] * 3, valence=np.linspace(1, 9, 6)).to_csv(tmp_path / "a.csv", index=False)
    notes = corpus("feature-table", root=tmp_path / "a.csv", features="de_").notes()  # type: ignore[attr-defined]
    assert "2 features (de_O1, de_O2) of 3 people" in notes[0]
    assert any("labels that are numbers (1, 2)" in note and "corpus.codes={1: joy}" in note for note in notes)
    coded = read(tmp_path / "a.csv", codes={"1": "joy"})
    assert coded.table["emotion"].dropna().tolist() == ["happiness"] * 3
    assert read(tmp_path / "a.csv", label="valence").table["valence"].iloc[-1] == 9.0


@pytest.mark.parametrize(
    ("change", "settings", "line"),
    [
        ({}, {"features": "alpha"}, "no column begins with 'alpha'"),
        ({}, {"features": ["de_O1", "de_O3"]}, "no feature column de_O3"),
        ({}, {"label": "mood"}, "no column mood; there are de_O1"),
        ({"participant": None}, {}, "is nobody's"),
        ({"de_O2": [1, 2, np.nan, 4, np.inf, 6]}, {}, "2 of 6 rows lack a feature"),
        ({"de_O2": list("abcdef")}, {}, "column 'de_O2' holds no numbers"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, table: pd.DataFrame, change: dict, settings: dict, line: str
) -> None:
    table.assign(**change).to_csv(tmp_path / "features.csv", index=False)
    (lack,) = corpus("feature-table", root=tmp_path, **{"features": "de_", **settings}).check()
    assert line in lack and "\n" not in lack


def test_a_file_that_is_no_parquet_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    (lack,) = corpus("feature-table", root=tmp_path / "a.parquet").check()
    assert "not a Parquet file" in lack and "\n" not in lack
    assert "no table of features" in corpus("feature-table", root=tmp_path / "b.csv").check()[0]


def test_codes_typed_as_notes_print_them_name_the_classes(tmp_path: Path, table: pd.DataFrame) -> None:
    table.assign(emotion=[1, 2] * 3).to_csv(tmp_path / "a.csv", index=False)
    one = corpus("feature-table", root=tmp_path / "a.csv", features="de_")
    assert any("--set 'corpus.codes={1: joy}'" in note for note in one.notes())
    typed = parse_change("corpus.codes={1: joy, 2: sad}")[1]
    assert read(tmp_path / "a.csv", codes=typed).table["emotion"].tolist() == ["happiness", "sadness"] * 3


def test_capitals_people_spelt_alike_and_rows_twice(tmp_path: Path, table: pd.DataFrame) -> None:
    table["participant"] = ["01", "1", "02", "02", "03", "03"]
    table = pd.concat([table, table.iloc[:1]]).rename(columns={"participant": "Participant", "emotion": "Emotion"})
    table.to_csv(tmp_path / "a.csv", index=False)
    one = corpus("feature-table", root=tmp_path / "a.csv", features="de_")
    assert one.check() == []
    notes = "\n".join(one.notes())
    assert "01 and 1 count as different people" in notes and "there twice: 1 (first: row 6)" in notes


@pytest.mark.parametrize(
    ("columns", "words"),
    [({"start": "soon"}, "start 'soon' is no number"), ({"start": 2, "stop": 1}, "ends before it starts")],
)
def test_times_that_are_none_are_refused(tmp_path: Path, table: pd.DataFrame, columns: dict, words: str) -> None:
    table.assign(**columns).to_csv(tmp_path / "a.csv", index=False)
    (line,) = corpus("feature-table", root=tmp_path / "a.csv", features="de_").check()
    assert words in line and "row 0" in line
