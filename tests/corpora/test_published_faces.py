"""Face corpora in their published layouts: labels by name, official parts, counts, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from insula.corpora.catalogue import corpus
from insula.corpora.fake_faces import (
    fake_affectnet,
    fake_affectnet_newer,
    fake_ck_plus,
    fake_fed_ro,
    fake_raf_db,
)
from insula.corpora.raf_db import CODES as RAF_CODES
from insula.emotions import LABEL_SPACES
from insula.errors import DataError
from insula.protocols import audit, protocol
from insula.samples import Samples
from insula.storage.cache import Cache

pytestmark = pytest.mark.filterwarnings("ignore:.* published pictures are there")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def counts(samples: Samples, *columns: str) -> dict:
    return samples.table.groupby(list(columns)).size().to_dict()


# RAF-DB


def mirrored(root: Path) -> None:
    """Turn the fake of RAF-DB into a mirror: `DATASET/train/5/train_00001_aligned.jpg`."""
    fake_raf_db(root)
    basic = root / "raf-db" / "basic"
    for line in (basic / "EmoLabel" / "list_patition_label.txt").read_text().splitlines():
        name, code = line.split()
        target = root / "raf-db" / "DATASET" / name.split("_")[0] / code / f"{Path(name).stem}_aligned.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        (basic / "Image" / "aligned" / target.name).rename(target)
    shutil.rmtree(basic)


def test_raf_db_and_its_mirror_hold_the_same(tmp_path: Path, cache: Cache) -> None:
    fake_raf_db(tmp_path / "a")
    mirrored(tmp_path / "b")
    own, mirror = (corpus("raf-db", root=tmp_path / name, size=32).samples(cache) for name in "ab")
    for samples in (own, mirror):
        assert counts(samples, "part", "emotion") == {
            (part, emotion): each for part, each in (("train", 4), ("test", 2)) for emotion in LABEL_SPACES["basic7"]
        }
    pictures = [samples.read("picture").reshape(len(samples), -1) for samples in (own, mirror)]
    assert np.array_equal(*(np.unique(some, axis=0) for some in pictures))
    line = (tmp_path / "a/raf-db/basic/EmoLabel/list_patition_label.txt").read_text().splitlines()[4]
    row = own.table.set_index("stimulus").loc[line.split(".")[0]]
    assert row["emotion"] == RAF_CODES[line.split()[1]] == "fear"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_raf_dbs_list_is_read_however_it_was_saved(encoding: str, tmp_path: Path) -> None:
    fake_raf_db(tmp_path)
    wanted = corpus("raf-db", root=tmp_path).stimuli()
    path = tmp_path / "raf-db" / "basic" / "EmoLabel" / "list_patition_label.txt"
    path.write_bytes(path.read_text().replace("\n", "\r\n").replace(".jpg ", "_aligned.jpg,").encode(encoding))
    one = corpus("raf-db", root=tmp_path)
    assert one.check() == [] and one.stimuli() == wanted


def test_a_list_that_is_empty_or_names_a_picture_twice_is_refused(tmp_path: Path) -> None:
    fake_raf_db(tmp_path)
    listed = tmp_path / "raf-db" / "basic" / "EmoLabel" / "list_patition_label.txt"
    first = listed.read_text().splitlines()[0]
    listed.write_text(f"{first}\n{first[:-1]}3\n")
    assert "is listed twice" in corpus("raf-db", root=tmp_path).check()[0]
    listed.write_text("")
    assert "no picture is listed" in corpus("raf-db", root=tmp_path).check()[0]


def test_raf_db_says_how_many_pictures_of_each_class_are_missing(tmp_path: Path, cache: Cache) -> None:
    fake_raf_db(tmp_path)
    found = corpus("raf-db", root=tmp_path, size=16)
    assert sum(found.published["train"].values()) == 12271  # type: ignore[attr-defined]
    assert sum(found.published["test"].values()) == 3068  # type: ignore[attr-defined]
    train, test = found.notes()  # type: ignore[attr-defined]
    assert train.startswith("train: 28 of 12,271 published pictures are there (surprise 4 of 1,290,")
    assert "anger 2 of 162" in test
    with pytest.warns(UserWarning, match=r"raf-db: test: 14 of 3,068 published pictures"):
        found.samples(cache)


def test_raf_db_reads_the_original_photographs_where_they_are_wanted(tmp_path: Path) -> None:
    fake_raf_db(tmp_path)
    found = corpus("raf-db", root=tmp_path, pictures="original")
    lacks = found.check()
    assert len(lacks) == 42 and "Image/original/train_00001.jpg" in lacks[0]
    mirrored(tmp_path / "b")
    assert "no original pictures" in corpus("raf-db", root=tmp_path / "b", pictures="original").check()[0]


def test_a_folder_that_is_no_raf_db_is_told_what_to_give(tmp_path: Path) -> None:
    assert "list_patition_label.txt" in corpus("raf-db", root=tmp_path).check()[0]
    mirrored(tmp_path)
    (tmp_path / "raf-db/DATASET/train/7").rename(tmp_path / "raf-db/DATASET/train/8")
    assert "8 is no label of RAF-DB" in corpus("raf-db", root=tmp_path).check()[0]


# AffectNet


@pytest.mark.parametrize("fake", [fake_affectnet, fake_affectnet_newer])
@pytest.mark.parametrize("contempt", [False, True])
def test_affectnet_of_both_releases(fake, contempt: bool, tmp_path: Path, cache: Cache) -> None:
    fake(tmp_path)
    found = corpus("affectnet", root=tmp_path, size=32, contempt=contempt)
    assert found.check() == []
    samples = found.samples(cache)
    classes = LABEL_SPACES["ferplus8"] if contempt else LABEL_SPACES["basic7"]
    assert counts(samples, "part", "emotion") == {
        (part, emotion): each for part, each in (("train", 3), ("test", 2)) for emotion in classes
    }
    happy = samples.table[samples.table["emotion"] == "happiness"]
    assert np.allclose(happy["valence"], -0.2) and np.allclose(happy["arousal"], 0.4)
    assert samples.table[["valence", "arousal"]].abs().max(axis=None) <= 1


def test_affectnets_boxes_cut_the_face_out_of_the_picture(tmp_path: Path, cache: Cache) -> None:
    fake_affectnet(tmp_path)
    samples = corpus("affectnet", root=tmp_path, size=96).samples(cache)
    path = tmp_path / "affectnet" / samples.table["stimulus"].iloc[0]
    face = np.asarray(Image.open(path))[12:108, 30:126]
    assert np.array_equal(samples.read("picture")[0], face)


def test_affectnets_sizes_are_those_published(tmp_path: Path) -> None:
    published = corpus("affectnet", root=tmp_path).published  # type: ignore[attr-defined]
    assert (sum(published["train"].values()), sum(published["test"].values())) == (283901, 3500)


def test_a_rating_of_minus_two_is_none_and_one_off_the_scale_is_refused(tmp_path: Path, cache: Cache) -> None:
    fake_affectnet(tmp_path)
    path = tmp_path / "affectnet" / "training.csv"
    table = pd.read_csv(path)
    table.loc[0, ["valence", "arousal"]] = -2
    table.to_csv(path, index=False)
    assert corpus("affectnet", root=tmp_path, size=16).samples(cache).table["valence"].isna().sum() == 1
    table.loc[1, "arousal"] = 1.5
    table.to_csv(path, index=False)
    assert (
        "the arousal of Manually_Annotated_Images/2/train0001.jpg is 1.5"
        in corpus("affectnet", root=tmp_path).check()[0]
    )


@pytest.mark.parametrize(
    "names", [[f"train/{code}" for code in range(8)], [f"train_class/class00{n}" for n in range(1, 9)]]
)
def test_a_copy_of_affectnet_with_numbered_folders_is_refused(names: list[str], tmp_path: Path, cache: Cache) -> None:
    for name in names:
        (tmp_path / "affectnet" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20)).save(tmp_path / "affectnet" / name / "a.jpg")
    found = corpus("affectnet", root=tmp_path)
    assert "numbered folders: alphabetical order and AffectNet's own order" in found.check()[0]
    with pytest.raises(DataError, match="nothing says which"):
        found.samples(cache)


def test_an_annotation_that_would_run_code_is_not_opened(tmp_path: Path) -> None:
    fake_affectnet_newer(tmp_path)
    path = tmp_path / "affectnet/train_set/annotations/3_exp.npy"
    np.save(path, np.array({"a": 1}))  # pickled
    assert "3_exp.npy" in corpus("affectnet", root=tmp_path).check()[0]
    path.unlink()
    assert "no such file" in corpus("affectnet", root=tmp_path).check()[0]


def test_crops_are_made_one_at_a_time_and_go_on_where_they_stopped(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    from insula.corpora import face_store

    fake_affectnet(tmp_path)
    whole = corpus("affectnet", root=tmp_path, size=16).samples(Cache(tmp_path / "other")).read("picture")
    read, opened = face_store.read_picture, []

    def interrupted(path: Path) -> np.ndarray:
        opened.append(path)
        if len(opened) == 20:
            raise KeyboardInterrupt
        return read(path)

    monkeypatch.setattr(face_store, "read_picture", interrupted)
    monkeypatch.setattr(face_store, "_BLOCK", 8)
    with pytest.raises(KeyboardInterrupt):
        corpus("affectnet", root=tmp_path, size=16).samples(cache)
    again = corpus("affectnet", root=tmp_path, size=16).samples(cache).read("picture")
    assert np.array_equal(again, whole)
    assert len(opened) == 20 + len(whole) - 16  # two blocks of eight were kept


# FED-RO


def test_fed_ro_says_how_many_of_400_are_there(tmp_path: Path, cache: Cache) -> None:
    fake_fed_ro(tmp_path)
    found = corpus("fed-ro", root=tmp_path, faces="cropped", size=24)
    assert found.check() == []  # the link that the authors share lacks some, and is read all the same
    with pytest.warns(UserWarning, match=r"fed-ro: test: 21 of 400 published pictures are there"):
        samples = found.samples(cache)
    assert counts(samples, "emotion") == dict.fromkeys(LABEL_SPACES["basic7"], 3)
    assert set(samples.table["part"]) == {"test"}


# CK+


def test_the_last_pictures_of_a_sequence_are_read_and_stay_together(tmp_path: Path, cache: Cache) -> None:
    fake_ck_plus(tmp_path)
    samples = corpus("ck-plus", root=tmp_path, faces="cropped", size=24).samples(cache)
    table = samples.table
    assert set(table["emotion"]) == {*LABEL_SPACES["ferplus8"]} - {"neutral"}
    assert table.groupby("trial").size().tolist() == [3] * 14
    assert sorted(table["stimulus"].str[-5:-4].unique()) == ["3", "4", "5"]
    assert table["identity"].iloc[0] == "S010" and table["trial"].iloc[0] == "S010_001"
    rule = protocol("identity-disjoint", leave_one_out=True, validation_share=0)
    from insula.emotions import Categorical

    task = Categorical(label="emotion", classes=tuple(sorted(set(table["emotion"]))))
    for split in rule.splits(samples, task):
        assert audit(split, samples, rule).clean


def as_folders(root: Path) -> Path:
    """Turn the fake of CK+ into the 981 pictures' layout: three pictures of each sequence in a folder of its class."""
    fake_ck_plus(root)
    folder = root / "ck-plus"
    table = corpus("ck-plus", root=root)._table()  # type: ignore[attr-defined]
    for path, emotion in zip(table["path"], table["emotion"], strict=True):
        target = folder / {"happiness": "happy"}.get(emotion, emotion) / Path(path).name
        target.parent.mkdir(exist_ok=True)
        (folder / path).rename(target)
    shutil.rmtree(folder / "cohn-kanade-images")
    shutil.rmtree(folder / "Emotion")
    return folder


