"""Pictures that are a face already: what a face detector cut out once, as in FER2013, and no photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from insula.errors import DataError
from insula.faces.detection import Face, FaceDetector
from insula.faces.pictures import read_picture

FILLS = 0.65
"""Share of a picture's longer side from which a face fills it: of FER2013's most fill 0.8 and more, portraits half."""

SMALL = 128
"""Pixels up to which a square picture without a face that is found is taken for one: in FER2013 every third."""

_LOOKED_AT = 64  # pictures of a folder


def is_tight(shape: tuple[int, ...], faces: Sequence[Face]) -> bool:
    """Return whether a picture is one face and little more.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the picture, in pixels.
    faces : sequence of Face
        Those that were found in it, largest first.

    Examples
    --------
    >>> is_tight((48, 48), []), is_tight((480, 640), [])
    (True, False)
    """
    height, width = shape[:2]
    return faces[0].size >= FILLS * max(height, width) if faces else height == width <= SMALL


@dataclass(frozen=True)
class Look:
    """What a look at some pictures of a folder showed.

    Parameters
    ----------
    looked_at, tight : int
        Pictures that were looked at, and those that are one face and little more.
    side : int or None
        Pixels along an edge, where all are square and of one size.
    """

    looked_at: int
    tight: int
    side: int | None

    @property
    def cropped(self) -> bool:
        """Whether the pictures are faces already, most of them."""
        return 2 * self.tight > self.looked_at

    def __str__(self) -> str:
        of = f"{self.tight} of {self.looked_at} that were looked at are faces already"
        if self.cropped:
            return f"pictures are taken whole: {of} (corpus.faces=detect finds faces in them)"
        return f"faces are found and cut out of the pictures: {of} (corpus.faces=cropped takes all of them whole)"


def look(paths: Sequence[Path]) -> Look:
    """Look at some pictures, spread evenly, and say whether they are faces already; the same ones each time.

    Parameters
    ----------
    paths : sequence of Path
        Picture files; those that cannot be read say nothing.
    """
    detector = FaceDetector(quick=True)
    count = min(_LOOKED_AT, len(paths))
    shapes, tight = [], 0
    for place in range(count):
        try:
            picture = read_picture(paths[place * len(paths) // count])
        except DataError:
            continue
        shapes.append(picture.shape[:2])
        tight += is_tight(picture.shape, detector.detect(picture))
    square = len(set(shapes)) == 1 and shapes[0][0] == shapes[0][1]
    return Look(len(shapes), tight, shapes[0][0] if square else None)
