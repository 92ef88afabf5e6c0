"""The site builds without a warning, loads nothing from the network, and leads nowhere that is not there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOADING = {
    "script": ("src",), "link": ("href",), "img": ("src", "srcset"), "source": ("src", "srcset"), "iframe": ("src",),
    "audio": ("src",), "video": ("src", "poster"), "embed": ("src",), "object": ("data",), "use": ("href",),
}  # fmt: skip
STAYS = {"canonical", "next", "prev", "alternate", "edit"}  # links in the head that a browser does not fetch


class Html(HTMLParser):
    """What a page loads, where it leads, and what can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.marks: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.ids |= {known[name] for name in ("id", "name") if name in known}
        self.marks |= {*known.get("class", "").split(), f"component {known.get('data-md-component')}"}
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
        if not (tag == "link" and set(known.get("rel", "").split()) <= STAYS):
            self.loads += [known[name] for name in LOADING.get(tag, ()) if name in known]
        self.loads += re.findall(r"url\(['\"]?([^'\")]+)", known.get("style", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@cache
def page(path: Path) -> Html:
    return Html(path.read_text(encoding="utf-8"))


def pages(site: Path) -> list[Path]:
    found = sorted(site.rglob("*.html"))
    assert len(found) > 20
    return found


def is_external(address: str) -> bool:
    return address.startswith("//") or urlsplit(address).scheme not in ("", "data")


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for path in pages(site):
        assert not [address for address in page(path).loads if is_external(address)], path
    for style in [*site.rglob("*.css"), *pages(site)]:
        used = re.findall(r"(?:url\(|@import\s+)['\"]?([^'\")\s;]+)", style.read_text(encoding="utf-8"))
        assert not [address for address in used if is_external(address)], style


def test_nothing_wakes_a_script_that_would_load_from_elsewhere(site: Path) -> None:
    """The theme's script fetches diagrams' renderer and a repository's counts, where a page has either."""
    for path in pages(site):
        assert not page(path).marks & {"mermaid", "component source"}, path


def test_internal_links_lead_somewhere(site: Path) -> None:
    for path in pages(site):
        if path.name == "404.html":  # served from any depth, so its links start at the root
            continue
        for address in {*page(path).links, *page(path).loads}:
            if urlsplit(address).scheme or address.startswith("//"):
                continue
            target = path if address.startswith("#") else (path.parent / unquote(urlsplit(address).path)).resolve()
            assert target.is_file(), f"{path.relative_to(site)} leads to {address}"
            anchor = unquote(urlsplit(address).fragment)
            if anchor and target.suffix == ".html":
                assert anchor in page(target).ids, f"{path.relative_to(site)} leads to {address}"


def test_every_recipe_corpus_system_and_protocol_is_shown(site: Path) -> None:
    from insula.corpora.catalogue import CORPORA
    from insula.evaluation.recipe import RECIPES, SWEEPS
    from insula.protocols import PROTOCOLS
    from insula.systems.catalogue import SYSTEMS

    def text(name: str) -> str:
        return (site / name).read_text(encoding="utf-8")

    for name in (*RECIPES, *SWEEPS):
        assert f"insula run {name}" in text("systems/index.html")
    for names, shown in ((CORPORA, "corpora"), (SYSTEMS, "systems"), (PROTOCOLS, "protocols")):
        for name in names:
            assert f"<code>{name}</code>" in text(f"reference/{shown}.html"), name


def test_public_names_are_in_the_reference(site: Path) -> None:
    from insula import faces, protocols, samples
    from insula.corpora.catalogue import CORPORA
    from insula.systems.catalogue import SYSTEMS

    for room in (faces, protocols, samples):
        shown = page(site / "reference" / f"{room.__name__.rpartition('.')[2]}.html").ids
        names = [name for name in room.__all__ if callable(getattr(room, name))]
        missing = [name for name in names if f"{room.__name__}.{name}" not in shown]
        assert not missing
    for catalogue, name in ((CORPORA.values(), "corpora"), (SYSTEMS.values(), "systems")):
        shown = page(site / "reference" / f"{name}.html").ids
        assert {path.replace(":", ".") for path in catalogue} <= shown


def test_cards_and_benchmarks_are_shown(site: Path) -> None:
    for card in (ROOT / "src/insula/systems").glob("*/README.md"):
        assert (site / "systems" / f"{card.parent.name}.html").is_file()
    for record in (ROOT / "docs/benchmarks").glob("*.md"):
        assert (site / "benchmarks" / f"{record.stem}.html").is_file()
    for passport in (ROOT / "docs/measured").glob("*/passport.json"):
        assert (site / "measured" / passport.parent.name / "passport.json").read_bytes() == passport.read_bytes()


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("LOSO", "jobs/my-eeg.html"),
        ("LaTeX", "jobs/a-table-for-my-paper.html"),
        ("webcam", "jobs/film-or-camera.html"),
        ("NumPy array", "jobs/my-features.html"),
        ("plugin", "jobs/my-own-network.html"),
        ("resume", "jobs/my-eeg.html"),
        ("pip install", "index.html"),
    ],
)
def test_search_finds_the_page_of_a_job_by_the_word_that_people_type(site: Path, words: str, where: str) -> None:
    docs = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    assert where in {doc["location"].partition("#")[0] for doc in docs if words in f"{doc['title']} {doc['text']}"}


def test_every_name_of_the_front_door_is_shown(site: Path) -> None:
    import insula

    shown = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert [name for name in insula.__all__ if f"insula.{name}" not in shown] == []
