"""People under several names, as a recipe joins them."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_two_roots import people, recipe

from insula.errors import DataError, LeakageError
from insula.evaluation.experiment import plan, prepare
from insula.evaluation.study import answers, cluster_of
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


@pytest.mark.filterwarnings("ignore:people")
def test_a_person_under_two_names_is_drawn_as_one(tmp_path: Path) -> None:
    root = people(tmp_path / "h", "p1", "p2", "p3", "P01")
    changed = recipe(root, root, "protocol.name=identity-disjoint", "protocol.folds=3", "protocol.validation_share=0",
                     "protocol.spellings=joined").model_copy(update={"test": None})  # fmt: skip
    study = plan(changed, Cache(tmp_path / "cache")).studies[0]
    drawn = answers(study)[cluster_of(study)]
    assert set(drawn) == {"folder/P01 = folder/p1", "p2", "p3"}
