"""What the site shows and no page holds: cards and the project's own pages, and tables of what insula comes with.

mkdocs calls the functions `on_*`. A comment `<!-- table: NAME -->` becomes one of `TABLES` when the site is built.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PROJECT = {"project/changelog.md": "CHANGELOG.md", "project/contributing.md": "CONTRIBUTING.md",
           "project/security.md": "SECURITY.md"}  # fmt: skip

_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?P<title> \"[^\"]*\")?\)"
)
_TABLE = re.compile(r"<!-- table: ([\w-]+) -->")


def brought() -> dict[str, str]:
    """Return pages that lie outside `docs/`: where the site shows them, and where they are."""
    cards = {
        f"systems/{path.parent.name}.md": path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "src/insula/systems").glob("*/README.md"))
    }
    return {**cards, **{page: source for page, source in PROJECT.items() if (ROOT / source).exists()}}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the navigation with cards and with whatever is recorded."""
    cards = [page for page in brought() if page.startswith("systems/")]
    benchmarks = sorted((ROOT / "docs/benchmarks").glob("*.md"), reverse=True)
    assert config.nav is not None
    config.nav = [
        *config.nav,
        {"Systems": ["systems/index.md", *cards]},
        {"Project": ["measured/README.md", {"Benchmarks": [f"benchmarks/{path.name}" for path in benchmarks]},
                     *(page for page in brought() if page not in cards)]},
    ]  # fmt: skip
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside `docs/`."""
    for page, source in brought().items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Expand tables, and lead links of the repository to the site's pages."""
    here = page.file.src_uri
    source = brought().get(here, f"docs/{here}")
    markdown = _LINK.sub(lambda link: _led(link, source, here, files), markdown)
    return _TABLE.sub(lambda found: TABLES[found[1]](), markdown)


def _led(link: re.Match[str], source: str, here: str, files: Files) -> str:
    """Return a link or picture as the site has it; of a link to a file that the site does not show, the text alone."""
    target = normpath(PurePosixPath(source).parent / link["target"])
    shown = {place: page for page, place in brought().items()}
    page = shown.get(target, target.removeprefix("docs/") if target.startswith("docs/") else None)
    if page is not None and files.get_file_from_path(page) is not None:
        to = relpath(page, PurePosixPath(here).parent)
        return f"{link['image']}[{link['text']}]({to}{link['anchor'] or ''}{link['title'] or ''})"
    return link["text"] if (ROOT / target).exists() else link[0]


# tables ---------------------------------------------------------------------------------------------------------------


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def corpora() -> str:
    """Return every corpus with what is real in it, what it holds and its licence."""
    from insula.corpora.catalogue import cards

    rows = [[f"`{card.name}`", card.title, card.origin, ", ".join(card.modalities), card.licence] for card in cards()]
    return _markdown(["corpus", "what", "real or simulated", "holds", "licence"], rows)


def systems() -> str:
    """Return every system with its first words and what it predicts from."""
    from insula.systems.catalogue import SYSTEMS, system_class

    rows = []
    for name in SYSTEMS:
        cls: Any = system_class(name)
        told = (cls.__doc__ or "").strip().split("\n")[0].replace("``", "`")
        reads = ", ".join(cls.predicts_from) if isinstance(cls.predicts_from, tuple) else "what it is told to read"
        rows.append([f"`{name}`", told, reads])
    return _markdown(["system", "what", "predicts from"], rows)


def system_classes() -> str:
    """Return the reference of every system's class and settings, under the title of its card."""
    from insula.storage.settings import Settings
    from insula.systems.catalogue import SYSTEMS, system_class

    sections: dict[str, dict[str, None]] = {}
    for name in SYSTEMS:
        cls = system_class(name)
        about = vars(sys.modules[cls.Settings.__module__])
        settings = [one for one in about.values() if isinstance(one, type) and issubclass(one, Settings)]
        own = [cls, cls.Settings, *(one for one in settings if one.__module__ == cls.Settings.__module__)]
        paths = [f"{one.__module__}.{one.__qualname__}" for one in own]
        sections.setdefault(cls.__module__.split(".")[2], {}).update(dict.fromkeys(paths))
    lines = []
    for folder, paths_of in sections.items():
        card = ROOT / "src/insula/systems" / folder / "README.md"
        if card.is_file():
            title = card.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
            lines += [f"## {title}", f"What it is and what was measured stands in [its card](../systems/{folder}.md)."]
        else:
            lines.append(f"## {(import_module(f'insula.systems.{folder}').__doc__ or folder).strip().rstrip('.')}")
        lines += [f"::: {path}\n    options: {{heading_level: 3}}" for path in paths_of]
    return "\n\n".join(lines)


