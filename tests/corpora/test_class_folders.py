"""Class folders as people have them: parts, people, numbers, misspelt names, copies, tight crops, unread files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from insula.corpora.catalogue import corpus
from insula.corpora.class_folders import class_folders
from insula.corpora.fakes import fake_folder
from insula.errors import DataError
from insula.evaluation.study import complete_task
from insula.protocols.protocol import protocol
from insula.storage.cache import Cache


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fake_folder(tmp_path)
    return tmp_path / "folder"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def own(root: Path, **settings: object):
    return corpus("folder", **{"root": root, "faces": "cropped", "size": 32, **settings})


@pytest.mark.parametrize(
    ("paths", "labels", "more"),
    [
        (["happy/a.jpg", "happy/old/b.jpg", "Angry/c.jpg"], ["happiness", "happiness", "anger"], {}),
        (["0_angry/a.jpg", "1-happy/b.jpg", "2d/c.jpg"], ["anger", "happiness", "2d"], {}),
        (["TRAIN/happy/a.jpg", "Test/joy/b.jpg"], ["happiness", "happiness"], {"part": ["train", "test"]}),
        (["train/sad/a.jpg", "valid/sad/b.jpg"], ["sadness"] * 2, {"part": ["train", "test"]}),
        (["train/sad/a.jpg", "dev/sad/b.jpg", "testing/sad/c.jpg"], ["sadness"] * 3,
         {"part": ["train", "validation", "test"]}),
        (["train/sad/a.jpg", "train/fear/b.jpg"], ["sadness", "fear"], {}),
        (["p1/happy/a.jpg", "p2/sad/b.jpg"], ["happiness", "sadness"], {"identity": ["p1", "p2"]}),
        (["joy/happy/a.jpg", "p2/sad/b.jpg"], ["happiness", "p2"], {}),
        (["train/p1/happy/a.jpg", "test/p2/sad/b.jpg"], ["happiness", "sadness"],
         {"part": ["train", "test"], "identity": ["p1", "p2"]}),
        (["training_set/joie/a.jpg", "Test Images/Überraschung/b.jpg"], ["happiness", "surprise"],
         {"part": ["train", "test"]}),
        (["happy/train/a.jpg", "happy/test/b.jpg", "odd/train/c.jpg"], ["happiness", "happiness", "odd"],
         {"part": ["train", "test", "train"]}),
        (["faces/train/happy/a.jpg", "faces/val/sad/b.jpg"], ["happiness", "sadness"], {"part": ["train", "test"]}),
        (["anna/day1/happy/a.jpg", "anna/day1/hapy/b.jpg", "ben/day2/sad/c.jpg"], ["happiness", "hapy", "sadness"],
         {"identity": ["anna", "anna", "ben"]}),
        (["happy/s01/a.jpg", "sad/s01/b.jpg", "sad/s02/c.jpg"], ["happiness", "sadness", "sadness"],
         {"identity": ["s01", "s01", "s02"]}),
    ],
)  # fmt: skip
def test_the_level_of_the_classes_is_known_by_names(paths: list[str], labels: list[str], more: dict) -> None:
    table = class_folders(Path("root"), [Path(path) for path in paths])
    assert table["label"].tolist() == labels
    assert {name: table[name].tolist() for name in ("part", "identity") if name in table} == more


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["happy/a.jpg", "b.jpg"], "a picture outside the class folders .root/b.jpg"),
        (["train/a.jpg"], "a picture outside the class folders .root/train/a.jpg"),
        (["happy/a.jpg", "Train/happy/b.jpg"], "lies beside the part Train .root/happy.: .* as in Train/happy"),
        (["happy/a.jpg", "happy/test/b.jpg"], "lies beside the part test .root/happy/a.jpg"),
        (["fold_1/happy/a.jpg", "fold_2/sad/b.jpg"], "classes lie within folds .root/fold_1.: .* column part"),
    ],
)
def test_what_lies_beside_is_refused(paths: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        class_folders(Path("root"), [Path(path) for path in paths])


def test_classes_are_told_and_a_misspelt_one_can_be_joined(root: Path, cache: Cache) -> None:
    (root / "happiness").rename(root / "Hapiness")
    (root / "neutral").rename(root / "in-love")
    classes, unknown, nobody = own(root).notes()
    assert classes == "3 classes: anger 4, hapiness 4 (Hapiness), in-love 4"
    assert "hapiness (happiness?), in-love; to join" in unknown and "'corpus.codes={hapiness: happiness}'" in unknown
    assert "identity was not held out" in nobody
    joined = own(root, codes={"hapiness": "happiness", "In-Love": "happiness"})
    assert joined.samples(cache).table["emotion"].value_counts().to_dict() == {"happiness": 8, "anger": 4}


def test_what_may_be_a_mistake_in_names_of_folders_is_told(root: Path) -> None:
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        folder = path.parent / ("anna", "ben")[number % 2]
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    (root / "neutral").rename(root / "none")
    (root / "anger").rename(root / "ha")
    notes = own(root).notes()
    assert notes[0] == "2 classes: ha 4, happiness 4"
    assert "ha (happiness?); to join one to another, --set 'corpus.codes={ha: happiness}'" in notes[1]
    assert "folders of one name in several classes (anna, ben) say nothing: if they are people" in notes[3]
    assert notes[-1] == "4 of 12 pictures have no label: the first is none/anna/08.png"


@pytest.mark.parametrize("faces", ["cropped", "detect"])
def test_copies_fall_on_one_side(root: Path, cache: Cache, faces: str) -> None:
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        picture, copy = Image.open(path), path.with_name(f"z{path.stem}.jpg")
        (picture, ImageOps.mirror(picture), picture.resize((70, 70)))[number % 3].save(copy)
    with pytest.warns(UserWarning, match="12 of 24 pictures are copies of others and stay with them"):
        samples = own(root, faces=faces, size=64, test_share=0.25, validation_share=0.2).samples(cache)
    assert samples.table["stimulus"].value_counts().tolist() == [2] * 12
    assert samples.table.groupby("stimulus")["part"].nunique().eq(1).all()
    assert set(samples.table["part"]) == {"train", "validation", "test"}


def test_a_copy_of_a_test_picture_leaves_the_given_training_part(root: Path, cache: Cache) -> None:
    for path in sorted(root.rglob("*.png")):
        part = "test" if int(path.stem) % 4 == 0 else "train"
        target = root / part / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    for name in ("anger", "happiness", "neutral"):
        (root / name).rmdir()
    Image.open(root / "test" / "anger" / "00.png").save(root / "train" / "anger" / "again.jpg")
    with pytest.warns(UserWarning, match="1 repeat one of a later part and are left out"):
        samples = own(root).samples(cache)
    assert samples.table["part"].value_counts().to_dict() == {"train": 9, "test": 3}
    assert "parts as given: train 10, test 3" in own(root).notes()
    (split,) = protocol("as-given").splits(samples, complete_task({}, samples))
    assert len(split.test) == 3


def test_people_are_held_out_whole_where_folders_name_them(root: Path, tmp_path: Path, cache: Cache) -> None:
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        target = tmp_path / "people" / f"p{number % 4}" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    people = own(tmp_path / "people", test_share=0.25)
    table = people.samples(cache).table
    assert sorted(set(table["identity"])) == ["p0", "p1", "p2", "p3"]
    assert table.groupby("identity")["part"].nunique().eq(1).all() and (table["part"] == "test").sum() == 3
    assert "4 people: p0, p1, p2, p3" in people.notes() and not any("identity" in note for note in people.notes())


def test_tight_crops_are_taken_whole_as_they_are_and_photographs_are_not(root: Path, cache: Cache) -> None:
    for path in root.rglob("*.png"):
        Image.open(path).resize((48, 48)).save(path)
    tight = own(root, faces="auto", size=96)
    assert (tight.pictures, tight.samples(cache).read("picture").shape) == ("auto", (12, 48, 48, 3))
    assert "pictures are taken whole: 12 of 12 that were looked at are faces already" in " ".join(tight.notes())
    fake_folder(root.parent)
    for path in root.rglob("*.png"):
        photograph = np.full((300, 400, 3), 90, np.uint8)
        photograph[100:196, 150:246] = np.asarray(Image.open(path))
        Image.fromarray(photograph).save(path)
    found = own(root, faces="auto", size=96)
    assert (found.pictures, found.samples(cache).read("picture").shape) == ("detect", (12, 96, 96, 3))
    assert "faces are found and cut out of the pictures: 0 of 12" in " ".join(found.notes())


def test_what_is_not_read_is_counted_and_named(root: Path) -> None:
    (root / "anger" / "04.jpg").write_bytes((root / "anger" / "00.png").read_bytes())
    (root / "anger" / "04.jpg").rename(root / "anger" / "04.JFIF")
    for name in ("05.PSD", "06.psd", "07.jpg_large"):
        (root / "anger" / name).write_bytes(b"nothing")
    assert own(root).notes()[-1] == "3 files are passed over: 2 .psd, 1 .jpg_large"
    assert "anger 5" in own(root).notes()[0]
    for path in (root / "anger").glob("0[0-4].*"):
        path.unlink()
    with pytest.raises(DataError, match=r"no picture in this folder .*2 .psd, 1 .jpg_large"):
        own(root / "anger").samples(Cache())


def test_people_that_are_spelt_two_ways_are_told(root: Path) -> None:
    (root / "list.csv").write_text("path,emotion,identity\nanger/00.png,anger,P01\nneutral/08.png,neutral,p1\n"
                                   "neutral/09.png,neutral,p01\n")  # fmt: skip
    assert "P01 and p1 and p01 count as different people" in " ".join(own(root, manifest="list.csv").notes())
