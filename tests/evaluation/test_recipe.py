"""Recipes: read safely, changed by key, refused in one line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from insula.emotions import Categorical, Cut
from insula.errors import DataError, SettingsError
from insula.evaluation.recipe import RECIPES, Recipe
from insula.evaluation.study import complete_task
from insula.samples import Samples, provenance


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_that_come_with_insula_load(name: str) -> None:
    assert Recipe.load(name).corpus["name"]


def test_changing_the_corpus_drops_the_settings_of_the_other() -> None:
    recipe = Recipe.load("bmci", ["corpus.name=semi-simulated", "corpus.root=somewhere"])
    assert recipe.corpus == {"name": "semi-simulated", "root": "somewhere"}
    assert Recipe.load("bmci", ["corpus.name=simulated-study"]).corpus["pictures"] == 600


def test_values_are_read_as_yaml_safely() -> None:
    recipe = Recipe.load("bmci", ["placebos=[shuffled]", "corpus.fidelity=0.5", "name=x"])
    assert recipe.placebos == ("shuffled",) and recipe.corpus["fidelity"] == 0.5
    with pytest.raises(SettingsError, match="cannot read the value"):
        Recipe.load("bmci", ["name=!!python/object/apply:os.getcwd []"])


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "name: x\nprotocol: [", "!!python/object/apply:os.getcwd []\n",
                                  "name: x\n", "name: x\nprotocol: 3\nsystem: {}\ncorpus: {}\n"])  # fmt: skip
def test_a_file_that_is_no_recipe_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        Recipe.load(tmp_path / "r.yaml")
    assert "\n" not in str(caught.value)


def test_classes_left_out_are_those_that_occur_in_their_usual_order() -> None:
    samples = Samples(provenance(3, corpus="c").assign(emotion=["neutral", "happiness", None]), {})
    task = complete_task({"label": "emotion"}, samples)
    assert isinstance(task, Categorical) and task.classes == ("happiness", "neutral")
    with pytest.raises(DataError, match="no label column 'mood'"):
        complete_task({"label": "mood"}, samples)
    with pytest.raises(DataError, match="all samples show one class, neutral"):
        complete_task({"label": "emotion"}, samples.select([0, 2]))
    ratings = samples.with_columns(valence=pd.Series([1.0, 2.0, 3.0]))
    cut = complete_task({"kind": "cut", "label": "valence"}, ratings)
    assert isinstance(cut, Cut) and cut.edges == (1.667, 2.333)


def test_what_is_no_recipe_is_told_from_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "S01.edf").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"this is no recipe .*for data of your own, their folder: .*"):
        Recipe.load(tmp_path / "S01.edf")
    for name in (f"{tmp_path}/nowhere", "nowhere/"):
        with pytest.raises(SettingsError, match=r"no such file or folder .*: correct the path"):
            Recipe.load(name)
