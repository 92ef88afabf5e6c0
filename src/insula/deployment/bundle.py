"""Bundles: a sealed folder that holds a fitted system and what a stranger needs to know of it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from insula.errors import BundleError
from insula.evaluation.recipe import Recipe
from insula.samples import System
from insula.storage.atomic import write_folder
from insula.storage.code import code_version
from insula.storage.folder import seal, verify
from insula.storage.hashing import sha256_of

FORMAT = 2

_UNFIT = """Do not use an answer where the row gives a reason instead of a label; for people, devices or situations
unlike those of the corpus, of which nothing was measured; for what is none of the classes, as one of them is named all
the same; or to judge what a person feels, is or will do. How often such a system is right, `insula run` with the same
recipe says."""


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: the system and its manifest."""

    system: System
    manifest: dict[str, Any]


def write_bundle(system: System, name: str, recipe: Recipe, output: Path, about: dict[str, Any]) -> None:
    """Write a fitted system to a sealed folder: `system/`, `card.md`, `manifest.json`.

    Parameters
    ----------
    system : System
        Fitted.
    name : str
        Its name in the catalogue of systems.
    recipe : Recipe
        What it was fitted by.
    output : Path
        The folder; replaced where it exists.
    about : dict
        Further facts for the manifest: `pictures` (how pictures are read: `detect` faces, or `whole`), `size`, classes,
        the data's fingerprint.
    """
    check_output(output)
    with write_folder(output) as temporary:
        system.save(temporary / "system")
        known: dict[str, Any] = {
            "format": FORMAT,
            "system": name,
            "modes": [mode for mode in system.modes if mode not in getattr(system, "not_bundled", ())],
            "predicts_from": list(system.predicts_from),
            "recipe": json.loads(json.dumps(recipe.model_dump(mode="json", exclude={"corpus", "reported"}))),
            "corpus": recipe.corpus.get("name"),
            "code": code_version(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **about,
        }
        (temporary / "card.md").write_text(f"{_card(system, name)}\n{_of_this_bundle(known, temporary)}")
        seal(temporary, **known)


def check_output(folder: Path) -> None:
    """Refuse, before anything is fitted, an output that is neither new, nor empty, nor a bundle.

    Raises
    ------
    BundleError
        Where something else lies there.
    """
    if folder.name in ("", "..") or (folder.exists() and not folder.is_dir()):
        raise BundleError("the output is no folder of its own", where=folder, do="give a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        try:
            verify(folder)
        except BundleError:
            raise BundleError("the folder holds something else", where=folder, do="give a new folder") from None


def _card(system: System, name: str) -> str:
    """Return the card in the system's folder; a baseline, which has none, is described by its class."""
    card = resources.files(type(system).__module__.rpartition(".")[0]).joinpath("README.md")
    return card.read_text() if card.is_file() else f"# {name}\n\n{inspect.getdoc(type(system))}\n"


def _of_this_bundle(known: Mapping[str, Any], folder: Path) -> str:
    """Return the part of the card that is about this one bundle, whose system has written its files by now."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    trained = known.get("trained_on", {})
    settings = known["recipe"]["system"]
    lines = {
        "predicts from": " and ".join(known["predicts_from"]),
        "answers with": ", ".join(known.get("classes", [])),
        "trained on": trained
        and f"{trained['samples']:,} samples of the corpus {known['corpus']}; "
        f"{trained['validation']:,} more chose epochs and calibrated it, none was left to score it",
        "data": known.get("data"),
        "by": f"recipe {known['recipe']['name']}, system {settings['name']}, {known['created']}",
        "size": f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB",
        **{f"sha256 of {path.relative_to(folder)}": sha256_of(path) for path in files},
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in lines.items() if value)
    return f"## This bundle\n\n| | |\n| --- | --- |\n{table}\n\n{_UNFIT}\n"


def open_bundle(folder: Path) -> Bundle:
    """Check every file of a bundle against its hash and load the system.

    Raises
    ------
    BundleError
        Where the folder is no bundle, was altered, or comes from a newer insula.
    """
    manifest = verify(folder)
    if manifest.get("format") != FORMAT:
        raise BundleError(
            f"format {manifest.get('format')} is unknown", where=folder, do="update insula, or fit it again"
        )
    from insula.systems.catalogue import system_class

    return Bundle(system_class(manifest["system"]).load(folder / "system"), manifest)
