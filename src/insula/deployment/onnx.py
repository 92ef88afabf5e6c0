"""A bundle's network as one ONNX file, for machines without torch; and the same in eight bits."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from insula.deployment.bundle import open_bundle
from insula.errors import DataError, SettingsError
from insula.storage.atomic import write_file
from insula.storage.hashing import digest

if TYPE_CHECKING:
    from torch import nn

INPUT, OUTPUT = "pictures", "probabilities"
_CALIBRATION = 100  # pictures at most


def export_bundle(bundle: Path, output: Path, faces: Path | None = None) -> dict[str, float]:
    """Write a bundle's network as `export_onnx` does; with a folder of pictures of faces, in eight bits.

    The largest face of each picture is cut out as the bundle cuts it. Pictures without one are left out.

    Returns
    -------
    dict
        Of eight bits: how many `faces` it was measured on, on what share of them the answer is the `same`, and the
        largest `difference` of a probability.
    """
    if output.is_dir() or (output.parent.exists() and not output.parent.is_dir()):
        raise SettingsError("this is no file that could be written", where=output, do="give the name of a new file")
    if faces is None:
        export_onnx(bundle, output)
        return {}
    from insula.deployment.predictor import Predictor
    from insula.faces import list_pictures

    pictures = Predictor(bundle).crops(list_pictures(faces)[:_CALIBRATION])
    whole = output.with_name(f".{output.name}.whole")
    try:
        export_onnx(bundle, whole)
        quantise_onnx(whole, pictures, output)
        return _agreement(whole, output, pictures)
    finally:
        whole.unlink(missing_ok=True)


def _agreement(whole: Path, small: Path, pictures: np.ndarray) -> dict[str, float]:
    import onnxruntime

    given = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    said = [onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {INPUT: given})[0]
            for file in (whole, small)]  # fmt: skip
    same = float((said[0].argmax(axis=1) == said[1].argmax(axis=1)).mean())
    return {"faces": len(pictures), "same": same, "difference": float(np.abs(said[0] - said[1]).max())}


def export_onnx(bundle: Path, output: Path) -> None:
    """Write what a bundle says as ONNX: pictures in, calibrated probabilities out.

    The input `pictures` is uint8 RGB (faces, 3, size, size), cut as the bundle's training pictures were; the output
    `probabilities` is float32 (faces, classes). The file's metadata name the classes, the size, how pictures are cut
    (`detect` or `whole`), and the bundle it is from. Neither strangeness nor sets are in it.

    Parameters
    ----------
    bundle : Path
        A folder that `insula fit` wrote.
    output : Path
        The file; replaced where it exists.

    Raises
    ------
    SettingsError
        Where the bundle's system does not predict from pictures.
    """
    opened = open_bundle(bundle)
    manifest = opened.manifest
    if not hasattr(opened.system, "answering"):
        what = f"a bundle of {manifest['system']} predicts from no pictures"
        raise SettingsError(what, where=bundle, do="export one of a face network")
    about = {"classes": ",".join(manifest["classes"]), "pictures": manifest["pictures"], "bundle": digest(manifest)}
    write_onnx(_probabilities(opened.system.answering()), manifest["size"], about, output)


def _probabilities(answer: nn.Module) -> nn.Module:
    """Return the first part of an answer alone, of pictures (n, 3, size, size)."""
    from torch import nn

    class Alone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = answer

        def forward(self, pictures: Any) -> Any:
            return self.answer(pictures.permute(0, 2, 3, 1))[0]

    return Alone().eval()


def write_onnx(network: nn.Module, size: int, about: Mapping[str, str], output: Path) -> None:
    """Write a network on pictures as ONNX, for any number of faces at a time.

    Parameters
    ----------
    network : Module
        Maps uint8 pictures (n, 3, size, size) to probabilities; in evaluation mode.
    size : int
        Side of the pictures.
    about : mapping of str to str
        Metadata; the size is added.
    output : Path
        The file to write.
    """
    import onnx
    import torch

    example = torch.zeros((2, 3, size, size), dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("faces")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {**about, "size": str(size)})
    with write_file(output) as temporary:
        onnx.save(model, temporary)


def quantise_onnx(model: Path, pictures: np.ndarray, output: Path) -> None:
    """Write a file of `export_onnx` with weights and activations in eight bits.

    Parameters
    ----------
    model : Path
        The file in 32 bits.
    pictures : uint8 array, shape (n, size, size, 3)
        Faces as they will come, on which the range of each activation is measured; of more than 100 as many are taken,
        evenly spread.
    output : Path
        The file to write.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if not len(pictures):
        raise DataError("no picture to measure activations on", do="give pictures of faces like those to come")

    class Faces(CalibrationDataReader):
        def __init__(self) -> None:
            self.left: Iterator[np.ndarray] = iter(pictures[:: -(-len(pictures) // _CALIBRATION)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            picture = next(self.left, None)
            return None if picture is None else {INPUT: np.ascontiguousarray(picture.transpose(2, 0, 1)[None])}

    with write_file(output) as temporary, _quiet():
        prepared = temporary.with_suffix(".prepared")
        try:
            quant_pre_process(model, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                temporary,
                Faces(),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["Conv", "Gemm", "MatMul", "Add", "MaxPool", "Relu"],
            )
        finally:
            prepared.unlink(missing_ok=True)


@contextmanager
def _quiet() -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in ("", "torch.onnx", "onnxscript", "onnx_ir")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in before:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in before.items():
                logging.getLogger(name).setLevel(level)
