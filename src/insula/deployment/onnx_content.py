"""What an ONNX file holds, read without the library onnx: enough to refuse what a bundle's graph must not hold.

A graph of a bundle is plain: nodes of the standard operators, one after the other, and tensors that lie in the file
itself. Whatever else the format offers (tensors in other files, graphs within the graph and with them loops, functions,
operators of other domains, fields that came later) is refused, wherever in the file it stands. Only then is the file
given to ONNX Runtime.

Source: onnx.proto3 of ONNX 1.23, https://github.com/onnx/onnx; the encoding of protocol buffers,
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
"""Whose operators a graph may use: ONNX's own."""

FLOAT32, UINT8, BOOL = 1, 2, 9
"""ONNX's numbers of element types."""

_TYPES = {
    number: np.dtype(name)
    for number, name in {
        FLOAT32: "<f4", UINT8: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", BOOL: "?", 10: "<f2", 11: "<f8",
        12: "<u4", 13: "<u8",
    }.items()
}  # fmt: skip
_WRITTEN = {FLOAT32: 4, 7: 7, 10: 0, 11: 10, 12: 11, 13: 11}  # where a tensor has numbers that are not raw; else in 5

# The fields that a message may have. Those that hold a message name it, the others (None) are numbers, texts or bytes.
_FIELDS: dict[str, dict[int, str | None]] = {
    "model": {**dict.fromkeys((1, 2, 3, 4, 5, 6)), 7: "graph", 8: "opset", 14: "entry"},
    "opset": dict.fromkeys((1, 2)),
    "entry": dict.fromkeys((1, 2)),
    "graph": {1: "node", 2: None, 5: "tensor", 10: None, 11: "value", 12: "value", 13: "value", 16: "entry"},
    "node": {**dict.fromkeys((1, 2, 3, 4, 6, 7, 8)), 5: "attribute", 9: "entry"},
    "attribute": {**dict.fromkeys((1, 2, 3, 4, 7, 8, 9, 13, 20)), 5: "tensor", 10: "tensor"},
    "tensor": dict.fromkeys((1, 2, 4, 5, 7, 8, 9, 10, 11, 12)),
    "value": {1: None, 2: "type", 3: None, 4: "entry"},
    "type": {1: "tensor type", 6: None},
    "tensor type": {1: None, 2: "shape"},
    "shape": {1: "axis"},
    "axis": dict.fromkeys((1, 2, 3)),
}
# Of all others there is one. Of two, readers differ in which one counts.
_REPEATED = {
    "model": {8, 14}, "graph": {1, 5, 11, 12, 13, 16}, "node": {1, 2, 5, 9}, "attribute": {7, 8, 9, 10},
    "tensor": {1, 4, 5, 7, 10, 11}, "value": {4}, "shape": {1},
}  # fmt: skip
_REFUSED = {
    ("graph", 15): "sparse tensors",
    ("model", 20): "a graph to train",
    ("model", 25): "functions",
    ("attribute", 6): "a graph within the graph",
    ("attribute", 11): "a graph within the graph",
    ("tensor", 13): "tensors that lie in another file",
    ("tensor", 14): "tensors that lie in another file",
}

_Message = dict[int, list[Any]]


class RefusedError(ValueError):
    """A file that is no ONNX model, or holds what a bundle's graph must not; the message says what."""


@dataclass(frozen=True)
class Value:
    """An input or output: its element type, and of each axis the length, or its name where the length varies."""

    kind: int
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Content:
    """What a graph says of itself, after every part of it was checked.

    Parameters
    ----------
    inputs, outputs : dict of str to Value
        In the order of the file.
    metadata : dict of str to str
        What its maker wrote beside the graph.
    """

    inputs: dict[str, Value]
    outputs: dict[str, Value]
    metadata: dict[str, str]


def read_content(file: bytes) -> Content:
    """Check all of an ONNX file and return what it says of its inputs and outputs.

    Parameters
    ----------
    file : bytes
        The whole file.

    Raises
    ------
    RefusedError
        Where it is no ONNX model; where it holds tensors that lie in another file, graphs within the graph, functions,
        sparse tensors, operators of other domains, or anything else that the fields above do not name; where a number
        in it is not finite, or a tensor is not as large as its shape says.

    Examples
    --------
    >>> read_content(b"a picture, maybe")
    Traceback (most recent call last):
    insula.deployment.onnx_content.RefusedError: it holds field 12 of a model, which no graph of a bundle has
    """
    model = _read("model", memoryview(file))
    if 7 not in model:
        raise RefusedError("this is no ONNX model")
    graph = model[7][0]
    for opset in model.get(8, ()):
        _check_domain(_text(opset, 1))
    for tensor in graph.get(5, ()):
        _check_tensor(tensor)
    for node in graph.get(1, ()):
        _check_domain(_text(node, 7))
        for attribute in node.get(5, ()):
            _check_attribute(attribute)
    inputs, outputs = ({_text(value, 1): _value(value) for value in graph.get(number, ())} for number in (11, 12))
    return Content(inputs, outputs, {_text(entry, 1): _text(entry, 2) for entry in model.get(14, ())})


