"""Pictures of one's own: class folders and manifests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from insula.corpora.catalogue import corpus
from insula.corpora.fakes import fake_folder, fake_london_faces
from insula.errors import DataError, LabelError, SettingsError
from insula.storage.cache import Cache


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_folder(tmp_path)
    return tmp_path / "folder"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def faces(root: Path, **settings: object):
    return corpus("folder", root=root, faces="cropped", size=32, **settings)


def with_manifest(tmp_path: Path, change=lambda table: table) -> Path:
    fake_london_faces(tmp_path)
    path = tmp_path / "london-faces" / "manifest.csv"
    change(pd.read_csv(path, dtype=str)).to_csv(path, index=False)
    return path.parent


def test_class_folders(root: Path, cache: Cache) -> None:
    samples = faces(root).samples(cache)
    assert samples.table["emotion"].value_counts().to_dict() == {"anger": 4, "happiness": 4, "neutral": 4}
    assert samples.table["stimulus"].iloc[0] == "anger/00.png"
    assert samples.table["identity"].isna().all()  # an identity-disjoint protocol has nothing to go by, and says so
    pictures = samples.read("picture")
    assert (pictures.shape, pictures.dtype) == ((12, 32, 32, 3), np.uint8)
    first = Image.open(root / "anger" / "00.png").resize((32, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(pictures[0], np.asarray(first))


def test_a_bundle_is_told_how_pictures_were_prepared(root: Path) -> None:
    assert faces(root).pictures == "whole"
    assert corpus("folder", root=root, faces="detect").pictures == "detect"


def test_labels_are_given_their_usual_names_or_mapped(root: Path, cache: Cache) -> None:
    (root / "happiness").rename(root / "Happy")
    assert set(faces(root).samples(cache).table["emotion"]) == {"anger", "happiness", "neutral"}
    own = faces(root, classes=("anger", "happiness", "neutral"), label="seen").samples(cache)
    assert set(own.table["seen"]) == {"anger", "happiness", "neutral"}
    with pytest.raises(LabelError, match="anger has no counterpart"):
        faces(root, classes="london2").samples(cache)
    assert "anger has no counterpart" in faces(root, classes="london2").check()[0]


def test_a_manifest_with_identities_and_groups(tmp_path: Path, cache: Cache) -> None:
    folder = with_manifest(tmp_path, lambda table: table.assign(subject="rater1").rename(columns={"identity": "who"}))
    table = faces(folder, manifest="manifest.csv", identity="who").samples(cache).table
    assert table["identity"].tolist() == ["001", "002", "003", "004"] * 2  # text: zeros stay
    assert set(table["face_gender"]) == {"female", "male"}
    assert set(table["subject"]) == {"rater1"}
    assert "who" not in table


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda table: table, {"label": "mood"}, "no column 'mood' .*columns are path, identity, emotion"),
        (lambda table: table, {"identity": "who"}, "no column 'who'"),
        (lambda table: table.drop(columns="path"), {}, "no column 'path'"),
        (lambda table: table[:0], {}, "no pictures named"),
        (lambda table: table.assign(quality="good"), {}, "the column name 'quality' is taken"),
        (lambda table: pd.concat([table, table[:1]]), {}, "001_neutral.jpg is named twice"),
        (lambda table: table, {"manifest": "list.csv"}, "no such file .*list.csv"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path: Path, cache: Cache, change, options, message) -> None:
    folder = with_manifest(tmp_path, change)
    broken = faces(folder, **{"manifest": "manifest.csv", **options})
    with pytest.raises(DataError, match=message) as caught:
        broken.samples(cache)
    assert broken.check() == [str(caught.value)]


def test_check_names_what_is_missing_or_broken(root: Path, tmp_path: Path, cache: Cache) -> None:
    assert faces(root).check() == []
    assert "no such folder" in faces(tmp_path / "nowhere").check()[0]
    (tmp_path / "empty").mkdir()
    assert "no picture in this folder" in faces(tmp_path / "empty").check()[0]
    broken = root / "anger" / "01.png"
    broken.write_bytes(broken.read_bytes()[:500])
    (root / "anger" / "02.png").write_text("nothing")
    lacks = faces(root).check()
    assert len(lacks) == 2
    assert "01.png" in lacks[0]
    assert "02.png" in lacks[1]
    (root / "loose.png").write_bytes((root / "neutral" / "08.png").read_bytes())
    assert "outside the class folders" in faces(root).check()[0]


def test_rows_without_a_label_are_noted_and_stop_nothing(tmp_path: Path, root: Path) -> None:
    folder = with_manifest(tmp_path, lambda table: table.assign(emotion=table["emotion"].mask([False, True] * 4)))
    corpus = faces(folder, manifest="manifest.csv")
    assert corpus.check() == []
    first = pd.read_csv(folder / "manifest.csv")["path"].iloc[1]
    assert corpus.notes()[-1] == f"4 of 8 pictures have no label: the first is {first}"
    assert "no label" not in " ".join(faces(root).notes())
    assert faces(tmp_path / "nowhere").notes() == []


def test_missing_files_of_a_manifest_are_named(tmp_path: Path, cache: Cache) -> None:
    folder = with_manifest(tmp_path)
    (folder / "002_happiness.jpg").unlink()
    lacks = faces(folder, manifest="manifest.csv").check()
    assert len(lacks) == 1
    assert "no such file" in lacks[0]
    assert "002_happiness.jpg" in lacks[0]
    with pytest.raises(DataError, match=r"1 pictures are missing .*002_happiness.jpg"):
        faces(folder, manifest="manifest.csv").samples(cache)


def test_pictures_that_fail_are_left_out_and_named_every_time(root: Path, cache: Cache) -> None:
    (root / "anger" / "01.png").write_text("nothing")
    for _ in range(2):  # the second time from the cache
        with pytest.warns(UserWarning, match=r"1 of 12 pictures are left out: anger/01.png: this is not a picture"):
            samples = faces(root).samples(cache)
        assert len(samples) == 11
        assert samples.ids.tolist() == list(range(11))
        assert samples.read("picture")[1].any()
    for path in root.rglob("*.png"):
        path.write_text("nothing")
    with pytest.raises(DataError, match=r"no picture is of use: .* and 9 more"):
        faces(root).samples(cache)


def test_crops_are_kept_by_content(root: Path, cache: Cache, monkeypatch) -> None:
    first = faces(root).samples(cache).fingerprint()
    root.rename(root.with_name("moved"))
    root = root.with_name("moved")
    with monkeypatch.context() as patch:
        patch.setattr("insula.corpora.face_store._cut", None)
        assert faces(root).samples(cache).fingerprint() == first
    Image.new("RGB", (50, 50), "red").save(root / "anger" / "00.png")
    assert faces(root).samples(cache).fingerprint() != first


def test_faces_are_found_and_aligned(data: Path, cache: Cache, tmp_path: Path) -> None:
    root = tmp_path / "portraits"
    for name in ("angry.jpg", "neutral.jpeg"):
        target = root / name.split(".")[0] / name
        target.parent.mkdir(parents=True)
        target.symlink_to(data / "portraits" / name)
    Image.new("RGB", (200, 200), "grey").save(root / "neutral" / "wall.png")
    with pytest.warns(UserWarning, match=r"1 of 3 .* neutral/wall.png: no face was found"):
        samples = corpus("folder", root=root, size=64).samples(cache)
    assert samples.table["emotion"].tolist() == ["anger", "neutral"]
    assert samples.read("picture").shape == (2, 64, 64, 3)
    assert samples.table["quality"].notna().all()


def renamed(path: str, label: str, codes: bool = False):
    def change(table: pd.DataFrame) -> pd.DataFrame:
        emotion = table["emotion"].map({"neutral": "0", "happiness": "1"}) if codes else table["emotion"]
        return table.assign(emotion=emotion).rename(columns={"path": path, "emotion": label})

    return change


@pytest.mark.parametrize(("path", "label"), [("image_path", "label_name"), ("img", "class"), ("filename", "label")])
def test_other_names_of_a_manifests_columns_are_known(path: str, label: str, tmp_path: Path, cache: Cache) -> None:
    folder = with_manifest(tmp_path, renamed(path, label))
    table = faces(folder, manifest="manifest.csv").samples(cache).table
    assert table["emotion"].tolist() == ["neutral"] * 4 + ["happiness"] * 4
    assert label not in table and path not in table


def test_numbers_are_no_labels_until_they_are_given_names(tmp_path: Path, cache: Cache) -> None:
    folder = with_manifest(tmp_path, renamed("path", "label_id", codes=True))
    unnamed = faces(folder, manifest="manifest.csv")
    assert "the label 0 is a number" in unnamed.check()[0] and "give its name in codes" in unnamed.check()[0]
    assert "the label 1 is a number" in faces(folder, manifest="manifest.csv", codes={0: "neutral"}).check()[0]
    named = faces(folder, manifest="manifest.csv", codes={0: "neutral", "1": "happy"}).samples(cache)
    assert named.table["emotion"].tolist() == ["neutral"] * 4 + ["happiness"] * 4


def test_boxes_of_a_manifest_are_cut_out_and_a_box_beside_the_picture_is_named(tmp_path: Path, cache: Cache) -> None:
    def boxed(table: pd.DataFrame) -> pd.DataFrame:
        boxes = {"box_left": 10, "box_top": -4, "box_right": 42, "box_bottom": 28}
        return table.assign(**boxes).assign(box_left=lambda table: table["box_left"].where(table.index != 3, "none"))

    folder = with_manifest(tmp_path, boxed)
    found = corpus("folder", root=folder, manifest="manifest.csv", faces="boxes", size=32)
    with pytest.warns(UserWarning, match=r"1 of 8 pictures are left out: 004_neutral.jpg: its face box is empty"):
        samples = found.samples(cache)
    whole = np.asarray(Image.open(folder / "001_neutral.jpg"))
    assert np.array_equal(samples.read("picture")[0][4:], whole[:28, 10:42])
    assert not samples.read("picture")[0][:4].any()  # what lies outside of the picture is black
    assert "box_left" not in samples.table
    with pytest.raises(SettingsError, match="boxes needs a manifest"):
        corpus("folder", root=folder, faces="boxes")


def test_a_manifest_is_read_however_it_was_saved(tmp_path: Path, cache: Cache) -> None:
    fake_folder(tmp_path)
    root = tmp_path / "folder"
    lines = ["Image; Emotion; Split", "anger\\00.png;0.0;Training", "anger/01.png;none;test", "happiness/04.png;1;Val"]
    (root / "list.csv").write_text("\n".join(lines), encoding="utf-16")
    one = faces(root, manifest="list.csv", codes={0: "angry", 1: "joy"})
    table = one.samples(cache).table
    assert table["emotion"].fillna("none").tolist() == ["anger", "none", "happiness"]
    assert table["part"].tolist() == ["train", "test", "validation"]
    notes = " ".join(one.notes())
    assert "9 pictures that the manifest does not name are left out: the first is anger/02.png" in notes
    assert "1 of 3 pictures have no label: the first is anger/01.png" in notes
