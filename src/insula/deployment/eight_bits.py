"""A graph whose network has eight bits: smaller, on most processors faster, and what it loses on held-out faces."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from insula.deployment.graph_inputs import PICTURES
from insula.deployment.graphs import PROBABILITIES, Graph
from insula.deployment.onnx import NETWORK, quiet
from insula.errors import DataError, SettingsError
from insula.storage.atomic import write_file

_CALIBRATION = 100  # faces at most on which the range of activations is measured
_LOSS = 0.01  # of the accuracy, that eight bits may cost where they are to answer by default
_ROUNDS = 15  # of which the fastest counts
_BETWEEN = ("Add", "MaxPool", "Relu")  # between two layers they need not leave the eight bits


class NoNetworkError(SettingsError):
    """A graph without a network of several layers, which eight bits could make small."""


@dataclass(frozen=True)
class Loss:
    """What eight bits change.

    Parameters
    ----------
    faces : int
        On so many it was measured, none of which was used to make the eight bits.
    same : float
        Share of faces whose most probable class is the same.
    difference : float
        The largest of a probability.
    milliseconds, milliseconds_whole : float
        For one face on one thread of this machine, in eight bits and in 32.
    accuracy, accuracy_whole : float or None
        Share of right answers, where the faces have labels.
    """

    faces: int
    same: float
    difference: float
    milliseconds: float
    milliseconds_whole: float
    accuracy: float | None = None
    accuracy_whole: float | None = None

    @property
    def faster(self) -> bool:
        """Whether eight bits took less time."""
        return self.milliseconds < self.milliseconds_whole

    @property
    def chosen(self) -> bool:
        """Whether eight bits should answer by default: they are faster, and lose at most one point.

        Where there are no labels, the share of changed answers stands for the loss, which cannot be larger.
        """
        lost = 1 - self.same
        if self.accuracy is not None and self.accuracy_whole is not None:
            lost = self.accuracy_whole - self.accuracy
        return self.faster and round(lost, 9) <= _LOSS

    @property
    def verdict(self) -> str:
        """Which answers by default, and why not eight bits."""
        against = "may lose more than one point" if self.faster else "are not faster here"
        return "8 bits answer" if self.chosen else f"32 bits answer, as 8 bits {against}"

    def __str__(self) -> str:
        """Return what was measured, in words.

        Examples
        --------
        >>> print(Loss(80, 0.9875, 0.031, 1.42, 3.18, 0.7, 0.7125))
        accuracy 71.2 % to 70.0 %, the same answer on 98.8 % of 80 faces, probabilities differ by up to 0.031, 3.18 to
        1.42 ms
        """
        parts = [
            f"the same answer on {100 * self.same:.1f} % of {self.faces} faces",
            f"probabilities differ by up to {self.difference:.2g}",
            f"{self.milliseconds_whole:.3g} to {self.milliseconds:.3g} ms",
        ]
        if self.accuracy is not None and self.accuracy_whole is not None:
            parts.insert(0, f"accuracy {100 * self.accuracy_whole:.1f} % to {100 * self.accuracy:.1f} %")
        return ", ".join(parts)


def quantise_onnx(whole: Path, faces: np.ndarray, output: Path) -> None:
    """Write a file of `write_onnx` with its network's weights and activations in eight bits.

    Only what a network has learnt becomes so: convolutions and linear layers, all but the last, and what lies between
    them. What comes before (size, colours) and after (probabilities, sets, strangeness) stays as it is.

    Parameters
    ----------
    whole : Path
        The file in 32 bits.
    faces : uint8 array, shape (n, size, size, 3)
        As they will come, on which the range of each activation is measured; of more than 100 as many are taken, evenly
        spread.
    output : Path
        The file to write.

    Raises
    ------
    DataError
        Where there is no face.
    NoNetworkError
        Where there is no network of several layers.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static

    if not len(faces):
        raise DataError("no face to measure activations on", do="give pictures of faces like those to come")
    model = onnx.load(whole)
    layers, between = _of_network(model.graph.node)
    if not layers:
        raise NoNetworkError("it holds no network of several layers", where=whole, do="leave it in 32 bits")
    with write_file(output) as temporary, quiet():
        quantize_static(
            model,
            temporary,
            _reader(faces),
            per_channel=True,
            reduce_range=True,  # weights of seven bits, as eight overflow on processors without VNNI
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", "Gemm", "MatMul", *_BETWEEN],
            nodes_to_quantize=[*layers, *between],
        )
        small = onnx.load(temporary)
        for tensor in small.graph.initializer:
            tensor.ClearField("data_location")  # which says, once it was loaded, that it lies where it lies
        onnx.helper.set_model_props(small, {entry.key: entry.value for entry in model.metadata_props})
        onnx.save(small, temporary)


