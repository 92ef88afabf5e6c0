"""The two BlazeFace networks: what one of them sees in a region of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from insula.faces.litert import load_network
from insula.storage.weights import find_weights

_KEPT = 8  # networks, by the shape of their input; a folder of upright and lying pictures of two sizes needs six

Shape = tuple[int, int]


@dataclass(frozen=True)
class Design:
    """One of the networks: its weight file, input side, and for each grid of cells the stride and boxes."""

    weights: str
    side: int
    grids: tuple[tuple[int, int], ...]

    @property
    def stride(self) -> int:
        """Of the coarsest grid: sides of an input are multiples of it."""
        return max(stride for stride, _ in self.grids)


BACK = Design("blazeface-back.tflite", 256, ((16, 2), (32, 6)))
FULL_RANGE = Design("blazeface-full-range.tflite", 192, ((4, 1),))


class Networks:
    """The networks that looks at pictures have needed so far; left behind when pickled.

    Most of a network is the same for inputs of any shape. Those of `BACK` may have any sides that are multiples of 32,
    those of `FULL_RANGE` its own only.
    """

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, Shape], Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_loaded": {}}

    def look(
        self,
        design: Design,
        image: Image.Image,
        region: tuple[float, float, float, float],
        score: float,
        shape: Shape | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return points (n, 8, 2) in pixels of the picture (centre, size, six landmarks) and scores (n,).

        The region (left, top, right, bottom), black where it leaves the picture, is centred in the network's input.

        Parameters
        ----------
        design : Design
            Which network looks.
        image : Image
            The whole picture, RGB.
        region : tuple of float
            Where to look, in pixels of the picture.
        score : float
            Boxes with a lower score are left out.
        shape : tuple of int, optional
            Height and width of the input; the network's own square where not given.
        """
        shape = shape or (design.side, design.side)
        left, top, right, bottom = region
        room = np.array([shape[1], shape[0]])
        scale = float((room / [right - left, bottom - top]).min())
        corner = (room - np.array([right - left, bottom - top]) * scale) / 2 - np.array([left, top]) * scale
        tensor = np.full((1, *shape, 3), -1.0, dtype=np.float32)
        inside = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
        (x, y), (x_end, y_end) = (np.round(np.reshape(inside, (2, 2)) * scale + corner)).astype(int)
        if x_end > x and y_end > y:
            # Pillow's filters widen when they shrink, so nothing aliases; the gap makes that cheap for large pictures
            small = image.resize((x_end - x, y_end - y), Image.Resampling.BILINEAR, box=inside, reducing_gap=2.0)
            shown = tensor[0, y:y_end, x:x_end]
            np.divide(np.asarray(small), np.float32(127.5), out=shown)
            shown -= 1.0
        offsets, logits = self._run(design, tensor)
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits, -80, 80)))
        keep = np.flatnonzero(scores >= score)
        keep = keep[(offsets[keep, 1] > 0).all(axis=1)]
        points, centres = offsets[keep].astype(np.float64), cell_centres(design, shape)[keep]
        places = [0, *range(2, 8)]
        points[:, places] = (points[:, places] + centres[:, None] - corner) / scale
        points[:, 1] /= scale
        return points, scores[keep]

    def _run(self, design: Design, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return offsets (n, 8, 2) in input pixels and logits (n,) of all boxes."""
        key = design.weights, tensor.shape[1:3]
        network = self._loaded.pop(key, None) or load_network(find_weights(design.weights), tensor.shape)
        self._loaded[key] = network  # the last one used comes last
        if len(self._loaded) > _KEPT:
            del self._loaded[next(iter(self._loaded))]
        network.set_tensor(network.get_input_details()[0]["index"], tensor)
        network.invoke()
        outputs = [network.get_tensor(detail["index"])[0] for detail in network.get_output_details()]
        offsets, logits = sorted(outputs, key=lambda output: -output.shape[1])  # sixteen numbers a box, and one
        return offsets.reshape(-1, 8, 2), logits[:, 0]


@lru_cache(maxsize=4 * _KEPT)
def cell_centres(design: Design, shape: Shape) -> np.ndarray:
    """Return the centre (n, 2), in input pixels, of the cell that each box's numbers are offsets from.

    As MediaPipe's `ssd_anchors_calculator` lays them out: grid by grid, row by row.
    """
    centres = []
    for stride, boxes in design.grids:
        rows, columns = ((np.arange(side // stride) + 0.5) * stride for side in shape)
        centres.append(np.repeat(np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2), boxes, axis=0))
    return np.concatenate(centres)
