"""A corpus in two styles: what stays the same, what no protocol parts, and drawings of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from insula.corpora.catalogue import corpus
from insula.corpora.face_store import read_alike, store_faces
from insula.corpora.fakes import FAKES
from insula.emotions import Categorical
from insula.errors import DataError, SettingsError
from insula.faces.cartoon import cartoon
from insula.protocols.audit import audit
from insula.protocols.protocol import protocol
from insula.samples import ArrayStore, Samples, open_store
from insula.storage.cache import Cache

FACES: dict[str, Any] = {"name": "simulated-faces", "pictures": 70, "identities": 10, "size": 24}
TASK = Categorical(label="emotion", classes="basic7")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def both(cache: Cache) -> Samples:
    return corpus("stylised", corpus=FACES).samples(cache)


@pytest.fixture
def london(tmp_path: Path) -> Path:
    """Write a folder of photographs, and beside it one of their negatives, twice as large and of another type."""
    FAKES["london-faces"](tmp_path)
    (tmp_path / "drawn").mkdir()
    for path in (tmp_path / "london-faces").glob("*.jpg"):
        image = ImageOps.invert(Image.open(path).convert("RGB"))
        image.resize((2 * image.width, 2 * image.height)).save(tmp_path / "drawn" / f"{path.stem}.png")
    return tmp_path


def drawn(root: Path) -> Any:
    photographs = {"name": "london-faces", "root": str(root), "faces": "cropped", "size": 24}
    return corpus("stylised", corpus=photographs, folder=str(root / "drawn"))


def test_each_picture_is_there_twice_and_only_its_look_differs(both: Samples, cache: Cache) -> None:
    alone = corpus(**FACES).samples(cache)
    plain, stylised = (both.select((both.table["style"] == name).to_numpy()) for name in ("plain", "stylised"))
    assert len(both) == 2 * len(alone)
    for column in ("corpus", "stimulus", "trial", "identity", "emotion"):
        assert plain.table[column].tolist() == stylised.table[column].tolist()
    assert plain.table["stimulus"].tolist() == alone.table["stimulus"].tolist()
    assert np.array_equal(plain.read("picture"), alone.read("picture"))
    assert np.array_equal(stylised.read("picture"), cartoon(alone.read("picture")))


@pytest.mark.parametrize("rule", ["stratified", "stimulus-disjoint", "identity-disjoint"])
def test_no_protocol_parts_a_picture_from_its_drawing(both: Samples, rule: str) -> None:
    chosen = protocol(rule, folds=2, scored_unit="sample", validation_share=0.2)
    for split in chosen.splits(both, TASK):
        assert audit(split, both, chosen).clean
        parts = [set(both.by_id(ids).units("stimulus")) for ids in (split.train, split.validation, split.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 70
        assert both.by_id(split.test).table["style"].value_counts().nunique() == 1


def test_sealed_labels_and_seeds_are_those_of_the_corpus(cache: Cache) -> None:
    one = corpus("stylised", corpus={**FACES, "seed": 1}, seed=2)
    same = corpus(**FACES, seed=3)
    assert one.truth().equals(same.truth())
    samples = one.samples(cache)
    plain = samples.select((samples.table["style"] == "plain").to_numpy())
    assert np.array_equal(plain.read("picture"), same.samples(cache).read("picture"))


def test_drawings_of_ones_own_are_read_by_name_at_any_scale(london: Path) -> None:
    found = drawn(london)
    assert found.check() == []
    samples = found.samples(Cache(london / "cache"))
    photographs, negatives = (samples.select(slice(start, start + 8)).read("picture") for start in (0, 8))
    assert len(samples) == 16 and isinstance(samples.store("picture"), ArrayStore)
    assert np.abs(255.0 - negatives - photographs).mean() < 6  # JPEG, and scaled twice


def test_a_face_is_cut_out_of_a_drawing_where_the_photograph_has_it(tmp_path: Path) -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[10:30, 20:40] = 250
    Image.fromarray(picture).save(tmp_path / "photograph.png")
    Image.fromarray(255 - picture).resize((120, 80)).save(tmp_path / "drawing.png")
    boxes, cache = np.array([[20, 10, 40, 30]]), Cache(tmp_path / "cache")
    paths, shown = [tmp_path / "photograph.png"], [tmp_path / "drawing.png"]
    folder, found = store_faces(paths, "boxes", 20, cache, ["a"], boxes, shown)
    crop = open_store(folder).read(np.array([0]))
    assert found["problem"].isna().all() and np.asarray(crop)[0, 3:-3, 3:-3].max() < 20


def _remove(folder: Path) -> str:
    (folder / "002_happiness.png").unlink()
    return r"1 of 8 pictures have no counterpart \(.*002_happiness.jpg\): give one of the same name"


def _break(folder: Path) -> str:
    path = folder / "002_happiness.png"
    path.write_bytes(path.read_bytes()[:300])
    return r"broken picture: .*002_happiness"


def _crop(folder: Path) -> str:
    path = folder / "002_happiness.png"
    image = Image.open(path)
    image.crop((0, 0, image.width // 2, image.height)).save(path)
    return r"\d+ x \d+ pixels, and the picture that it repeats has \d+ x \d+ .*002_happiness"


def _repeat(folder: Path) -> str:
    Image.open(folder / "002_happiness.png").save(folder / "002_happiness.webp")
    return "2 pictures repeat 002_happiness.jpg"


def _repeat_its_own_type(folder: Path) -> str:
    Image.open(folder / "002_happiness.png").save(folder / "002_happiness.jpg")
    return "2 pictures repeat 002_happiness.jpg"


@pytest.mark.parametrize("damage", [_remove, _break, _crop, _repeat, _repeat_its_own_type])
def test_what_is_wrong_with_a_drawing_is_one_line(damage: Callable[[Path], str], london: Path) -> None:
    said = damage(london / "drawn")
    (lack,) = drawn(london).check()
    assert re.search(said, lack)
    with pytest.raises(DataError, match="002_happiness") as caught:
        drawn(london).samples(Cache(london / "cache"))
    assert "\n" not in lack + str(caught.value)


def test_sides_may_be_rounded_but_not_changed(tmp_path: Path) -> None:
    like = np.zeros((375, 500, 3), np.uint8)
    Image.fromarray(np.zeros((384, 512, 3), np.uint8)).save(tmp_path / "rounded.png")
    Image.fromarray(np.zeros((500, 375, 3), np.uint8)).save(tmp_path / "turned.png")
    assert read_alike(tmp_path / "rounded.png", like).shape == like.shape
    with pytest.raises(DataError, match="375 x 500 pixels, and the picture that it repeats has 500 x 375"):
        read_alike(tmp_path / "turned.png", like)


def test_wrong_settings_and_corpora_are_one_line(cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the corpus has no name"):
        corpus("stylised", corpus={})
    with pytest.raises(SettingsError, match="simulated-faces keeps no picture files"):
        corpus("stylised", corpus=FACES, folder=str(tmp_path))
    with pytest.raises(DataError, match="of several styles already"):
        corpus("stylised", corpus={**FACES, "cartoons": 0.5}).samples(cache)
    films = {"name": "simulated-ratings", "subjects": 2, "films": 2, "seconds": 4}
    with pytest.raises(DataError, match="the samples have features"):
        corpus("stylised", corpus=films).samples(cache)
    lacks = corpus("stylised", corpus={"name": "london-faces", "root": str(tmp_path / "no")}).check()
    assert len(lacks) == 1
