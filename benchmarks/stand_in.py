"""A network of the size of a small recogniser, with random weights, as the graphs of bundles are: for benchmarks."""

from __future__ import annotations

import logging
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

SIDE, CLASSES, WIDTHS = 96, 7, (24, 48, 96, 192)


def _unit(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class StandIn(nn.Module):
    """Pictures (n, 96, 96, 3), uint8, to probabilities, the mirrored picture's share included: 28 million products."""

    def __init__(self) -> None:
        super().__init__()
        pairs = pairwise(WIDTHS)
        layers = [_unit(3, WIDTHS[0], 2)] + [layer for a, b in pairs for layer in (_unit(a, b, 2), _unit(b, b))]
        self.network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], CLASSES))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return probabilities, (n, classes)."""
        first = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        return (self.network(first).softmax(1) + self.network(first.flip(3)).softmax(1)) / 2


def write_stand_in(folder: Path, faces: np.ndarray) -> dict[str, Path]:
    """Write `fp32.onnx` and `int8.onnx`, whose input is `pictures`; eight bits are set on faces (n, 96, 96, 3)."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Faces(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(faces)

        def get_next(self) -> dict[str, Any] | None:
            face = next(self.left, None)
            return None if face is None else {"pictures": face[None]}

    paths = {form: folder / f"{form}.onnx" for form in ("fp32", "int8")}
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        program = torch.onnx.export(
            StandIn().eval(),
            (torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8),),
            input_names=["pictures"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("faces")},),
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        program.save(paths["fp32"])
        quant_pre_process(paths["fp32"], folder / "prepared.onnx", skip_symbolic_shape=True)
        quantize_static(folder / "prepared.onnx", paths["int8"], Faces(), per_channel=True)
    logging.getLogger().setLevel(level)
    return paths
