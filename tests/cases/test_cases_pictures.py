"""Cases about pictures, their corpora and Label Studio: each behaves as its row says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from insula.cli import app
from insula.evaluation.experiment import plan
from insula.evaluation.recipe import Recipe
from insula.faces import pictures
from insula.labelling.ledger import Ledger
from insula.labelling.question import Question
from insula.storage.cache import Cache

Case = Callable[[str], Path]


def check(name: str, root: Path, *changes: str) -> tuple[list[str], list[str]]:
    """Return what a corpus lacks and its notes, as the command prints them."""
    sets = [word for change in changes for word in ("--set", change)]
    done = CliRunner().invoke(app, ["corpora", "check", name, str(root), "--json", *sets])
    said = json.loads(done.stdout)
    return said["lacks"], said["notes"]


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("fold-nested-person", ["2 classes: happiness 6 (happy), neutral 6", "6 people: p001, p002"]),
        ("fold-numbered", ["2 classes: happiness 6 (1_happy), neutral 6 (6_neutral)"]),
        ("fold-spellings", ["3 classes: happiness 3 (HAPPINESS, Happy, joie), neutral 2 (Neutral, neutre), hap 1",
                            "stay classes of their own: hap (happiness?); to join"]),
        ("fold-typo", ["stay classes of their own: hapiness (happiness?); to join one to another, --set"]),
        ("fold-train-test", ["2 classes: happiness 6 (happy), neutral 6", "parts as given: train 8, test 4"]),
    ],
)  # fmt: skip
def test_folders_are_read_as_they_are_meant(name: str, notes: list[str], case: Case) -> None:
    lacks, said = check("folder", case(name) / "data")
    assert lacks == [] and all(any(wanted in note for note in said) for wanted in notes)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("man-identity-case", "P001 and p001"),
        ("man-multi-label", "several classes in one (happy|surprise)"),
        ("man-quoted-newline", r"a line break or the like ('hap\npy')"),
    ],
)
def test_what_a_manifest_may_mean_otherwise_is_told(name: str, note: str, case: Case) -> None:
    lacks, said = check("folder", case(name) / "data", "manifest=m.csv")
    assert lacks == [] and any(note in one for one in said)


def test_a_class_that_vanishes_is_named(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SUFFIXES", pictures.SUFFIXES - {".heic"})
    monkeypatch.setattr(pictures.passed_over, "__defaults__", (pictures.SUFFIXES,))
    _, said = check("folder", case("fold-heic") / "data")
    assert any("6 .heic; nothing is read in neutral; pip install" in note for note in said)


def test_parts_of_a_folder_are_trained_on_and_tested(case: Case, tmp_path: Path) -> None:
    root = case("fold-train-test") / "data"
    recipe = Recipe.load(str(root), ["system.name=majority", "corpus.faces=cropped"])
    study = plan(recipe, Cache(tmp_path)).studies[0]
    assert study.task.classes == ("happiness", "neutral") and len(study.splits[0].test) == 4


def test_every_kind_of_copy_of_a_tested_picture_leaves_training(case: Case, tmp_path: Path) -> None:
    root = shutil.copytree(case("fold-augmented") / "data", tmp_path / "data")
    tables = [pd.read_csv(path) for path in sorted(root.glob("only_*.csv"))]
    pd.concat(tables).drop_duplicates().to_csv(root / "all.csv", index=False)
    changes = ["system.name=majority", "corpus.manifest=all.csv", "corpus.faces=detect"]
    recipe = Recipe.load(str(root), changes)
    with pytest.warns(UserWarning, match="10 of 34 pictures are copies .* 10 repeat one of a later part and are left"):
        study = plan(recipe, Cache(tmp_path)).studies[0]
    assert (len(study.splits[0].train), len(study.splits[0].test)) == (12, 8)


def test_photographs_that_were_saved_again_stay_with_the_first(case: Case, tmp_path: Path) -> None:
    later = shutil.ignore_patterns("*01?.jpg", "*009.jpg")  # eight photographs of each class are enough
    root = shutil.copytree(case("fold-recompressed") / "data", tmp_path / "data", ignore=later)
    recipe = Recipe.load(str(root), ["system.name=majority", "corpus.faces=detect"])
    with pytest.warns(UserWarning, match="16 of 32 pictures are copies of others and stay with them"):
        study = plan(recipe, Cache(tmp_path)).studies[0]
    table = study.samples.table.assign(number=lambda table: table["path"].str.extract(r"[ab](\d+)\.jpg$"))
    assert (table.groupby(["emotion", "number"])["part"].agg(["size", "nunique"]) == (2, 1)).all(axis=None)


@pytest.mark.parametrize(
    ("corpus", "name"), [("fer2013", "fer-icml"), ("fer2013", "fer-icml-renamed"), ("raf-db", "raf-bom")]
)
def test_published_lists_are_read_in_every_form(corpus: str, name: str, case: Case) -> None:
    lacks, said = check(corpus, case(name) / "data")
    assert lacks == [] and any("28 of" in note for note in said)


def imported(export: Path, folder: Path) -> dict:
    """Return what `insula label import` says of an export, in a ledger that asked its tasks."""
    ledger = Ledger(folder / "ledger.sqlite", Question(label="emotion", classes=("happiness", "neutral")))
    tasks = json.loads(export.read_text(encoding="utf-8-sig"))
    ledger.ask([f"item {number}" for number in range(len(tasks))], "round-1", count=len(tasks))
    place = shutil.copyfile(export, folder / "export.json")
    asked = {task["data"]["insula"].partition("/")[0] for task in tasks}
    place.write_bytes(place.read_bytes().replace(asked.pop().encode(), ledger.project.encode()))
    done = CliRunner().invoke(app, ["label", "import", str(place), "--ledger", ledger.place, "--json"])
    return json.loads(done.stdout)


def test_an_export_with_a_byte_order_mark_is_read(case: Case, tmp_path: Path) -> None:
    assert (case("ls-bom") / "export.json").read_bytes().startswith(b"\xef\xbb\xbf")
    assert imported(case("ls-bom") / "export.json", tmp_path)["new"] > 0


def test_an_annotator_in_two_cases_is_one_and_told(case: Case, tmp_path: Path) -> None:
    tally = imported(case("ls-number-as-str") / "export.json", tmp_path)
    people = np.array([one.split(" is ") for one in tally["joined"]])
    assert len(people) and all(one.lower() == other.lower() for one, other in people)
