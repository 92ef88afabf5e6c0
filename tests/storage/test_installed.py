"""Systems and corpora of other packages are found by name, and none takes the name of insula's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from insula.corpora.catalogue import corpora, corpus
from insula.storage.own_code import installed
from insula.systems.catalogue import system, systems


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    about = tmp_path / "mine-1.0.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    about.joinpath("entry_points.txt").write_text(
        "[insula.systems]\nmine = insula.systems.baselines.plain:Majority\nlinear = nowhere:Nothing\n"
        "[insula.corpora]\nmelons = insula.corpora.watermelon:Watermelon\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    installed.cache_clear()
    yield
    installed.cache_clear()


def test_names_of_other_packages_are_names(package: None) -> None:
    assert type(system("mine")).__name__ == "Majority" and type(corpus("melons")).__name__ == "Watermelon"
    assert systems()["linear"].startswith("insula."), "insula's own stays"


def test_without_them_there_are_none() -> None:
    assert "mine" not in systems() and "melons" not in corpora()
