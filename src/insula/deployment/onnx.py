"""What a system answers, as an ONNX file: the whole way from a face's pixels or EEG, for machines without torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from insula.deployment.graph_inputs import Form, picture_form
from insula.storage.atomic import write_file

if TYPE_CHECKING:
    from torch import nn

NETWORK = "network."
"""How the names of those nodes begin that a network has learnt, and those between them; of the others, `other.`."""

_OPSET = 20  # of ONNX's operators; ONNX Runtime reads it since 1.17


def write_onnx(answering: nn.Module, inputs: int | Mapping[str, Form], about: Mapping[str, str], output: Path) -> None:
    """Write what a system answers as one ONNX file, for any number of faces or rows at a time.

    Parameters
    ----------
    answering : Module
        Maps its inputs to a tuple of the tensors that its `outputs` names; in evaluation mode.
    inputs : int or mapping of str to Form
        Side of the pictures, uint8 (n, size, size, 3), in pixels; or what it is given, in order.
    about : mapping of str to str
        Metadata of the file.
    output : Path
        The file to write.
    """
    import onnx
    import torch

    forms = picture_form(inputs) if isinstance(inputs, int) else inputs
    example = tuple(torch.zeros((2, *form.shape), dtype=getattr(torch, form.kind)) for form in forms.values())
    rows = torch.export.Dim("faces" if isinstance(inputs, int) else "rows")
    names = list(answering.outputs)  # type: ignore[arg-type]
    options: dict[str, Any] = {"opset_version": _OPSET, "dynamo": True, "verbose": False}
    with quiet():
        # In two steps: in one, the exporter would fall back to a graph for two faces where any number is not possible.
        traced = torch.export.export(answering, example, dynamic_shapes=tuple({0: rows} for _ in example))
        program = torch.onnx.export(traced, input_names=list(forms), output_names=names, **options)
    assert program is not None
    model = program.model_proto
    _tidy(model, _learnt(answering), rows.__name__)
    onnx.helper.set_model_props(model, dict(about))
    with write_file(output) as temporary:
        onnx.save(model, temporary)


def _learnt(answering: nn.Module) -> set[str]:
    """Return the names of the modules whose weights are a network's."""
    from torch import nn

    layers = (nn.Linear, nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm)  # a layer may have become one with
    return {name for name, module in answering.named_modules() if isinstance(module, layers)}  # what normalises it


def _tidy(model: Any, learnt: set[str], rows: str) -> None:
    """Name nodes by what they belong to, and take away what the exporter notes of the machine, such as paths."""
    nodes, scopes = model.graph.node, "pkg.torch.onnx.name_scopes"
    layers = {
        number
        for number, node in enumerate(nodes)
        if node.op_type in ("Conv", "Gemm", "MatMul")
        and any(f"'{name}'" in entry.value for entry in node.metadata_props if entry.key == scopes for name in learnt)
    }
    for number in range(len(nodes)):
        nodes[number].name = f"{NETWORK if number in layers else 'other.'}{number}"
    for part in (model, model.graph, *nodes, *model.graph.initializer, *model.graph.input, *model.graph.output):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = rows
    model.graph.ClearField("value_info")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporter's and the quantiser's remarks to themselves."""
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
