"""A bundle that many tests of this room open."""

from __future__ import annotations

from pathlib import Path

import pytest

from insula.deployment.bundle import write_bundle
from insula.evaluation.recipe import Recipe
from standin import CLASSES, SIZE, StandIn, pictured

ABOUT = {"classes": list(CLASSES), "size": SIZE, "pictures": "whole"}


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of the stand-in system, in 32 and in eight bits."""
    folder = tmp_path_factory.mktemp("small") / "bundle"
    about = {**ABOUT, "data": "0" * 64, "trained_on": {"samples": 1234, "validation": 56}}
    write_bundle(StandIn(), "face-network", Recipe.load("face-recogniser"), folder, about, pictured(56), int8=True)
    return folder
