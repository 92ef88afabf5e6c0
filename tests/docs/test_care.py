"""Citation, hooks and the list of changes can be read by the programs they are for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_citation_is_complete_and_of_this_version() -> None:
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert set(found) >= {"cff-version", "message", "title", "authors"}  # what the format requires
    assert found["cff-version"] == "1.2.0" and found["type"] == "software"
    assert all(set(author) == {"name"} for author in found["authors"])  # an entity, not a person
    # The project's own licence; what else is in its expression is of files by others that its wheel carries.
    assert (found["version"], found["license"]) == (PROJECT["version"], PROJECT["license"].split(" AND ")[0])
    assert len(found["keywords"]) == len(set(found["keywords"]))


def test_hooks_are_valid_and_fetch_nothing() -> None:
    from pre_commit.clientlib import load_config

    repositories = load_config(str(ROOT / ".pre-commit-config.yaml"))["repos"]
    assert {one["repo"] for one in repositories} == {"local"}
    hooks = [hook for one in repositories for hook in one["hooks"]]
    assert {"ruff", "ruff-format", "mypy"} <= {hook["id"] for hook in hooks}
    assert {hook["language"] for hook in hooks} <= {"system", "unsupported"}  # its name until, and since, version 4.4


def test_every_change_is_of_a_known_kind_and_can_be_listed() -> None:
    kinds = {
        kind["directory"] for kind in tomllib.loads((ROOT / "towncrier.toml").read_text())["tool"]["towncrier"]["type"]
    }
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    for path in fragments:
        assert re.fullmatch(rf"\+[a-z-]+\.({'|'.join(kinds)})\.md", path.name), path.name
    said = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "next"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for path in fragments:
        assert " ".join(path.read_text(encoding="utf-8").split()) in " ".join(said.split())


def test_the_list_of_changes_has_this_version_and_a_place_for_the_next() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.count("<!-- towncrier release notes start -->") == 1
    assert re.search(rf"^## {re.escape(PROJECT['version'])} \(\d{{4}}-\d\d-\d\d\)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", re.findall(r"`(tests/[\w/.]+)`", (ROOT / "SECURITY.md").read_text()))
def test_what_security_promises_has_the_tests_it_names(name: str) -> None:
    assert (ROOT / name).exists()
