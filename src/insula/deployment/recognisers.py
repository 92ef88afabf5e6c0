"""What answers for a face: the recogniser in the box, a bundle, or somebody else's network, all in one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from insula.deployment.bundle import Bundle, not_from_pictures, open_bundle
from insula.errors import SettingsError
from insula.faces.crops import Framing
from insula.storage.folder import MANIFEST

IN_BOX = "in-box"
"""The name of the recogniser that comes with insula."""

_PEER_SIZE = 224  # pixels; what other people's networks are given, who resize it themselves

Faces = Literal["detect", "cropped", "auto"]


@dataclass(frozen=True)
class Recogniser:
    """A classifier of faces and how it wants them.

    Parameters
    ----------
    name : str
        What it is called.
    classes : tuple of str
        In the order of the probabilities.
    modes : tuple of str
        Ways to answer, the first being the default.
    size : int
        Side of the faces it is given, in pixels.
    faces : {"detect", "cropped", "auto"}
        Whether faces are looked for in a picture, or each picture is one, or what `insula.faces.tight` says of it.
    framing : {"eyes", "box"}
        How a face that was found is cut out, see `insula.faces.cut_faces`.
    limit : float or None
        Strangeness above which a picture is unusual; None where it says nothing of strangeness.
    refuse_above : float or None
        Strangeness above which a mode with a virtual EEG falls back to the mode `visual`.
    coverage : float or None
        How often a set of classes is promised to hold the label.
    answer : callable
        `answer(faces, mode)`: uint8 RGB (n, size, size, 3) to `probabilities`, (n, classes), and what else it knows.
    """

    name: str
    classes: tuple[str, ...]
    modes: tuple[str, ...]
    size: int
    faces: Faces
    framing: Framing
    limit: float | None
    refuse_above: float | None
    coverage: float | None
    answer: Callable[[np.ndarray, str | None], Mapping[str, np.ndarray]]

    def check_mode(self, mode: str | None) -> None:
        """Raise a SettingsError for a mode that it does not have."""
        if mode is not None and mode not in self.modes:
            raise SettingsError(f"unknown mode {mode!r}", do=f"modes are {', '.join(self.modes)}")


def find_recogniser(name: str | Path | None = None) -> Recogniser:
    """Return a recogniser by name or path.

    Parameters
    ----------
    name : str or Path, optional
        `in-box`, which is the default; the folder of a bundle; `fer`; an ONNX file from faces to the seven emotions in
        insula's order; `emotiefflib-b0=FILE.onnx`, `emotiefflib-b2=FILE.onnx` and the like for EmotiEffLib's files.

    Raises
    ------
    SettingsError
        Where there is none of this name, or it does not read pictures.
    BundleError, WeightsError
        Where its file is missing, altered or refused.
    """
    if name is None or name == IN_BOX:
        return of_bundle(open_bundle(Path(str(resources.files(__package__) / "recogniser"))), IN_BOX)
    if is_bundle(Path(name)):
        return of_bundle(open_bundle(Path(name)), str(name))
    preset, equals, file = str(name).partition("=")
    if name == "fer":
        return _of_peer("fer")
    if equals or Path(name).suffix == ".onnx":
        return _of_peer("onnx-file", **_onnx(preset, file) if equals else {"file": str(name), "classes": "basic7"})
    do = f"give {IN_BOX}, fer, a folder that `insula fit` wrote, an ONNX file, or emotiefflib-b0=FILE.onnx"
    raise SettingsError(f"no recogniser {str(name)!r}", do=do)


def is_bundle(path: Path) -> bool:
    """Return whether a path is a folder that `insula fit` wrote, whole or not: one with its manifest or with graphs."""
    return path.is_dir() and ((path / MANIFEST).is_file() or any(path.glob("*.onnx")))


def of_bundle(bundle: Bundle, name: str) -> Recogniser:
    """Return a bundle as a recogniser.

    Raises
    ------
    SettingsError
        Where it does not predict from pictures.
    """
    manifest = bundle.manifest
    if not bundle.reads_pictures:
        raise not_from_pictures(manifest)
    return Recogniser(
        name,
        bundle.classes,
        bundle.modes,
        manifest["size"],
        "cropped" if manifest["pictures"] == "whole" else manifest["pictures"],
        manifest["framing"],
        manifest.get("silent_above"),
        manifest.get("refuse_above"),
        manifest.get("coverage"),
        bundle.answer,
    )


def _onnx(preset: str, file: str) -> dict[str, str]:
    from insula.systems.peers.onnx_file import PRESETS

    if preset not in PRESETS:
        raise SettingsError(f"no way of reading {preset!r} is known", do=f"give one of {', '.join(PRESETS)}")
    return {"preset": preset, "file": file}


def _of_peer(name: str, **settings: str) -> Recogniser:
    from insula.systems.catalogue import system

    peer = system(name, **settings)
    classes = peer.named_classes  # type: ignore[attr-defined]

    def answer(faces: np.ndarray, mode: str | None) -> Mapping[str, np.ndarray]:
        return {"probabilities": peer.probabilities(faces)}  # type: ignore[attr-defined]

    answer(np.zeros((1, _PEER_SIZE, _PEER_SIZE, 3), np.uint8), None)  # what is wrong with it shows before any work
    return Recogniser(peer.title, classes, ("peer",), _PEER_SIZE, "detect", "box", None, None, None, answer)  # type: ignore[attr-defined]