def recipes() -> str:
    """Return every recipe and sweep with the words that its file opens with."""
    from importlib import resources

    from insula.evaluation.recipe import RECIPES, SWEEPS

    rows = []
    for name, (package, file) in {**RECIPES, **SWEEPS}.items():
        text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
        head = [line.removeprefix("#").strip() for line in text.split("\nname:")[0].splitlines() if line[:1] == "#"]
        rows.append([f"`insula run {name}`", " ".join(head)])
    return _markdown(["recipe", "what"], rows)


def protocols() -> str:
    """Return every protocol with what it keeps apart."""
    from insula.evaluation.wording import protocol_in_words
    from insula.protocols import PROTOCOLS

    return _markdown(
        ["protocol", "in words"], [[f"`{name}`", protocol_in_words(one)] for name, one in PROTOCOLS.items()]
    )


def steps() -> str:
    """Return every step with what it does and what it looks at."""
    from insula.eeg.steps import STEPS
    from insula.protocols import protocol

    kept = {"people kept whole": protocol("subject-disjoint"), "trials kept whole": protocol("trial-disjoint")}
    rows = []
    for name, step in STEPS.items():
        told = (step.__doc__ or "").strip().split("\n")[0].rstrip(".")
        rows.append([f"`{name}`", told, *(step.parse({}, where=name).access(chosen) for chosen in kept.values())])
    return _markdown(["step", "what", *(f"target access, {title}" for title in kept)], rows)


def pipelines() -> str:
    """Return every pipeline with its source, what differs, its steps and the first digits of its hash."""
    from insula.eeg.pipelines import PIPELINES

    rows = []
    for name, one in PIPELINES.items():
        band, steps = one.preprocessing.band, ", ".join(f"`{step['name']}`" for step in one.steps) or "none"
        cut = f"{band[0]:g} to {band[1]:g} Hz, {one.preprocessing.rate:g} samples a second, windows of {one.window:g} s"
        rows.append([f"`{name}`", one.source, cut, steps, one.differs, f"`{one.digest()[:8]}`"])
    return _markdown(["pipeline", "source", "cleaned and cut", "steps", "what differs", "hash"], rows)


def measured() -> str:
    """Return every measured run with its command, its files and its verdict."""
    parts = []
    for passport in sorted((ROOT / "docs/measured").glob("*/passport.json")):
        run, record = passport.parent.name, json.loads(passport.read_text(encoding="utf-8"))
        created = max(one["created"] for one in record.get("cells", [record]))  # a sweep has a passport a cell
        about = json.loads(passport.with_name("about.json").read_text(encoding="utf-8"))
        files = [f"[{path.name}]({run}/{path.name})" for path in sorted(passport.parent.iterdir())]
        said = f"\n> {about['verdict']}\n" if "verdict" in about else ""
        parts.append(f"### {run}\n\n`{about['command']}`, {created[:10]}: {', '.join(files)}\n{said}")
    return "\n".join(parts)


def command() -> str:
    """Return the help of every command."""
    import typer
    from typer.cli import get_docs_for_click

    from insula.cli import app

    click_command = typer.main.get_command(app)
    context = typer.Context(click_command, info_name="insula")
    return get_docs_for_click(obj=click_command, ctx=context, name="insula", indent=1)


TABLES: dict[str, Callable[[], str]] = {
    "corpora": corpora, "systems": systems, "system-classes": system_classes,
    "recipes": recipes, "protocols": protocols, "steps": steps,
    "pipelines": pipelines, "measured": measured, "command": command,
}  # fmt: skip
