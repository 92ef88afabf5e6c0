"""Recordings of one's own, in every format, evaluated person by person with one setting: the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from insula.deployment.fitting import fit_bundle
from insula.evaluation.experiment import run
from insula.evaluation.recipe import Recipe
from insula.storage.cache import Cache
from own_eeg import PEOPLE, WRITERS, Write, raw_of, rested_and_tense, write_edf


def moments(root: Path, write: Write) -> None:
    """Write a recording a person, and a table of the events in them."""
    rows = []
    for number, person in enumerate(PEOPLE):
        tense = [False, True] * 4
        write(raw_of(tense, number), root / person)
        rows += [{"subject": person, "onset": 2 * place, "duration": 2, "emotion": "fear" if one else "happy",
                  "rating": place} for place, one in enumerate(tense)]  # fmt: skip
    pd.DataFrame(rows).to_csv(root / "events.csv", index=False)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("layout", [rested_and_tense, moments])
def test_one_setting_is_enough(tmp_path: Path, name: str, layout: Callable[[Path, Write], None]) -> None:
    root = tmp_path / "own"
    root.mkdir()
    layout(root, WRITERS[name])
    with pytest.warns(UserWarning, match=r"understood: \d recordings of 3 people .*2 classes of (state|emotion)"):
        recipe = Recipe.load(root, ["controls=[majority]"])
    results = run(recipe, Cache(tmp_path / "cache"))
    mine = results.predictions[results.predictions["arm"] == results.headline]
    assert mine.groupby("fold")["subject"].nunique().tolist() == [1, 1, 1]
    assert set(mine["subject"]) == set(PEOPLE)
    assert len(mine) == {"rested_and_tense": 6, "moments": 24}[layout.__name__]
    assert (mine["predicted"] == mine["label"]).mean() > 0.9


@pytest.mark.filterwarnings("ignore:understood")
def test_the_same_folder_makes_a_bundle(tmp_path: Path) -> None:
    root = tmp_path / "own"
    root.mkdir()
    rested_and_tense(root, write_edf)
    fit_bundle(Recipe.load("recordings", [f"corpus.root={root}"]), tmp_path / "bundle", Cache(tmp_path / "cache"))
    assert "| predicts from | eeg |" in (tmp_path / "bundle" / "card.md").read_text()
