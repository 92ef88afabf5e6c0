"""Faces framed by their box, as pictures of face corpora are that were cut out by a detector."""

from __future__ import annotations

import numpy as np
from PIL import Image

from insula.errors import SettingsError
from insula.faces.alignment import turned_square
from insula.faces.detection import Face

# The square that FER2013's pictures are, whom nobody asked the detector about: medians over those of 400 training
# pictures in which it finds the face (293; the side's quartiles are 1.03 and 1.14, the shift's 0.01 and 0.05).
SIDE = 1.08  # of the square, in longer sides of the box
SHIFT = 0.03  # of its middle from the box's, down the face, in longer sides of the box
_LEVEL = 5.0  # degrees; below, eyes count as level, since the detector places them no better than to a few degrees
_NARROWEST = 0.8  # of the box of a face that is tilted, over its box upright
_REACH = 0.6, 1.0  # sides around its middle that are read, level and turned: corners lie 0.71 away, filters see further


def frame_by_box(picture: np.ndarray, face: Face, size: int) -> np.ndarray:
    """Return the face as a square crop around its box, turned to level eyes where they are tilted by over 5 degrees.

    Shrinking does not alias. What lies outside the picture repeats its edge. The detector draws smaller boxes around
    tilted faces (London faces: 0.92 of the side at 20 degrees, 0.86 at 30, 0.81 at 40), which is made up for by the
    cosine of the tilt, down to 0.8.

    Parameters
    ----------
    picture, face, size
        As `insula.faces.align` takes them.

    Returns
    -------
    ndarray, uint8, (size, size, 3)

    Raises
    ------
    SettingsError
        Where the size is not positive.
    """
    if size < 1:
        raise SettingsError(f"no crop of size {size}", do="give a size above 0")
    across = face.landmarks[1] - face.landmarks[0]
    distance = float(np.hypot(*across))
    direction = across / distance if distance else np.array([1.0, 0.0])
    level = abs(np.degrees(np.arctan2(direction[1], direction[0]))) <= _LEVEL
    if level:
        direction = np.array([1.0, 0.0])
    length = face.size / max(direction[0], _NARROWEST)
    side, down = SIDE * length, np.array([-direction[1], direction[0]])
    middle = np.reshape(face.box, (2, 2)).mean(axis=0) + SHIFT * length * down
    around, corner = _around(picture, middle, _REACH[not level] * side)
    middle = middle - corner
    if not level:
        return np.asarray(turned_square(around, middle, np.array([0.5, 0.5]), side, direction, size))
    image, edges = Image.fromarray(around), (*(middle - side / 2), *(middle + side / 2))
    way = Image.Resampling.LANCZOS if size < side else Image.Resampling.BICUBIC
    return np.asarray(image.resize((size, size), way, box=edges, reducing_gap=2.0))


def _around(picture: np.ndarray, middle: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what lies around a point of a picture, its edge repeated, and the place of its left upper corner."""
    (x, y), (x_end, y_end) = np.floor(middle - reach).astype(int), np.ceil(middle + reach).astype(int)
    height, width = picture.shape[:2]
    if x >= 0 and y >= 0 and x_end <= width and y_end <= height:
        return picture[y:y_end, x:x_end], np.array([x, y])
    rows, columns = np.clip(np.arange(y, y_end), 0, height - 1), np.clip(np.arange(x, x_end), 0, width - 1)
    return picture[np.ix_(rows, columns)], np.array([x, y])
