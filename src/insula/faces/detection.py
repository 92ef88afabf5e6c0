"""Faces in a picture: one BlazeFace network proposes, on the whole and on tiles of a large one; another judges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from insula.errors import DataError
from insula.faces.litert import load_network
from insula.storage.weights import find_weights

LANDMARKS = ("right eye", "left eye", "nose", "mouth", "right ear", "left ear")  # right and left are the person's own

_PROPOSED, _SAME = 0.4, 0.3  # least score of a candidate; overlap from which two boxes are one face
_CONTEXT = 3.5  # sides of the square in which a candidate is judged, in sides of its box
_LARGE, _TILE_FACE = 768, 0.25  # beyond _LARGE, faces under some 48 pixels escape the look at the whole


@dataclass(frozen=True)
class _Design:
    """One of the BlazeFace networks: its weight file, input side, and for each grid of cells the stride and boxes."""

    weights: str
    side: int
    grids: tuple[tuple[int, int], ...]


_BACK = _Design("blazeface-back.tflite", 256, ((16, 2), (32, 6)))
_FULL_RANGE = _Design("blazeface-full-range.tflite", 192, ((4, 1),))


@dataclass(frozen=True, eq=False)
class Face:
    """One face found in a picture.

    Parameters
    ----------
    box : tuple of float
        Left, top, right, bottom in pixels, from the brows to the chin; it may reach beyond the picture.
    score : float
        The detector's confidence, 0 to 1.
    landmarks : ndarray, (6, 2)
        x and y in pixels of the points that `LANDMARKS` names.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray

    @property
    def size(self) -> float:
        """The longer side of the box, in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)


class FaceDetector:
    """Find faces with two BlazeFace networks, read by LiteRT on one thread.

    The network for back cameras (256 x 256) sees small faces, and now and then one in a flower or a shirt. The network
    for the full range (192 x 192) misses small faces, and is right about what it is shown. So the first proposes, and
    the second judges and measures each candidate in a square three and a half times its size.

    Parameters
    ----------
    score : float
        Faces with less confidence are left out.

    Notes
    -----
    The networks load at the first picture and are left behind when the detector is pickled, so that it travels to
    workers for free. A detector serves one thread at a time.

    References
    ----------
    Bazarevsky et al. (2019), BlazeFace: sub-millisecond neural face detection on mobile GPUs, arXiv:1907.05047.
    """

    def __init__(self, score: float = 0.45) -> None:
        self.score = score
        self._networks: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_networks": {}}

    def detect(self, picture: np.ndarray) -> list[Face]:
        """Return the faces of a picture, largest first.

        Parameters
        ----------
        picture : ndarray, uint8, (height, width, 3)
            RGB, the right side up.

        Raises
        ------
        DataError
            Where the array is not such a picture.
        WeightsError
            Where a weight file is missing or altered.
        """
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise DataError(
                f"not a uint8 RGB picture: {picture.dtype}, shape {picture.shape}", do="read it with read_picture"
            )
        image = Image.fromarray(picture)
        judged = [self._judge(image, candidate) for candidate in _merged(*self._propose(image))]
        faces = []
        for points, score in _distinct([found for found in judged if found is not None]):
            (left, top), (right, bottom) = points[0] - points[1] / 2, points[0] + points[1] / 2
            faces.append(Face((float(left), float(top), float(right), float(bottom)), score, points[2:]))
        return sorted(faces, key=lambda face: -face.size)

    def _propose(self, image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        width, height = image.size
        found = [self._look(_BACK, image, (0, 0, width, height), _PROPOSED)]
        if max(image.size) > _LARGE:
            for tile in _tiles(width, height):
                points, scores = self._look(_BACK, image, tile, _PROPOSED)
                small = points[:, 1].max(axis=1) <= _TILE_FACE * (tile[2] - tile[0])
                found.append((points[small], scores[small]))
        points, scores = zip(*found, strict=True)
        return np.concatenate(points), np.concatenate(scores)

    def _judge(self, image: Image.Image, candidate: np.ndarray) -> tuple[np.ndarray, float] | None:
        reach = candidate[1].max() * _CONTEXT / 2
        low, high = candidate[0] - reach, candidate[0] + reach
        points, scores = self._look(_FULL_RANGE, image, (*low, *high), self.score)
        same = _intersection(points, candidate) > _SAME * _union(points, candidate)
        if not same.any():
            return None
        return np.average(points[same], axis=0, weights=scores[same]), float(scores[same].max())

    def _look(
        self, design: _Design, image: Image.Image, region: tuple[float, float, float, float], score: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return points (n, 8, 2) in pixels of the picture (centre, size, six landmarks) and scores (n,).

        The region, black where it leaves the picture, is centred in the network's square input.
        """
        left, top, right, bottom = region
        scale = design.side / max(right - left, bottom - top)
        corner = (design.side - np.array([right - left, bottom - top]) * scale) / 2 - np.array([left, top]) * scale
        tensor = np.full((1, design.side, design.side, 3), -1.0, dtype=np.float32)
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
        keep = (scores >= score) & (offsets[:, 1] > 0).all(axis=1)
        points, centres = offsets[keep], _centres(design)[keep]
        places = [0, *range(2, 8)]
        points[:, places] = (points[:, places] + centres[:, None] - corner) / scale
        points[:, 1] /= scale
        return points, scores[keep]

    def _run(self, design: _Design, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return offsets (n, 8, 2) in input pixels and logits (n,) of all boxes."""
        if design.weights not in self._networks:
            self._networks[design.weights] = load_network(find_weights(design.weights))
        network = self._networks[design.weights]
        network.set_tensor(network.get_input_details()[0]["index"], tensor)
        network.invoke()
        outputs = [network.get_tensor(detail["index"])[0] for detail in network.get_output_details()]
        offsets, logits = sorted(outputs, key=lambda output: -output.shape[1])  # sixteen numbers a box, and one
        return offsets.reshape(-1, 8, 2).astype(np.float64), logits[:, 0]


@cache
def _centres(design: _Design) -> np.ndarray:
    """Return the centre (n, 2), in input pixels, of the cell that each box's numbers are offsets from.

    As MediaPipe's `ssd_anchors_calculator` lays them out: grid by grid, row by row.
    """
    centres = []
    for stride, boxes in design.grids:
        line = (np.arange(design.side // stride) + 0.5) * stride
        centres.append(np.repeat(np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2), boxes, axis=0))
    return np.concatenate(centres)


def _tiles(width: int, height: int) -> list[tuple[float, float, float, float]]:
    """Return square tiles that overlap by at least the largest face looked for in them, so that one holds it whole."""
    side = min(max(width, height) * 0.6, max(min(width, height), max(width, height) / 16))
    step = side * (1 - _TILE_FACE)

    def starts(length: float) -> np.ndarray:
        room = max(length - side, 0)
        return np.linspace(0, room, int(np.ceil(room / step)) + 1)

    return [(x, y, x + side, y + side) for y in starts(height) for x in starts(width)]


def _merged(points: np.ndarray, scores: np.ndarray) -> Iterator[np.ndarray]:
    """Yield one mean, weighted by score, for every group of boxes that overlap its best (MediaPipe's suppression)."""
    rest = np.argsort(-scores, kind="stable")
    while len(rest):
        best = points[rest[0]]
        same = _intersection(points[rest], best) > _SAME * _union(points[rest], best)
        yield np.average(points[rest[same]], axis=0, weights=scores[rest[same]])
        rest = rest[~same]


def _distinct(found: list[tuple[np.ndarray, float]]) -> Iterator[tuple[np.ndarray, float]]:
    """Yield faces from the best down, without those that lie by half or more in a better one, such as a cheek."""
    kept = np.empty((0, 8, 2))
    for points, score in sorted(found, key=lambda face: -face[1]):
        smaller = np.minimum(kept[:, 1].prod(axis=1), points[1].prod())
        if (_intersection(kept, points) < 0.5 * smaller).all():
            kept = np.concatenate([kept, points[None]])
            yield points, score


def _intersection(points: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the area (n,) that each of n boxes, given as centre and size, shares with one."""
    low = np.maximum(points[:, 0] - points[:, 1] / 2, other[0] - other[1] / 2)
    high = np.minimum(points[:, 0] + points[:, 1] / 2, other[0] + other[1] / 2)
    return np.clip(high - low, 0, None).prod(axis=1)


def _union(points: np.ndarray, other: np.ndarray) -> np.ndarray:
    return points[:, 1].prod(axis=1) + other[1].prod() - _intersection(points, other)