def _read(kind: str, data: memoryview) -> _Message:
    """Return the fields of a message by number, each a list of numbers, of bytes, or of messages."""
    message: _Message = {}
    for number, value in _fields(data):
        if number not in _FIELDS[kind]:
            unknown = f"field {number} of a {kind}, which no graph of a bundle has"
            raise RefusedError(f"it holds {_REFUSED.get((kind, number), unknown)}")
        if number in message and number not in _REPEATED.get(kind, ()):
            raise RefusedError(f"it holds field {number} of a {kind} twice")
        inner = _FIELDS[kind][number]
        message.setdefault(number, []).append(value if inner is None else _read(inner, _bytes(value)))
    return message


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a message: an int, or the bytes that it has."""
    place, end = 0, len(data)
    while place < end:
        tag, place = _varint(data, place)
        form, size = tag & 7, 0
        if form == 0:
            value, place = _varint(data, place)
            yield tag >> 3, value
            continue
        if form == 2:
            size, place = _varint(data, place)
        elif form in (1, 5):
            size = 8 if form == 1 else 4
        else:
            raise RefusedError("this is no ONNX model")
        if size > end - place:
            raise RefusedError("this is no ONNX model, or only a part of one")
        yield tag >> 3, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return a number of variable length, and where the next field begins."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise RefusedError("this is no ONNX model, or only a part of one")


def _check_domain(domain: str) -> None:
    if domain not in DOMAINS:
        raise RefusedError(f"it uses operators of {domain!r}, which are not ONNX's own")


def _check_attribute(attribute: _Message) -> None:
    for tensor in [*attribute.get(5, ()), *attribute.get(10, ())]:
        _check_tensor(tensor)
    numbers = b"".join(bytes(value) for number in (2, 7) for value in attribute.get(number, ()))
    _check_finite(numbers, np.dtype("<f4"), _text(attribute, 1))


def _check_tensor(tensor: _Message) -> None:
    """Refuse a tensor of an unusual type, or whose content does not fill its shape, and numbers that are not finite."""
    name, number = _text(tensor, 8), tensor.get(2, [0])[0]
    kind = _TYPES.get(number)
    if kind is None:
        raise RefusedError(f"the type of tensor {name!r} is none that a graph of a bundle has")
    raw, written = tensor.get(9, []), tensor.get(_WRITTEN.get(number, 5), [])
    if raw or kind.kind == "f":
        parts = [_bytes(part) for part in raw or written]
        held = sum(len(part) for part in parts) / kind.itemsize
    else:
        parts, held = [], sum(1 for _ in _integers(written))
    if held != math.prod(_integers(tensor.get(1, []))) or (raw and written):
        raise RefusedError(f"tensor {name!r} is not as large as its shape says")
    if kind.kind == "f":
        for part in parts:
            _check_finite(part, kind, name)


def _check_finite(data: bytes | memoryview, kind: np.dtype, name: str) -> None:
    """Refuse numbers that are not finite; the least and the greatest tell, as both are NaN where one number is."""
    if len(data) % kind.itemsize:
        raise RefusedError(f"the numbers of {name!r} are no numbers")
    numbers = np.frombuffer(data, kind)
    if len(numbers) and not (np.isfinite(numbers.min()) and np.isfinite(numbers.max())):
        raise RefusedError(f"{name!r} holds a number that is not finite")


def _integers(values: list[Any]) -> Iterator[int]:
    """Yield the whole numbers of a repeated field, which stand one by one or packed."""
    for value in values:
        if isinstance(value, int):
            yield value
            continue
        place = 0
        while place < len(value):
            number, place = _varint(value, place)
            yield number


def _value(value: _Message) -> Value:
    """Return the type and shape of an input or output; one that is no tensor has type 0."""
    tensor = value.get(2, [{}])[0].get(1, [{}])[0]
    axes = tensor.get(2, [{}])[0].get(1, ())
    return Value(tensor.get(1, [0])[0], tuple(axis[1][0] if 1 in axis else _text(axis, 2) for axis in axes))


def _bytes(value: Any) -> memoryview:
    if not isinstance(value, memoryview):
        raise RefusedError("this is no ONNX model")
    return value


def _text(message: _Message, number: int) -> str:
    """Return a text of a message, empty where it has none."""
    try:
        return str(_bytes(message[number][0]), "utf-8") if number in message else ""
    except UnicodeDecodeError:
        raise RefusedError("this is no ONNX model") from None
