"""Train here, test there: one folder is learnt from, another tested, and what both hold is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from insula.corpora.fakes import fake_folder
from insula.errors import LeakageError
from insula.evaluation.experiment import plan
from insula.evaluation.recipe import Recipe
from insula.protocols.audit import audit
from insula.storage.cache import Cache

OWN = ["corpus.size=32", "corpus.faces=cropped", "system.name=majority"]


def people(root: Path, *names: str) -> Path:
    """Write a folder PERSON/CLASS of pictures that no other such folder has."""
    fake_folder(root / "fake")
    for number, path in enumerate(sorted((root / "fake").rglob("*.png"))):
        target = root / "people" / names[number % len(names)] / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        turns = len(root.name) % 4
        Image.open(path).rotate(90 * turns).save(target)
    return root / "people"


def recipe(here: Path, there: Path, *changes: str) -> Recipe:
    return Recipe.load("pictures", [f"corpus.root={here}", f"test.root={there}", *OWN, *changes])


def test_one_folder_is_learnt_from_and_the_other_tested_whole(tmp_path: Path) -> None:
    here, there = people(tmp_path / "h", "p1", "p2", "p3"), people(tmp_path / "th", "p4", "p5")
    study = plan(recipe(here, there), Cache(tmp_path / "cache")).studies[0]
    (split,) = study.splits
    tested = study.samples.by_id(split.test).table
    assert len(tested) == 12 and set(tested["identity"]) == {"p4", "p5"}
    learnt = study.samples.by_id(split.train).table
    assert set(learnt["identity"]) < {"p1", "p2", "p3"} and study.protocol.disjoint == ("identity",)
    assert {note.split(":")[0] for note in study.corpus.notes()} == {"train", "test"}


def test_a_person_in_both_folders_is_a_leak(tmp_path: Path) -> None:
    here, there = people(tmp_path / "h", "p1", "p2", "p3"), people(tmp_path / "th", "p3", "p4")
    with pytest.raises(LeakageError, match="p3"):
        plan(recipe(here, there), Cache(tmp_path / "cache"))


def test_copies_leave_training_and_one_file_name_is_no_copy(tmp_path: Path) -> None:
    for name in ("h", "th"):
        fake_folder(tmp_path / name)
    here, there = tmp_path / "h" / "folder", tmp_path / "th" / "folder"
    for path in there.rglob("*.png"):
        if path.name != "00.png":
            Image.open(path).rotate(90).save(path)
    study = plan(recipe(here, there, "protocol.validation_share=0"), Cache(tmp_path / "cache")).studies[0]
    (split,) = study.splits
    assert (len(split.train), len(split.test)) == (11, 12)
    assert audit(split, study.samples, study.protocol).clean
