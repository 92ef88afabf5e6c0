"""Every tutorial, and every page of a job, runs as it is written, and prints what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from walk import alike, blocks, walk

DOCS = Path(__file__).parents[2] / "docs"
JOBS = [page for page in sorted((DOCS / "jobs").glob("*.md")) if page.name != "index.md"]
TUTORIALS = [*sorted((DOCS / "tutorials").glob("*.md")), *JOBS]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs_as_written(page: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INSULA_CACHE", str(cache))
    # in one process: workers left from another page would still stand in its folder
    monkeypatch.setattr("insula.cli.experiments.processes", lambda jobs: 1)
    walk(page, tmp_path)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_has_something_to_run_and_shows_what_it_prints(page: Path) -> None:
    kinds = [block.kind for block in blocks(page)]
    assert {"sh", "python"} & set(kinds) and "text" in kinds


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("right in 57.0 % of 300 units", "right in 58.1 %\nof 300 units\n", True),
        ("right in 57.0 % of 300 units", "right in 50.1 % of 300 units", False),
        ("right in 57.0 % of 300 units", "right in 57.0 % of 301 units", False),
        ("... \u22121.2 to +3.4", "a table, \u22120.9 to +3.1", True),
        ("... bundle written", "bundle written", True),
        ("clean", "not clean", False),
    ],
)
def test_what_counts_as_the_same_output(shown: str, printed: str, same: bool) -> None:
    assert alike(shown, printed) is same


def test_a_page_whose_block_fails_or_prints_otherwise_does_not_pass(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md, line 1"):
        walk(page, tmp_path)
    page.write_text("```sh\ninsula audit nothing.csv nothing.csv\n```\n")
    with pytest.raises(AssertionError, match="no such file"):
        walk(page, tmp_path)
