"""The graphs of a bundle: written, compared with the system they are from, made small on request."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from insula.deployment.bundle import not_from_pictures, open_bundle
from insula.deployment.eight_bits import NoNetworkError, measure_loss, quantise_onnx
from insula.deployment.graph_inputs import described, forms, rows_of
from insula.deployment.graphs import Graph
from insula.deployment.onnx import write_onnx
from insula.deployment.parity import Held, check_parity, hold, hold_rows
from insula.errors import DataError, SettingsError
from insula.storage.atomic import write_file
from insula.storage.folder import MANIFEST

if TYPE_CHECKING:
    from insula.deployment.eight_bits import Loss
    from insula.networks.answer import Answer
    from insula.samples import Samples
    from insula.systems.base import System

_FACES, _LEAST = 200, 4  # pictures of a folder at most, and at least, of which every second one measures the loss


def write_graphs(
    system: System, known: dict[str, Any], folder: Path, held: Samples | None, *, int8: bool = False
) -> dict[str, Any]:
    """Write a graph for each mode of a bundle, and return what the manifest says of them.

    Parameters
    ----------
    system : System
        Fitted.
    known : dict
        What the manifest says otherwise: `modes`, `classes`, and `size`, `pictures`, `framing` or `inputs`.
    folder : Path
        Where to.
    held : Samples or None
        Held-out rows, on which graph and system are compared.
    int8 : bool
        Whether to write networks in eight bits, too.

    Returns
    -------
    dict
        `graphs`, by mode: `runs` (the file that answers), `whole` (the file in 32 bits), `outputs`, `parity` (by how
        much each output differs on how many pictures, or rows) and, where it was asked for, `int8` (its file, and what
        was measured). Of what reads no pictures also `inputs` (what it reads) and, by mode, `inputs` (their names) and
        `before` (what is done in NumPy before the graph is asked).

    Raises
    ------
    BundleError
        Where a graph does not answer what the system predicts, or holds what none may hold.
    SettingsError
        Where the system cannot be exported.
    """
    answers = {mode: system.answering(mode) for mode in known["modes"]}
    read = dict.fromkeys(name for answer in answers.values() for name in answer.inputs)
    if list(read) == ["picture"]:
        return {"graphs": _of_pictures(system, answers, known, folder, held, int8=int8)}
    if "picture" in read:
        what = f"a bundle reads pictures alone, or no pictures, and {known['system']} reads {' and '.join(read)}"
        raise SettingsError(what, do="evaluate it with `insula run`, or fit it on features of faces")
    if int8:
        raise SettingsError("only what predicts from pictures can be written in eight bits", do="leave --int8 away")
    given = known.get("inputs", {})
    inputs = {name: given[name] for name in read} if set(read) <= set(given) else _described(held, read)
    seen = hold_rows(held, inputs)
    return {"inputs": inputs, "graphs": _of_rows(system, answers, {**known, "inputs": inputs}, folder, seen)}


def _described(held: Samples | None, read: Iterable[str]) -> dict[str, Any]:
    if held is None:
        raise SettingsError("nothing says what rows this system reads", do="give `inputs`, or rows held out")
    return described(held, read)


def _of_pictures(
    system: System,
    answers: Mapping[str, Answer],
    known: Mapping[str, Any],
    folder: Path,
    held: Samples | None,
    *,
    int8: bool,
) -> dict[str, Any]:
    seen = hold(held, system.task, known["size"])
    names = ("size", "pictures", "framing")
    about = {**_about(known), **{name: str(known[name]) for name in names}}
    graphs = {}
    for mode, answer in answers.items():
        path = folder / f"{mode}.onnx"
        write_onnx(answer, known["size"], {**about, "mode": mode}, path)
        graph = Graph(path, len(known["classes"]), known["size"])
        difference = check_parity(graph, system, mode, seen, jumps=answer.jumps)
        parity = {"pictures": len(seen.labels), "drawn": seen.drawn, "difference": difference}
        graphs[mode] = {"runs": path.name, "whole": path.name, "outputs": list(graph.outputs), "parity": parity}
        if int8:
            graphs[mode] |= _small(graph, seen)
    return graphs


def _of_rows(
    system: System, answers: Mapping[str, Answer], known: Mapping[str, Any], folder: Path, seen: Held
) -> dict[str, Any]:
    graphs, inputs = {}, known["inputs"]
    for mode, answer in answers.items():
        path, names, steps = folder / f"{mode}.onnx", answer.inputs, answer.before
        form = forms(inputs, names, steps)
        about = {name: json.dumps(inputs[name]) for name in names}
        write_onnx(answer, form, {**_about(known), **about, "mode": mode}, path)
        graph = Graph(path, len(known["classes"]), form)
        some = seen.samples if known.get("sides") else seen.samples.select(seen.samples.has(names[0]))
        given = rows_of(some, {**known, "graphs": {mode: {"inputs": names}}}, mode, steps)
        difference = check_parity(graph, system, mode, Held(some, np.empty(0)), given)
        graphs[mode] = {
            "runs": path.name,
            "whole": path.name,
            "inputs": list(names),
            "before": {name: _written_step(step, folder, f"{mode}.{name}.npy") for name, step in steps.items()},
            "outputs": list(graph.outputs),
            "parity": {"rows": len(some), "drawn": seen.drawn, "difference": difference},
        }
    return graphs


def _written_step(step: Any, folder: Path, file: str) -> dict[str, Any]:
    """Return what the manifest says of a step before a graph; its array is a file of its own."""
    if step.reference is None:
        return step.plain()
    np.save(folder / file, step.reference, allow_pickle=False)
    return {**step.plain(), "reference": file}


def _about(known: Mapping[str, Any]) -> dict[str, str]:
    return {"system": known["system"], "classes": ",".join(known["classes"])}


def _small(graph: Graph, seen: Held) -> dict[str, Any]:
    """Write a graph in eight bits beside itself, and return what the manifest says of it.

    What cannot be made small, or not be measured, stays as it is, and the manifest says why: a system was trained.
    """
    if seen.drawn or len(seen.labels) < _LEAST:
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
    small = Graph(output, graph.classes, graph.inputs)
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
        The file; a graph that is there already is replaced.
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
        Where the output cannot be written, or eight bits are asked of a bundle that does not read pictures.
    DataError
        Where fewer than two pictures show a face.
    """
    if output.is_dir() or (output.parent.exists() and not output.parent.is_dir()):
        raise SettingsError("this is no file that could be written", where=output, do="give the name of a new file")
    if (output.exists() and output.suffix.lower() != ".onnx") or (output.parent / MANIFEST).exists():
        what = "this would replace something else, or lie in a bundle"
        raise SettingsError(what, where=output, do="give the name of a new file, as in -o graph.onnx")
    opened = open_bundle(bundle)
    mode = opened.mode(mode)
    whole = bundle / opened.manifest["graphs"][mode]["whole"]
    if faces is None:
        with write_file(output) as temporary:
            shutil.copyfile(whole, temporary)
        return None
    if "inputs" in opened.manifest:
        raise not_from_pictures(opened.manifest)
    from insula.deployment.predictor import Predictor
    from insula.faces import list_pictures

    pictures = Predictor(bundle).faces(list_pictures(faces)[:_FACES])
    if len(pictures) < _LEAST:
        what = f"{len(pictures)} pictures that show a face are too few to make and measure eight bits"
        raise DataError(what, where=faces, do=f"give {_LEAST} or more, a hundred are better")
    manifest = opened.manifest
    with write_file(output) as temporary:
        return _written(Graph(whole, len(opened.classes), manifest["size"]), pictures, temporary)
