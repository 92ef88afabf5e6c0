"""The card of a bundle: what the system is, and what is to be known of this one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
_WITH_A_SYSTEM = """This bundle holds the system itself, not a graph: to use it, Python code and libraries of its own
kind are needed, and it is opened with a warning. Open it only where you trust who made it."""


def card(system: System, name: str, known: Mapping[str, Any], folder: Path) -> str:
    """Return the card in the system's folder, and the part that is about this one bundle.

    A baseline, which has no card, is described by its class.

    Parameters
    ----------
    system : System
        Fitted.
    name : str
        Its name in the catalogue.
    known : mapping
        What the manifest will say.
    folder : Path
        Where everything else of the bundle lies by now.
    """
    package = type(system).__module__.rpartition(".")[0]
    own = resources.files(package).joinpath("README.md") if package else None
    text = f"# {name}\n\n{inspect.getdoc(type(system))}\n" if own is None or not own.is_file() else own.read_text()
    return f"{text}\n{_of_this_bundle(known, folder)}"


def _of_this_bundle(known: Mapping[str, Any], folder: Path) -> str:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    trained, graphs = known.get("trained_on", {}), known.get("graphs", {})
    settings = known["recipe"]["system"]
    lines = {
        "predicts from": " and ".join(known["predicts_from"]),
        "answers with": ", ".join(known.get("classes", [])),
        "trained on": trained
        and f"{trained['samples']:,} samples of the corpus {known['corpus']}; "
        f"{trained['validation']:,} more chose epochs and calibrated it, "
        f"{'and a test part was left' if 'tested' in known else 'none was left'} to score it",
        "right on the test part": score_in_words(known["tested"]) if "tested" in known else None,
        "data": known.get("data"),
        "of the data": "; ".join(known.get("notes", [])),
        "reads": _READING.get(known.get("pictures", "")),
        "by": f"recipe {known['recipe']['name']}, system {settings['name']}, {known['created']}",
        **{f"mode {mode}": _mode(about) for mode, about in graphs.items()},
        "size": f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB",
        **{f"sha256 of {path.relative_to(folder)}": sha256_of(path) for path in files},
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in lines.items() if value)
    end = _UNFIT if graphs else f"{_WITH_A_SYSTEM}\n\n{_UNFIT}"
    return f"## This bundle\n\n| | |\n| --- | --- |\n{table}\n\n{end}\n"


def _mode(about: Mapping[str, Any]) -> str:
    """Return how near a graph is to the system it is from, and what eight bits do to it."""
    parity = about["parity"]
    most = max(parity["difference"].values())
    seen = "drawn patterns" if parity["drawn"] else "held-out pictures"
    text = f"{about['runs']}, which differs from the trained system by up to {most:.1g} on {parity['pictures']} {seen}"
    return f"{text}; in 8 bits: {about['int8']['measured']}" if "int8" in about else text


def score_in_words(about: Mapping[str, Any]) -> str:
    """Return how often the system was right on a test part, and for each class how often it was seen as what it is."""
    low, high = (100 * value for value in about["interval"])
    recalls = ", ".join(f"{name} {100 * share:.0f} %" for name, share in about["recalls"].items())
    share = f"{100 * about['accuracy']:.1f} % of {about['units']:,} units ({low:.1f} to {high:.1f})"
    return f"{share}; of each class {recalls}"
