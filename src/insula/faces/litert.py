"""Networks in tflite files, run by LiteRT."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def load_network(path: Path, shape: tuple[int, ...] | None = None) -> Any:
    """Return the network of a tflite file, ready to run on one thread; a word of LiteRT's own is not heard.

    With a shape its input is of that shape instead of its own, where the network allows it.
    """
    from ai_edge_litert.interpreter import Interpreter

    with _silent():  # LiteRT greets on standard error and has no switch for it
        network = Interpreter(model_path=str(path), num_threads=1)  # a second thread won 10 % at the cost of a core
        (wanted, *_) = network.get_input_details()
        if shape is not None and tuple(wanted["shape"]) != tuple(shape):
            network.resize_tensor_input(wanted["index"], shape)
        network.allocate_tensors()
    return network


@contextmanager
def _silent() -> Iterator[None]:
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
