"""A bundle of a recipe whose corpus gives its parts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from insula.corpora.fakes import FAKES, fake_folder
from insula.deployment.fitting import fit_bundle
from insula.errors import InsulaError
from insula.evaluation.recipe import Recipe
from insula.storage.cache import Cache


@pytest.mark.filterwarnings("ignore:.* published pictures are there")
def test_a_bundle_learns_from_the_given_training_part_and_never_sees_the_test_part(tmp_path: Path) -> None:
    FAKES["raf-db"](tmp_path)
    recipe = Recipe(
        name="given",
        corpus={"name": "raf-db", "root": str(tmp_path), "size": 48},
        protocol={"name": "as-given", "validation_share": 0.25},
        system={"name": "linear"},
    )
    fit_bundle(recipe, tmp_path / "bundle", Cache(tmp_path / "cache"))
    told = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert told["trained_on"] == {"samples": 21, "validation": 7}  # of 28; 14 are to be tested


LINEAR = ["system.name=linear", "corpus.size=32"]


def test_a_folder_of_ones_own_is_told_of_first_and_its_bundle_is_scored_on_what_was_held_out(tmp_path: Path) -> None:
    fake_folder(tmp_path)
    (tmp_path / "folder" / "neutral").rename(tmp_path / "folder" / "Neutral")
    lines: list[str] = []
    recipe = Recipe.load(tmp_path / "folder", LINEAR)
    fit_bundle(recipe, tmp_path / "bundle", Cache(tmp_path / "cache"), tell=lines.append)
    said = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert lines[0] == "3 classes: anger 4, happiness 4, neutral 4 (Neutral)"
    assert "identity was not held out" in lines[1]
    assert lines[-2] == "of 12 samples it learns from 7, chooses and calibrates on 2, is tested on 3; 3 classes"
    assert lines[-1].startswith("right on the test part: ") and said["tested"]["units"] == 3
    assert (said["pictures"], said["framing"]) == ("auto", "box")  # drawn faces fill their pictures
    card = (tmp_path / "bundle" / "card.md").read_text()
    assert said["notes"][1] in card and "one face and little more" in card


def test_two_people_are_too_few_for_an_interval_however_many_pictures_they_have(tmp_path: Path) -> None:
    fake_folder(tmp_path)
    folder = tmp_path / "folder"
    pictures = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    parts = ["train", "validation", "test"] * (len(pictures) // 3)
    table = pd.DataFrame({"path": pictures, "part": parts})
    table["identity"] = [f"{part} {row % 2}" for row, part in enumerate(parts)]
    table["emotion"] = ["joy|<b>", "fear"] * (len(pictures) // 2)
    table.to_csv(folder / "people.csv", index=False)
    changes = [*LINEAR, "corpus.manifest=people.csv", "protocol.name=as-given"]
    lines: list[str] = []
    fit_bundle(Recipe.load(folder, changes), tmp_path / "bundle", Cache(tmp_path / "cache"), tell=lines.append)
    tested = json.loads((tmp_path / "bundle" / "manifest.json").read_text())["tested"]
    assert tested["units"] == 4 and tested["interval"] is None
    assert "4 units (of too few people for an interval)" in lines[-1]
    assert r"joy\|\<b>" in (tmp_path / "bundle" / "card.md").read_text()


def test_faces_are_framed_in_use_as_they_were_for_training(tmp_path: Path) -> None:
    fake_folder(tmp_path)
    changes = [*LINEAR, "corpus.faces=detect"]
    for framing in ("box", "eyes"):
        recipe = Recipe.load(tmp_path / "folder", [*changes, f"corpus.framing={framing}"])
        fit_bundle(recipe, tmp_path / framing, Cache(tmp_path / "cache"))
        said = json.loads((tmp_path / framing / "manifest.json").read_text())
        assert (said["pictures"], said["framing"]) == ("detect", framing)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("system.name=compact", "unknown system 'compact'"),
        ("system.penalty=high", "unknown key 'penalty'"),
        ("protocol.name=as-gven", "no protocol named 'as-gven'"),
        ("protocol.name=identity-disjoint", "set protocol.name=stimulus-disjoint, or say who is who"),
        ("corpus.faces=tight", "faces: Input should be"),
    ],
)
def test_a_wrong_word_is_said_before_a_picture_is_read(
    change: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_folder(tmp_path)
    monkeypatch.setattr("insula.corpora.folder.read_picture", None)
    with pytest.raises(InsulaError, match=message):
        fit_bundle(Recipe.load(tmp_path / "folder", [*LINEAR, change]), tmp_path / "bundle", Cache(tmp_path / "cache"))


def test_an_output_that_cannot_be_written_is_said_before_a_picture_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_folder(tmp_path)
    (tmp_path / "file").touch()
    monkeypatch.setattr("insula.corpora.folder.read_picture", None)
    with pytest.raises(InsulaError, match=r"give another output folder"):
        fit_bundle(Recipe.load(tmp_path / "folder", LINEAR), tmp_path / "file" / "bundle", Cache(tmp_path / "cache"))


def test_one_class_is_said_before_a_picture_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_folder(tmp_path)
    for name in ("anger", "neutral"):
        shutil.rmtree(tmp_path / "folder" / name)
    monkeypatch.setattr("insula.corpora.folder.read_picture", None)
    with pytest.raises(InsulaError, match="all pictures show one class, happiness"):
        fit_bundle(Recipe.load(tmp_path / "folder", LINEAR), tmp_path / "bundle", Cache(tmp_path / "cache"))
