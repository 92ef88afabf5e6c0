"""Copies, and people under several names, as a recipe joins them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from test_two_roots import OWN, people, recipe

from insula.errors import DataError, LeakageError
from insula.evaluation.experiment import plan, prepare
from insula.evaluation.recipe import Recipe
from insula.evaluation.study import answers, cluster_of
from insula.protocols.audit import audit
from insula.storage.cache import Cache


@pytest.mark.filterwarnings("ignore:people")
def test_a_table_says_who_is_in_both_folders(tmp_path: Path) -> None:
    here, there = people(tmp_path / "h", "p1", "p2", "p3"), people(tmp_path / "th", "p8", "p9")
    (tmp_path / "people.csv").write_text("person,other_person\np3,p9\n")
    cache, asked = Cache(tmp_path / "cache"), f"protocol.same_people={tmp_path / 'people.csv'}"
    assert len(plan(recipe(here, there), cache).studies) == 1
    with pytest.raises(LeakageError, match="identity folder/p3 = folder/p9 is in"):
        plan(recipe(here, there, asked), cache)
    with pytest.raises(DataError, match=r"no such file .*nobody.csv"):
        prepare([recipe(here, there, "protocol.same_people=nobody.csv")], cache)


def test_copies_and_spellings_of_a_folder_are_joined_where_one_says_so(tmp_path: Path) -> None:
    root = people(tmp_path / "h", "p1", "p2", "p3", "P01")
    copied = next((root / "p2").rglob("*.png"))
    Image.open(copied).convert("L").save(root / "p3" / copied.parent.name / "again.png")
    changes = ["protocol.name=identity-disjoint", "protocol.folds=2", "protocol.validation_share=0", *OWN]
    changes += [f"corpus.root={root}", "protocol.copies=together"]
    with pytest.warns(UserWarning) as told:
        study = plan(Recipe.load("pictures", [*changes, "protocol.spellings=joined"]), Cache(tmp_path / "c")).studies[0]
    lines = [str(warning.message) for warning in told]
    for wanted in (
        "are copies of others and stay with them",
        "people: folder/P01 = folder/p1 count as one person each",
    ):
        assert any(wanted in line for line in lines)
        for split in study.splits:  # whose warnings the report prints
            assert any(wanted in line for line in audit(split, study.samples, study.protocol).warnings)
    assert any("--set protocol.spellings=joined" in note for note in study.corpus.notes())


@pytest.mark.filterwarnings("ignore:people")
def test_a_person_under_two_names_is_drawn_as_one(tmp_path: Path) -> None:
    root = people(tmp_path / "h", "p1", "p2", "p3", "P01")
    changed = recipe(root, root, "protocol.name=identity-disjoint", "protocol.folds=3", "protocol.validation_share=0",
                     "protocol.spellings=joined").model_copy(update={"test": None})  # fmt: skip
    study = plan(changed, Cache(tmp_path / "cache")).studies[0]
    drawn = answers(study)[cluster_of(study)]
    assert set(drawn) == {"folder/P01 = folder/p1", "p2", "p3"}
