"""A bundle of a recipe whose corpus gives its parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from insula.corpora.fakes import FAKES
from insula.deployment.fitting import fit_bundle
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