def _of_network(nodes: Iterable[Any]) -> tuple[list[str], list[str]]:
    """Return the names of a network's layers that another layer follows, and of what lies between its layers."""
    makers: dict[str, Any] = {}
    users: dict[str, list[Any]] = defaultdict(list)
    for node in nodes:
        makers |= dict.fromkeys(node.output, node)
        for name in node.input:
            users[name].append(node)
    layers = [node for node in nodes if node.name.startswith(NETWORK)]
    after = _reached(layers, lambda node: [user for name in node.output for user in users[name]])
    before = _reached(layers, lambda node: [makers[name] for name in node.input if name in makers])
    between = [node.name for node in nodes if node.op_type in _BETWEEN and node.name in after & before]
    return [node.name for node in layers if node.name in before], between


def _reached(start: list[Any], step: Callable[[Any], list[Any]]) -> set[str]:
    """Return the names of all nodes that one comes to from these."""
    reached: set[str] = set()
    left = list(start)
    while left:
        for node in step(left.pop()):
            if node.name not in reached:
                reached.add(node.name)
                left.append(node)
    return reached


def _reader(faces: np.ndarray) -> Any:
    """Return faces one by one, as the quantiser wants them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Faces(CalibrationDataReader):
        def __init__(self) -> None:
            self.left: Iterator[np.ndarray] = iter(faces[:: -(-len(faces) // _CALIBRATION)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            face = next(self.left, None)
            return None if face is None else {PICTURES: face[None]}

    return Faces()


def measure_loss(whole: Graph, small: Graph, faces: np.ndarray, labels: np.ndarray | None = None) -> Loss:
    """Return what a graph in eight bits loses.

    Parameters
    ----------
    whole, small : Graph
        In 32 bits, and in eight.
    faces : uint8 array, shape (n, size, size, 3)
        Others than the eight bits were made with.
    labels : int array, shape (n,), optional
        Class codes; negative where a face has no label.
    """
    before, after = (graph.answer(faces)[PROBABILITIES] for graph in (whole, small))
    times = _in_turns(lambda: whole.answer(faces[:1]), lambda: small.answer(faces[:1]))
    same, difference = (before.argmax(axis=1) == after.argmax(axis=1)).mean(), np.abs(before - after).max()
    known = labels >= 0 if labels is not None else np.zeros(len(faces), bool)
    right = [(said.argmax(axis=1) == labels)[known].mean() if known.any() else None for said in (after, before)]
    accuracy, accuracy_whole = (None if share is None else float(share) for share in right)
    return Loss(len(faces), float(same), float(difference), times[1], times[0], accuracy, accuracy_whole)


def _in_turns(*works: Callable[[], Any]) -> list[float]:
    """Return the milliseconds of each work, the fastest of several rounds, after one that is not counted."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(_ROUNDS + 1):
        for times, work in zip(spent, works, strict=True):
            begin = time.perf_counter()
            work()
            times.append(1000 * (time.perf_counter() - begin))
    return [min(times[1:]) for times in spent]
