"""The graphs of a bundle: written, compared with the system they are from, made small on request."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from insula.deployment.bundle import not_from_pictures, open_bundle
from insula.deployment.eight_bits import NoNetworkError, measure_loss, quantise_onnx
from insula.deployment.graphs import Graph
from insula.deployment.onnx import write_onnx
from insula.deployment.parity import Held, check_parity, hold
from insula.errors import DataError, SettingsError
from insula.storage.atomic import write_file

if TYPE_CHECKING:
    import numpy as np

    from insula.deployment.eight_bits import Loss
    from insula.samples import Samples
    from insula.systems.base import System

_FACES, _LEAST = 200, 4  # pictures of a folder at most, and at least, of which every second one measures the loss


def write_graphs(
    system: System, known: Mapping[str, Any], folder: Path, held: Samples | None, *, int8: bool = False
) -> dict[str, Any]:
    """Write a graph for each mode of a bundle, and return what the manifest says of them.

    Parameters
    ----------
    system : System
        Fitted; it predicts from pictures.
    known : mapping
        What the manifest says otherwise: `modes`, `classes`, `size`, `pictures`, `framing`.
    folder : Path
        Where to.
    held : Samples or None
        Held-out rows, on whose pictures graph and system are compared.
    int8 : bool
        Whether to write networks in eight bits, too.

    Returns
    -------
    dict
        By mode: `runs` (the file that answers), `whole` (the file in 32 bits), `outputs`, `parity` (by how much each
        output differs on how many pictures) and, where it was asked for, `int8` (its file, and what was measured).

    Raises
    ------
    BundleError
        Where a graph does not answer what the system predicts, or holds what none may hold.
    SettingsError
        Where the system cannot be exported.
    """
    seen = hold(held, system.task, known["size"])
    about = {
        "system": known["system"],
        "classes": ",".join(known["classes"]),
        **{name: str(known[name]) for name in ("size", "pictures", "framing")},
    }
    graphs = {}
    for mode in known["modes"]:
        path = folder / f"{mode}.onnx"
        answering = system.answering(mode)
        write_onnx(answering, known["size"], {**about, "mode": mode}, path)
        graph = Graph(path, len(known["classes"]), known["size"])
        difference = check_parity(graph, system, mode, seen, jumps=answering.jumps)
        graphs[mode] = {
            "runs": path.name,
            "whole": path.name,
            "outputs": list(graph.outputs),
            "parity": {"pictures": len(seen.pictures), "drawn": seen.drawn, "difference": difference},
        }
        if int8:
            graphs[mode] |= _small(graph, seen)
    return graphs


def _small(graph: Graph, seen: Held) -> dict[str, Any]:
    """Write a graph in eight bits beside itself, and return what the manifest says of it.

    What cannot be made small, or not be measured, stays as it is, and the manifest says why: a system was trained.
    """
    if seen.drawn or len(seen.pictures) < _LEAST:
        return {"int8": {"chosen": False, "measured": "not written, too few pictures were held out to measure it on"}}
    small = graph.path.with_suffix(".int8.onnx")
    try:
        loss = _written(graph, seen.pictures, small, seen.labels)
    except NoNetworkError as error:
        return {"int8": {"chosen": False, "measured": f"not written, {error.what}"}}
    facts = {"file": small.name, **asdict(loss), "chosen": loss.chosen, "measured": f"{loss}: {loss.verdict}"}
    return {"int8": facts, **({"runs": small.name} if loss.chosen else {})}


def _written(graph: Graph, pictures: np.ndarray, output: Path, labels: np.ndarray | None = None) -> Loss:
    """Write a graph in eight bits, made with every second picture, and return its loss on the others."""
    quantise_onnx(graph.path, pictures[::2], output)
    small = Graph(output, graph.classes, graph.size)
    return measure_loss(graph, small, pictures[1::2], None if labels is None else labels[1::2])


def export_bundle(bundle: Path, output: Path, mode: str | None = None, faces: Path | None = None) -> Loss | None:
    """Write one graph of a bundle to a file of its own; with a folder of pictures of faces, in eight bits.

    The file in 32 bits is the same as in the bundle, byte for byte. In eight bits, the largest face of each picture is
    cut out as the bundle cuts it; pictures without one are left out. One half of the faces measures activations, the
    other what eight bits lose.

    Parameters
    ----------
    bundle : Path
        A folder that `insula fit` wrote.
    output : Path
        The file; replaced where it exists.
    mode : str, optional
        One of the bundle's modes.
    faces : Path, optional
        A folder of pictures.

    Returns
    -------
    Loss or None
        What eight bits lose, where they were asked for.

    Raises
    ------
    SettingsError
        Where the output cannot be written, or the bundle holds no graph.
    DataError
        Where fewer than two pictures show a face.
    """
    if output.is_dir() or (output.parent.exists() and not output.parent.is_dir()):
        raise SettingsError("this is no file that could be written", where=output, do="give the name of a new file")
    opened = open_bundle(bundle)
    if not opened.graphs:
        raise not_from_pictures(opened.manifest)
    mode = opened.mode(mode)
    whole = bundle / opened.manifest["graphs"][mode]["whole"]
    if faces is None:
        with write_file(output) as temporary:
            shutil.copyfile(whole, temporary)
        return None
    from insula.deployment.predictor import Predictor
    from insula.faces import list_pictures

    pictures = Predictor(bundle).faces(list_pictures(faces)[:_FACES])
    if len(pictures) < _LEAST:
        what = f"{len(pictures)} pictures that show a face are too few to make and measure eight bits"
        raise DataError(what, where=faces, do=f"give {_LEAST} or more, a hundred are better")
    manifest = opened.manifest
    with write_file(output) as temporary:
        return _written(Graph(whole, len(opened.classes), manifest["size"]), pictures, temporary)
