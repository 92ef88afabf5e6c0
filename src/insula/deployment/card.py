"""The card of a bundle: what the system is, and what is to be known of this one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from insula.errors import printable
from insula.storage.hashing import sha256_of

if TYPE_CHECKING:
    from insula.systems.base import System

_UNFIT = """Do not use an answer where the row gives a reason instead of a label; for people, devices or situations
unlike those of the corpus, of which nothing was measured; for what is none of the classes, as one of them is named all
the same; or to judge what a person feels, is or will do. How often such a system is right, `insula run` with the same
recipe says."""
_READING = {
    "detect": "the faces that it finds in a picture, cut out as those that it learnt from; with `--faces cropped` each "
    "picture is one face",
    "whole": "each picture as one face; with `--faces detect` the faces that it finds in a picture",
    "auto": "a picture that is one face and little more as it is, as those that it learnt from, and the faces that it "
    "finds in others; `--faces cropped` says that each picture is one face, `--faces detect` that none is",
}


def card(system: System, name: str, manifest: Mapping[str, Any], folder: Path) -> str:
    """Return the card in the system's folder, and the part that is about this one bundle.

    A baseline, which has no card, is described by its class.

    Parameters
    ----------
    system : System
        Fitted.
    name : str
        Its name in the catalogue.
    manifest : mapping
        What the manifest will say.
    folder : Path
        Where everything else of the bundle lies by now.
    """
    package = type(system).__module__.rpartition(".")[0]
    own = resources.files(package).joinpath("README.md") if package else None
    text = f"# {name}\n\n{inspect.getdoc(type(system))}\n" if own is None or not own.is_file() else own.read_text()
    return f"{text}\n{_of_this_bundle(manifest, folder)}"


def _of_this_bundle(manifest: Mapping[str, Any], folder: Path) -> str:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    trained = manifest.get("trained_on", {})
    settings = manifest["recipe"]["system"]
    lines = {
        "predicts from": " and ".join(manifest["predicts_from"]),
        "answers with": ", ".join(manifest.get("classes", [])),
        "trained on": trained
        and f"{trained['samples']:,} samples of the corpus {manifest['corpus']}; "
        f"{trained['validation']:,} more chose epochs and calibrated it, "
        f"{'and a test part was left' if 'tested' in manifest else 'none was left'} to score it",
        "right on the test part": score_in_words(manifest["tested"]) if "tested" in manifest else None,
        "data": manifest.get("data"),
        "of the data": "; ".join(manifest.get("notes", [])),
        "reads": _READING.get(manifest.get("pictures", "")),
        "by": f"recipe {manifest['recipe']['name']}, system {settings['name']}, {manifest['created']}",
        **{f"mode {mode}": _mode(about) for mode, about in manifest.get("graphs", {}).items()},
        "embeds": _embeds(manifest["embeds"]) if "embeds" in manifest else None,
        **{f"reads {name}": _rows(about) for name, about in manifest.get("inputs", {}).items()},
        "size": f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB",
        **{f"sha256 of {path.relative_to(folder)}": sha256_of(path) for path in files},
    }
    table = "\n".join(f"| {name} | {_cell(value)} |" for name, value in lines.items() if value)
    return f"## This bundle\n\n| | |\n| --- | --- |\n{table}\n\n{_UNFIT}\n"


def _cell(text: str) -> str:
    """Return a text in one line, in which no name of a class ends the cell or begins HTML."""
    return re.sub(r"([|<])", r"\\\1", " ".join(printable(text).split()))


def _mode(about: Mapping[str, Any]) -> str:
    """Return how near a graph is to the system it is from, and what eight bits do to it."""
    parity = about["parity"]
    most = max(parity["difference"].values())
    what, count = next((name, parity[name]) for name in ("pictures", "rows") if name in parity)
    seen = {"pictures": "drawn patterns", "rows": "rows of noise"}[what] if parity["drawn"] else f"held-out {what}"
    text = f"{about['runs']}, which differs from the trained system by up to {most:.1g} on {count} {seen}"
    return f"{text}; in 8 bits: {about['int8']['measured']}" if "int8" in about else text


def _embeds(about: Mapping[str, Any]) -> str:
    """Return what a bundle makes vectors of, and how near they are to the trained encoder's."""
    most, seconds = max(about["parity"]["difference"].values()), about["times"] / about["rate"]
    text = f"windows of {seconds:g} s at {about['rate']:g} Hz, brought to {' '.join(about['montage'])}, as vectors of "
    return f"{text}{about['width']} numbers, which differ from the trained encoder's by up to {most:.1g}"


def _rows(about: Mapping[str, Any]) -> str:
    """Return what rows a bundle reads, in words."""
    sizes = " x ".join(f"{length} {axis}s" for length, axis in zip(about["shape"], about["axes"], strict=True))
    rate = f" at {about['rate']:g} Hz" if about["rate"] else ""
    return f"{sizes}{rate}{f' in {units}' if (units := about['units']) else ''}: {', '.join(about['channels'])}"


def score_in_words(about: Mapping[str, Any]) -> str:
    """Return how often the system was right on a test part, and for each class how often it was seen as what it is."""
    ends = about["interval"]
    interval = f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}" if ends else "of too few people for an interval"
    recalls = ", ".join(f"{name} {100 * share:.0f} %" for name, share in about["recalls"].items())
    share = f"{100 * about['accuracy']:.1f} % of {about['units']:,} units ({interval})"
    return f"{share}; of each class {recalls}"