def test_the_981_pictures_in_class_folders_tell_who_it_is(tmp_path: Path, cache: Cache) -> None:
    as_folders(tmp_path)
    found = corpus("ck-plus", root=tmp_path, faces="cropped", size=24)
    assert found.check() == []
    with pytest.warns(UserWarning, match=r"ck-plus: all: 42 of 981 published pictures"):
        table = found.samples(cache).table
    assert table["identity"].nunique() == 7 and table["trial"].nunique() == 14
    assert "contempt" in set(table["emotion"]) and "happiness" in set(table["emotion"])


def test_a_manifest_of_ck_plus_wants_names_for_its_numbers(tmp_path: Path, cache: Cache) -> None:
    folder = as_folders(tmp_path)
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    names = sorted({path.split("/")[0] for path in paths})
    table = pd.DataFrame({"image_path": paths, "label_id": [names.index(path.split("/")[0]) for path in paths]})
    table.to_csv(folder / "list.csv", index=False)
    settings = {"root": tmp_path, "manifest": "list.csv", "faces": "cropped", "size": 24}
    assert "the label 0 is a number (" in corpus("ck-plus", **settings).check()[0]
    found = corpus("ck-plus", **settings, codes=dict(enumerate(names))).samples(cache).table
    assert (found["emotion"] == [{"happy": "happiness"}.get(p.split("/")[0], p.split("/")[0]) for p in paths]).all()
    table.assign(label_id="neutral").to_csv(folder / "list.csv", index=False)
    assert "'neutral' is no emotion of CK+" in corpus("ck-plus", **settings).check()[0]


def test_names_that_do_not_say_who_it_is_are_refused(tmp_path: Path) -> None:
    folder = as_folders(tmp_path)
    path = next((folder / "fear").iterdir())
    path.rename(path.with_name("a.png"))
    assert "does not say who it is" in corpus("ck-plus", root=tmp_path).check()[0]


# all


@pytest.mark.parametrize(("name", "fake"), [("raf-db", fake_raf_db), ("affectnet", fake_affectnet)])
def test_official_parts_are_a_protocol(name: str, fake, tmp_path: Path, cache: Cache) -> None:
    from insula.evaluation.study import complete_task

    fake(tmp_path)
    samples = corpus(name, root=tmp_path, size=48).samples(cache)
    rule = protocol("as-given", validation_share=1 / 3)
    (split,) = rule.splits(samples, complete_task({}, samples))
    assert set(samples.by_id(split.test).table["part"]) == {"test"} and len(split.test) == 14
    assert set(samples.by_id(split.validation).table["part"]) == {"train"}
    assert audit(split, samples, rule).clean
