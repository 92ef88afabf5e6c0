"""Faces in a picture: one BlazeFace network proposes, on the whole and on tiles of a large one; another judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from insula.errors import DataError
from insula.faces.blazeface import BACK, FULL_RANGE, Networks

LANDMARKS = ("right eye", "left eye", "nose", "mouth", "right ear", "left ear")  # right and left are the person's own

_PROPOSED, _SAME = 0.4, 0.3  # least score of a candidate; overlap from which two boxes are one face
_CONTEXT = 3.5  # sides of the square in which a candidate is judged, in sides of its box
_LARGE, _TILE_FACE = 768, 0.25  # beyond _LARGE, faces under some 48 pixels escape the look at the whole

# Of a quick look. Of 756 candidates in 3,404 pictures without a face none reached 0.82 in the first look (a cat came
# nearest), and none 0.80 from nearby (where _MOVED looks; _NEAR takes fewer of 329 candidates in scrambled faces).
_SURE = 0.85  # least score of a candidate that is not judged
_WELL_PLACED = 48  # pixels of a face in the network's input from which its landmarks are placed as well as by the judge
_NEAR, _MOVED = (1.6, 96), (2.0, 128)  # a square around a candidate, or a face that may move: sides of its box, pixels
_BOX, _LOW = 0.94, 0.043  # boxes of the proposing network in sides of the judge's, and how much lower they lie
_MARGIN = 16  # pixels of black beside the shorter side, without which small faces at its ends are missed


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
    quick : bool
        Take half the time: the first network looks at a picture in its own proportion instead of in tiles, looks at
        small candidates again from nearby, and only those that it doubts are judged. The same faces are found; their
        eyes lie some 3 % of their distance elsewhere, as far as either way places them beside a mean over several
        looks. Corpora are cut without it, so that their pictures stay what they were.

    Notes
    -----
    The networks load at the first picture and are left behind when the detector is pickled, so that it travels to
    workers for free. A detector serves one thread at a time.

    References
    ----------
    Bazarevsky et al. (2019), BlazeFace: sub-millisecond neural face detection on mobile GPUs, arXiv:1907.05047.
    """

    def __init__(self, score: float = 0.45, *, quick: bool = False) -> None:
        self.score, self.quick = score, quick
        self._networks = Networks()

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
        image = _checked(picture)
        propose, judge = (self._glance, self._trust) if self.quick else (self._propose, self._judge)
        judged = [judge(image, *candidate) for candidate in _merged(*propose(image))]
        return _largest_first([face for face in judged if face is not None])

    def follow(self, picture: np.ndarray, faces: Sequence[Face]) -> list[Face]:
        """Return where faces of a moment ago are in the next picture of a film, largest first.

        Only their surroundings are looked at, a quarter of the work of `detect`: a face that came is not seen, and one
        that moved by over half its size, or turned away, is left out.

        Parameters
        ----------
        picture : ndarray, uint8, (height, width, 3)
            RGB, the right side up.
        faces : sequence of Face
            As found in the picture before.

        Raises
        ------
        DataError, WeightsError
            As `detect`.
        """
        image = _checked(picture)
        places = [np.vstack([np.reshape(face.box, (2, 2)).mean(axis=0), [face.size] * 2]) for face in faces]
        seen = [self._see_again(image, place, *_MOVED) for place in places]
        return _largest_first([face for face in seen if face is not None])

    def _propose(self, image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        width, height = image.size
        looks = [self._networks.look(BACK, image, (0, 0, width, height), _PROPOSED)]
        if max(image.size) > _LARGE:
            for tile in _tiles(width, height):
                points, scores = self._networks.look(BACK, image, tile, _PROPOSED)
                small = points[:, 1].max(axis=1) <= _TILE_FACE * (tile[2] - tile[0])
                looks.append((points[small], scores[small]))
        points, scores = zip(*looks, strict=True)
        return np.concatenate(points), np.concatenate(scores)

    def _judge(self, image: Image.Image, candidate: np.ndarray, proposed: float) -> tuple[np.ndarray, float] | None:
        points, scores = self._networks.look(FULL_RANGE, image, _around(candidate, _CONTEXT), self.score)
        same = _intersection(points, candidate) > _SAME * _union(points, candidate)
        if not same.any():
            return None
        return np.average(points[same], axis=0, weights=scores[same]), float(scores[same].max())

    def _glance(self, image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        """Propose as `_propose` does, with inputs in the picture's own proportion: no tile, and little black."""
        width, height = image.size
        sides = [float(max(width, height))] + [_tile(width, height)] * (max(width, height) > _LARGE)
        factor = max(1, int(sides[-1] / BACK.side))
        small = image.reduce(factor) if factor > 1 else image  # once for both looks, and cheaper than any filter
        looks = []
        for side in sides:
            region, shape = (0.0, 0.0, width / factor, height / factor), _input(width, height, side)
            points, scores = self._networks.look(BACK, small, region, _PROPOSED, shape)
            keep = points[:, 1].max(axis=1) <= _TILE_FACE * side / factor if side < sides[0] else slice(None)
            looks.append((points[keep] * factor, scores[keep]))
        points, scores = zip(*looks, strict=True)
        return np.concatenate(points), np.concatenate(scores)

    def _trust(self, image: Image.Image, candidate: np.ndarray, proposed: float) -> tuple[np.ndarray, float] | None:
        """Judge only a candidate that the first network doubts, also when it looks at it from nearby."""
        seen = candidate[1].max() * BACK.side / max(image.size)
        if proposed >= _SURE and seen >= _WELL_PLACED:
            return _as_judged(candidate), proposed
        return self._see_again(image, candidate, *_NEAR) or self._judge(image, candidate, proposed)

    def _see_again(
        self, image: Image.Image, candidate: np.ndarray, sides: float, pixels: int
    ) -> tuple[np.ndarray, float] | None:
        """Return points and score where the first network, looking from nearby, has no doubt."""
        points, scores = self._networks.look(BACK, image, _around(candidate, sides), _SURE, (pixels, pixels))
        same = _intersection(points, candidate) > _SAME * _union(points, candidate)
        if not same.any():
            return None
        return _as_judged(np.average(points[same], axis=0, weights=scores[same])), float(scores[same].max())


def _checked(picture: np.ndarray) -> Image.Image:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise DataError(
            f"not a uint8 RGB picture: {picture.dtype}, shape {picture.shape}", do="read it with read_picture"
        )
    return Image.fromarray(picture)


def _largest_first(candidates: list[tuple[np.ndarray, float]]) -> list[Face]:
    """Return each face once, of points (8, 2) and scores."""
    faces = []
    for points, score in _distinct(candidates):
        (left, top), (right, bottom) = points[0] - points[1] / 2, points[0] + points[1] / 2
        faces.append(Face((float(left), float(top), float(right), float(bottom)), score, points[2:]))
    return sorted(faces, key=lambda face: -face.size)


def _around(candidate: np.ndarray, sides: float) -> tuple[float, float, float, float]:
    """Return a square around a box, so many sides of the box wide."""
    reach = candidate[1].max() * sides / 2
    (left, top), (right, bottom) = candidate[0] - reach, candidate[0] + reach
    return float(left), float(top), float(right), float(bottom)


def _as_judged(points: np.ndarray) -> np.ndarray:
    """Return what the proposing network sees with the box that the judging network would draw."""
    across = points[3] - points[2]
    down = np.array([-across[1], across[0]]) / max(float(np.hypot(*across)), 1e-9)
    points = points.copy()
    points[1] /= _BOX
    points[0] -= _LOW * points[1].max() * down
    return points


def _input(width: int, height: int, side: float) -> tuple[int, int]:
    """Return height and width of an input that shows a whole picture about as finely as a square of `side` pixels."""
    long = BACK.stride * max(1, round(max(width, height) * BACK.side / side / BACK.stride))
    needed = min(width, height) * long / max(width, height) + _MARGIN
    short = min(long, BACK.stride * int(np.ceil(needed / BACK.stride)))
    return (short, long) if width >= height else (long, short)


def _tiles(width: int, height: int) -> list[tuple[float, float, float, float]]:
    """Return square tiles that overlap by at least the largest face looked for in them, so that one holds it whole."""
    side = _tile(width, height)
    step = side * (1 - _TILE_FACE)

    def starts(length: float) -> np.ndarray:
        room = max(length - side, 0)
        return np.linspace(0, room, int(np.ceil(room / step)) + 1)

    return [(x, y, x + side, y + side) for y in starts(height) for x in starts(width)]


def _tile(width: int, height: int) -> float:
    return min(max(width, height) * 0.6, max(min(width, height), max(width, height) / 16))


def _merged(points: np.ndarray, scores: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Yield for every group of boxes that overlap its best (MediaPipe's suppression) its mean, and its best score.

    The mean is weighted by score.
    """
    rest = np.argsort(-scores, kind="stable")
    while len(rest):
        best = points[rest[0]]
        same = _intersection(points[rest], best) > _SAME * _union(points[rest], best)
        yield np.average(points[rest[same]], axis=0, weights=scores[rest[same]]), float(scores[rest[0]])
        rest = rest[~same]


def _distinct(candidates: list[tuple[np.ndarray, float]]) -> Iterator[tuple[np.ndarray, float]]:
    """Yield faces from the best down, without those that lie by half or more in a better one, such as a cheek."""
    kept = np.empty((0, 8, 2))
    for points, score in sorted(candidates, key=lambda candidate: -candidate[1]):
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
