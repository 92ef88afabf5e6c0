"""Bundles: a sealed folder with what a fitted system answers, as graphs, and what a stranger needs to know of it."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from insula.deployment.graph_inputs import forms, is_description, opened_steps
from insula.deployment.graphs import USED, Graph, applying
from insula.errors import BundleError, SettingsError
from insula.storage.atomic import check_writable, write_folder
from insula.storage.folder import seal, verify

if TYPE_CHECKING:
    from insula.evaluation.recipe import Recipe
    from insula.samples import Predictions, Samples
    from insula.systems.base import System

FORMAT = 4
_OF_PICTURES = 3  # the format before, which was the same for graphs of pictures
_PICTURES, _FRAMINGS = ("detect", "whole", "auto"), ("eyes", "box")
_LARGEST = 2048  # pixels along the edge of a face
_FASTEST, _OVERLAP = 20_000, 200  # samples a second, and windows that a sample of a recording may lie in
_REMAKE = "use a bundle that `insula fit` wrote"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: what it says of itself, and what answers.

    Parameters
    ----------
    manifest : dict
        What `manifest.json` says.
    graphs : mapping of str to Graph
        What answers, by mode.
    steps : mapping of str to mapping
        What is done in NumPy before a graph is asked, by mode and modality.
    """

    manifest: dict[str, Any]
    graphs: Mapping[str, Graph]
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities; none of a bundle that gives ratings."""
        return tuple(self.manifest["classes"])

    @property
    def modes(self) -> tuple[str, ...]:
        """Ways to predict, the first being the default."""
        return tuple(self.manifest["modes"])

    @property
    def predicts_from(self) -> tuple[str, ...]:
        """Modalities that a sample must have to be predicted."""
        return tuple(self.manifest["predicts_from"])

    def mode(self, name: str | None = None) -> str:
        """Return the mode to predict in: the first one where none is asked for.

        Raises
        ------
        SettingsError
            For a mode that this bundle does not have.
        """
        if name is not None and name not in self.modes:
            raise SettingsError(f"unknown mode {name!r}", do=f"modes are {', '.join(self.modes)}")
        return name or self.modes[0]

    @property
    def reads_pictures(self) -> bool:
        """Whether it answers from pictures of faces, and not from rows of EEG or of features."""
        return "inputs" not in self.manifest

    def answer(self, given: np.ndarray | Mapping[str, np.ndarray], mode: str | None = None) -> dict[str, np.ndarray]:
        """Return what a bundle answers, by ONNX Runtime on one thread.

        Parameters
        ----------
        given : uint8 array, shape (faces, size, size, 3), or mapping of str to array
            RGB; the manifest's `size`, cut as its `pictures` and `framing` say. Or rows by modality, float32 (n, ...),
            as the manifest's `inputs` says, after the steps that come before a graph.
        mode : str, optional
            One of `modes`.

        Returns
        -------
        dict of str to array
            `probabilities`, float32 (faces, classes), or `rating`, float32 (n,), and, as far as the system has them,
            `admitted`, bool (faces, classes), `out_of_distribution` and further columns, float32 (faces,): NaN where
            one does not apply.

        Raises
        ------
        SettingsError
            For an unknown mode, or pictures given to a bundle that does not answer from them.
        DataError
            Where pictures or rows have another type or size.
        BundleError
            Where the graph cannot be run, or answers with what is no finite number.
        """
        mode = self.mode(mode)
        if isinstance(given, np.ndarray) and not self.reads_pictures:
            raise not_from_pictures(self.manifest)
        return applying(self.graphs[mode].answer(given), self.manifest.get("refuse_above"))

    def predict(self, samples: Samples, mode: str | None = None) -> Predictions:
        """Return what the bundle says of each sample; of pictures, each once.

        Parameters
        ----------
        samples : Samples
            With what the bundle predicts from.
        mode : str, optional
            One of `modes`.

        Returns
        -------
        Predictions
            With `uncertainty`, `mode`, and what graphs answer beside probabilities: `out_of_distribution`, `set` and
            `set_coverage`, and more. Of two modalities `mode` and `reason` say what each row was answered from.
        """
        from insula.deployment.answers import predictions

        return predictions(self, samples, self.mode(mode))


def not_from_pictures(manifest: Mapping[str, Any]) -> SettingsError:
    """Return what is said where pictures are given to a bundle of a system that does not read them."""
    needs = ", ".join(manifest["inputs"])
    do = "use one that reads pictures, or name recordings: insula predict BUNDLE recording.edf"
    return SettingsError(f"this bundle predicts from {needs}, not from pictures", do=do)


def open_bundle(folder: Path) -> Bundle:
    """Check every file of a bundle against its hash, and every graph for what it must not hold.

    Nothing in a bundle can run code, and opening one imports neither torch nor scikit-learn.

    Raises
    ------
    BundleError
        Where the folder is no bundle, was altered, was made by an earlier or a newer insula, or holds a graph that is
        refused.
    """
    manifest = verify(folder)
    number = manifest.get("format")
    if "embeds" in manifest:
        do = f"insula embed {shlex.quote(str(folder))} recording.edf"
        raise BundleError("this bundle gives vectors and no answers", where=folder, do=do)
    if number == 2 or (number == _OF_PICTURES and "graphs" not in manifest):
        raise BundleError("this bundle was made by an earlier insula", where=folder, do=_anew(manifest, folder))
    if number not in (_OF_PICTURES, FORMAT):
        raise BundleError(f"format {number} is unknown", where=folder, do="update insula, or fit it again")
    _check_manifest(manifest, folder)
    graphs, steps, classes = {}, {}, len(manifest["classes"])
    for mode, about in manifest["graphs"].items():
        name, inputs = about["runs"], manifest.get("size", 0)
        if "inputs" in manifest:
            try:
                steps[mode] = opened_steps(about["before"], folder)
                inputs = forms(manifest["inputs"], about["inputs"], steps[mode])
            except Exception:  # whatever entries or a file without sense lead to
                what = "the manifest does not say what a bundle must: before"
                raise BundleError(what, where=folder, do=_REMAKE) from None
        graphs[mode] = Graph(folder / name, classes, inputs, manifest["files"][name]["sha256"])
        if USED in graphs[mode].outputs and not manifest.get("sides"):
            raise BundleError("the manifest does not say what a bundle must: sides", where=folder, do=_REMAKE)
    return Bundle(manifest, graphs, steps)


def _anew(manifest: Mapping[str, Any], folder: Path) -> str:
    """Return what to type to make a bundle again."""
    name = manifest["recipe"].get("name") if isinstance(manifest.get("recipe"), Mapping) else None
    recipe = shlex.quote(name) if isinstance(name, str) and name.isprintable() else "RECIPE"
    return f"make it anew: insula fit {recipe} -o {shlex.quote(str(folder))}"


def _check_manifest(manifest: Mapping[str, Any], folder: Path) -> None:
    """Refuse a manifest that does not say what opening a bundle asks of it: a seal tells only that it is whole.

    Raises
    ------
    BundleError
        Naming the entry.
    """

    def names(value: object) -> bool:
        if not (isinstance(value, list) and value and all(isinstance(name, str) and name for name in value)):
            return False
        return all(name.isprintable() for name in value) and len(set(value)) == len(value)

    def limit(value: object, most: float = math.inf) -> bool:
        return (
            isinstance(value, int | float) and 0 <= value <= most and not 1e300 < value < math.inf
        )  # a float holds it

    graphs: Any = manifest.get("graphs")
    inputs: Any = manifest.get("inputs")
    sides: Any = manifest.get("sides")
    right = {
        "modes": names(manifest.get("modes")),
        "system": isinstance(manifest.get("system"), str),
        "predicts_from": manifest.get("predicts_from") == [] or names(manifest.get("predicts_from")),
        "classes": names(manifest.get("classes")) or ("inputs" in manifest and manifest.get("classes") == []),
        "graphs": isinstance(graphs, dict) and all(map(_is_graph, graphs.values())),
    }
    right |= {name: manifest.get(name) is None or limit(manifest[name], most)
              for name, most in (("coverage", 1), ("silent_above", math.inf), ("refuse_above", math.inf))}  # fmt: skip
    if sides is not None:
        right["sides"] = isinstance(sides, dict) and all(side in ("eeg", "face") for side in sides.values())
        right["max_skew"] = limit(manifest.get("max_skew"))
    if "inputs" in manifest:
        right["recording"] = _is_recording(manifest.get("recording"))
        right["inputs"] = isinstance(inputs, dict) and bool(inputs) and all(map(is_description, inputs.values()))
        if right["graphs"] and right["inputs"]:
            right["graphs"] = all(names(about.get("inputs")) and set(about["inputs"]) <= set(inputs)
                                  for about in graphs.values())  # fmt: skip
            if sides and right["sides"]:
                right["sides"] = set(inputs) <= set(sides)
    else:
        right |= {
            "size": isinstance(manifest.get("size"), int) and 0 < manifest["size"] <= _LARGEST,
            "pictures": manifest.get("pictures") in _PICTURES,
            "framing": manifest.get("framing") in _FRAMINGS,
        }
    if right["graphs"] and right["modes"]:
        listed = all(about[name] in manifest["files"] for about in graphs.values() for name in ("runs", "whole"))
        right["graphs"] = list(graphs) == manifest["modes"] and listed
    for name, good in right.items():
        if not good:
            what = f"the manifest does not say what a bundle must: {name}"
            raise BundleError(what, where=folder, do=_REMAKE)


def _is_graph(about: object) -> bool:
    files = [about.get(name) for name in ("runs", "whole")] if isinstance(about, dict) else [None]
    return all(isinstance(file, str) and "/" not in file for file in files)


def _is_recording(how: Any) -> bool:
    """Return whether no recording, or one by words or settings that do not make very much of it, becomes rows."""
    if how is None or isinstance(how, str):
        return True
    try:
        rate, seconds, hop = how["preprocessing"]["rate"] or _FASTEST, how["windows"]["seconds"], how["windows"]["hop"]
        apart = seconds if hop is None else hop
        return 0 < rate <= _FASTEST and apart * rate >= 1 and seconds <= _OVERLAP * apart
    except (KeyError, TypeError):
        return False


def write_bundle(
    system: System,
    name: str,
    recipe: Recipe,
    output: Path,
    about: Mapping[str, Any],
    held: Samples | None = None,
    *,
    int8: bool = False,
) -> None:
    """Write a fitted system to a sealed folder: a graph for each mode, `card.md`, `manifest.json`.

    A graph holds the whole way from a face's pixels, or from a window of EEG or its features, to the answer. What it
    answers is compared with what the system predicts before the folder appears.

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
    about : mapping
        Further facts for the manifest: `pictures` (how pictures are read: `detect` faces, `whole`, or `auto`, as
        `insula.faces.tight` decides), `size` (the side of a face in pixels), `framing` (`eyes`, if not given); `inputs`
        (rows that are read, as `insula.deployment.graph_inputs.described` has them; by default those held out);
        `classes`, the data's fingerprint.
    held : Samples, optional
        Held-out rows, on which the graphs are compared with the system; without them, on drawn patterns or noise.
    int8 : bool
        Whether to write the networks in eight bits, too; the manifest says what that changes on held-out pictures, and
        which of the two answers (see `insula.deployment.eight_bits`).

    Raises
    ------
    BundleError
        Where the output holds something else, or a graph does not answer what the system predicts.
    SettingsError
        Where eight bits are asked of a system that reads no pictures.
    """
    check_output(output)
    from insula.deployment.card import card
    from insula.storage.code import code_version

    known: dict[str, Any] = {
        "format": FORMAT,
        "system": name,
        "modes": [mode for mode in system.modes if mode not in system.not_bundled],
        "predicts_from": list(system.predicts_from),
        "recipe": json.loads(json.dumps(recipe.model_dump(mode="json", exclude={"corpus", "reported"}))),
        "corpus": recipe.corpus.get("name"),
        "code": code_version(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **about,
    }
    with write_folder(output) as temporary:
        from insula.deployment.exporting import write_graphs

        known = {**_promises(system), **known}
        if system.embeds:
            from insula.deployment.encoder_writing import write_encoder

            assert held is not None
            written = write_encoder(system, temporary, known, held)
        else:
            written = write_graphs(system, {"framing": "eyes", **known}, temporary, held, int8=int8)
        if system.embeds or "inputs" in written:
            known = {name: value for name, value in known.items() if name not in ("size", "pictures", "framing")}
        else:
            known = {name: value for name, value in known.items() if name not in ("inputs", "recording")}
            known = {"framing": "eyes", **known}
        known |= written
        (temporary / "card.md").write_text(card(system, name, known, temporary))
        seal(temporary, **known)


def _promises(system: Any) -> dict[str, Any]:
    """Return a fitted system's classes, how often its sets hold the label, and what is too strange for it."""
    names = ("coverage", "silent_above", "refuse_above", "max_skew")
    limits = {name: getattr(system.settings, name) for name in names if hasattr(system.settings, name)}
    if "max_skew" in limits:
        limits["sides"] = {system.settings.eeg: "eeg", system.settings.face: "face"}
    return {"classes": list(getattr(system.task, "classes", ())), **limits}


def check_output(folder: Path) -> None:
    """Refuse, before anything is fitted, an output that cannot be written or is neither new, nor empty, nor a bundle.

    Raises
    ------
    BundleError
        Where something else lies there.
    SettingsError
        Where nothing can be written there.
    """
    if folder.name in ("", "..") or (folder.exists() and not folder.is_dir()):
        raise BundleError("the output is no folder of its own", where=folder, do="give a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        try:
            verify(folder)
        except BundleError:
            raise BundleError("the folder holds something else", where=folder, do="give a new folder") from None
    check_writable(folder)
