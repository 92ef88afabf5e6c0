"""CFAPS, as noise: photographs, ready epochs and recordings, and what check says of what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.signal import resample_poly

from insula.corpora.catalogue import corpus
from insula.corpora.fakes import fake_cfaps
from insula.errors import DataError
from insula.samples import Samples
from insula.storage.cache import Cache

PLAIN = {"faces": "cropped", "size": 16, "preprocessing": {"artefacts": None, "rate": None}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_cfaps(tmp_path)
    return tmp_path / "cfaps"


def samples(root: Path, **settings: Any) -> Samples:
    return corpus("cfaps", root=root, **{**PLAIN, **settings}).samples(Cache(root.parent / "cache"))


def check(root: Path, **settings: Any) -> list[str]:
    lacks = corpus("cfaps", root=root, **{**PLAIN, **settings}).check()
    assert not any("\n" in line for line in lacks)
    return lacks


def of(found: Samples, subject: str) -> Samples:
    return found.select((found.table["subject"] == subject).to_numpy(bool, na_value=False))


def test_each_person_and_picture_is_a_row_with_the_pictures_label_and_identity(root: Path) -> None:
    found = samples(root)
    assert len(found) == 24 and found.has("picture").all() and found.has("eeg").all()
    manifest = pd.read_csv(root / "manifest.csv", dtype=str).set_index("image_id")
    for column, name in (("emotion", "label"), ("identity", "identity")):
        assert (found.table[column] == manifest[name].loc[found.table["stimulus"]].to_numpy()).all()
    assert found.table["stimulus"].iloc[0] == "000"  # a name, no number
    assert check(root) == []


def test_ready_epochs_are_cut_referenced_and_baseline_corrected(root: Path) -> None:
    found = of(samples(root), "S1")
    raw = np.load(root / "eeg" / "S1.npy").astype(float)
    expected = raw[:, :, 40:140] - raw[:, :, :40].mean(axis=-1, keepdims=True)
    expected -= expected.mean(axis=1, keepdims=True)
    assert np.allclose(found.read("eeg"), expected, atol=1e-3)
    form = found.store("eeg").description
    assert (form.rate, form.start, form.units, len(form.channels)) == (200, 0, "uV", 19)
    slow = of(samples(root, preprocessing={"artefacts": None, "rate": 100, "band": [1, 40], "baseline": None}), "S1")
    half = resample_poly(raw, 1, 2, axis=-1, padtype="line")[:, :, 20:70]
    assert np.allclose(slow.read("eeg"), half - half.mean(axis=1, keepdims=True), atol=1e-3)


def test_compressed_epochs_are_the_same(root: Path) -> None:
    before = of(samples(root), "S1").read("eeg")
    values = np.load(root / "eeg" / "S1.npy")
    (root / "eeg" / "S1.npy").unlink()
    np.savez(root / "eeg" / "S1.npz", epochs=values)
    assert check(root) == []
    assert np.array_equal(of(samples(root), "S1").read("eeg"), before)
    np.savez(root / "eeg" / "S1.npz", data=values)
    assert "no array named 'epochs'" in check(root)[0]


def test_a_picture_shown_twice_is_two_trials_and_an_unseen_one_has_no_subject(root: Path) -> None:
    for name in ("S1.csv", "S2_events.csv"):
        index = pd.read_csv(root / "eeg" / name, dtype=str)
        index.loc[index["image_id"] == "011", "image_id"] = "000"
        index.to_csv(root / "eeg" / name, index=False)
    found = samples(root)
    twice = found.table[found.table["stimulus"] == "000"]
    assert twice.groupby("subject")["trial"].nunique().tolist() == [2, 2]
    alone = found.table[found.table["subject"].isna()]
    assert alone["stimulus"].tolist() == ["011"] and alone["emotion"].tolist() == ["neutral"]


def test_the_default_is_the_sources_cleaning_and_marks(root: Path) -> None:
    settings = corpus("cfaps", root=root).settings.preprocessing  # type: ignore[attr-defined]
    assert (settings.artefacts.ica, settings.artefacts.peak_to_peak) == ("infomax", 150)
    assert settings.learns and (settings.band, settings.epoch) == ((1, 75), (0, 0.5))
    values = np.load(root / "eeg" / "S1.npy")
    values[4, 3, 60:70] += 400
    np.save(root / "eeg" / "S1.npy", values)
    marked = {"artefacts": {"peak_to_peak": 150}, "rate": None}
    found = of(samples(root, preprocessing=marked), "S1")
    assert np.flatnonzero(found.table["eeg_quality"] != "").tolist() == [4] and found.has("eeg").all()
    assert found.table["eeg_quality"].iloc[4].endswith("uV at F4")
    dropped = of(samples(root, preprocessing=marked, marked="drop"), "S1")
    assert np.flatnonzero(~dropped.has("eeg")).tolist() == [4] and dropped.has("picture").all()


def test_photographs_alone_are_a_corpus_too(root: Path) -> None:
    for path in (root / "eeg").iterdir():
        path.unlink()
    assert check(root) == []
    found = samples(root)
    assert found.modalities == ("picture",) and len(found) == 12 and set(found.table["corpus"]) == {"cfaps"}


def edit(file: Path, **changes: Any) -> None:
    table = pd.read_csv(file, dtype=str)
    for column, value in changes.items():
        if value is None:
            table = table.drop(columns=column)
        else:
            table.loc[2, column] = value
    table.to_csv(file, index=False)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("manifest.csv", {"image_id": None}, "no column 'image_id'"),
        ("manifest.csv", {"label": None}, "no column 'label'"),
        ("manifest.csv", {"label": "bored"}, "bored has no counterpart"),
        ("manifest.csv", {"image_id": "001"}, "the image_id '001' is there twice"),
        ("manifest.csv", {"image_id": ""}, "row 2 has no image_id"),
        ("manifest.csv", {"path": "gone.png"}, "gone.png"),
        ("eeg/S1.csv", {"image_id": None}, "no column 'image_id'"),
        ("eeg/S1.csv", {"image_id": ""}, "row 2 names no image"),
        ("eeg/S1.csv", {"trial": "x"}, "row 0 names no trial"),
        ("eeg/S1.csv", {"onset": "soon"}, "onset 'soon' is no number"),
        ("eeg/S1.csv", {"image_id": "777"}, "the stimulus '777' is no picture"),
        ("eeg/S2_events.csv", {"image_id": "777"}, "the stimulus '777' is no picture"),
        ("eeg/S2_events.csv", {"image_id": None}, "no column 'image_id'"),
        ("eeg/S2_events.csv", {"onset": "900"}, "lies outside the 28 s recorded"),
    ],
)
def test_check_names_the_column_or_image(root: Path, name: str, changes: dict, message: str) -> None:
    edit(root / name, **changes)
    (lack,) = check(root)
    assert message in lack
    if "gone" not in message and "counterpart" not in message:
        assert Path(name).name in lack
    with pytest.raises(Exception, match=message.replace("[", r"\[")):
        samples(root)


@pytest.mark.parametrize("name", ["manifest.csv", "eeg/S1.csv", "eeg/S2_events.csv", "eeg/epochs.yaml", "005.png"])
def test_check_names_the_missing_file(root: Path, name: str) -> None:
    (root / name).unlink()
    (lack,) = check(root)
    assert Path(name).name in lack
    with pytest.raises(DataError, match=Path(name).name):
        samples(root)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda values: values[:-1], "12 rows for the 11 epochs of S1.npy"),
        (lambda values: values[:, :-1], "for 19 channels"),
        (lambda values: values * 1e-6, "looks like volts"),
        (lambda values: values * [[0], *[[1]] * 18], "channel 'Fp1' is flat"),
        (lambda values: np.where(np.arange(160) == 9, np.nan, values), "NaN"),
        (lambda values: values.astype(object), "no array"),
        (lambda values: values[:, :, :100], r"epochs from -0.2 to 0.3 s do not hold 0 to 0.5 s"),
    ],
)
def test_epochs_that_cannot_be_used_are_one_line(root: Path, values, message: str) -> None:
    path = root / "eeg" / "S1.npy"
    np.save(path, values(np.load(path)), allow_pickle=True)
    with pytest.raises(DataError, match=message) as caught:
        samples(root)
    assert "\n" not in str(caught.value)
    assert str(caught.value) in check(root)


def test_one_person_has_one_file_of_epochs_or_recordings(root: Path) -> None:
    values = np.load(root / "eeg" / "S1.npy")
    np.savez(root / "eeg" / "S1.npz", epochs=values)
    (lack,) = check(root)
    assert "S1.npz is of the same person" in lack
    (root / "eeg" / "S1.npz").rename(root / "eeg" / "S2.npz")
    (root / "eeg" / "S1.csv").rename(root / "eeg" / "S2.csv")
    (root / "eeg" / "S1.npy").unlink()
    (lack,) = check(root)
    assert "there is a recording of S2, too" in lack and "S2.npz" in lack
    with pytest.raises(DataError, match="there is a recording of S2, too"):
        samples(root)


def test_an_archive_that_is_none_and_an_unknown_electrode_are_one_line(root: Path) -> None:
    (root / "eeg" / "S1.npz").write_bytes(b"PK\x03\x04 cut off")
    (root / "eeg" / "S1.npy").unlink()
    (lack,) = check(root)
    assert "no array" in lack and "S1.npz" in lack
    form = root / "eeg" / "epochs.yaml"
    form.write_text(form.read_text().replace("Fp1", "Q9"))
    (lack,) = check(root)
    assert "unknown channel 'Q9'" in lack and "epochs.yaml" in lack
