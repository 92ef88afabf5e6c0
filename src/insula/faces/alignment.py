"""Aligned faces: turned, scaled and moved so that the eyes are level and at the same places in every crop."""

from __future__ import annotations

import numpy as np
from PIL import Image

from insula.errors import SettingsError
from insula.faces.detection import Face

_EYE_HEIGHT, _EYE_DISTANCE = 0.36, 0.42  # in a crop without margin: from above the brows to the chin
_LEAST_EYE_DISTANCE = 0.33  # of the box; frontal faces have 0.37 to 0.46, strongly turned ones less
_RIM = 4  # pixels beyond the crop that the filters see, at the crop's own scale: 3 of Lanczos's and one to spare


def align(picture: np.ndarray, face: Face, size: int, margin: float = 0.1) -> np.ndarray:
    """Return the face as a square crop with the eyes level, by a similarity transform.

    Without margin the eyes lie 36 % below the top and 42 % of the side apart, symmetric to the middle: the crop shows
    the face from above the brows to the chin. A strongly turned face is scaled by its box instead, since its eyes seem
    close together. Shrinking does not alias. What lies outside the picture is black.

    Parameters
    ----------
    picture : ndarray, uint8, (height, width, 3)
        RGB.
    face : Face
        As found in this picture.
    size : int
        Side of the crop in pixels.
    margin : float
        Added on each side, as a share of the side of the crop without margin.

    Returns
    -------
    ndarray, uint8, (size, size, 3)

    Raises
    ------
    SettingsError
        Where the size or the margin is not positive.
    """
    return np.asarray(_aligned(picture, face, size, margin, "RGB"))


def align_grey(picture: np.ndarray, face: Face, size: int, margin: float = 0.1) -> np.ndarray:
    """Return what `align` shows in grey levels, uint8 (size, size), in less time."""
    return np.asarray(_aligned(picture, face, size, margin, "L"))


def _aligned(picture: np.ndarray, face: Face, size: int, margin: float, mode: str) -> Image.Image:
    if size < 1 or margin < 0:
        raise SettingsError(
            f"no crop of size {size} with margin {margin}", do="give a size above 0 and a margin from 0"
        )
    right, left = face.landmarks[0], face.landmarks[1]
    across = left - right
    distance = float(np.hypot(*across))
    direction = across / distance if distance else np.array([1.0, 0.0])
    side = max(distance, _LEAST_EYE_DISTANCE * face.size) / _EYE_DISTANCE * (1 + 2 * margin)  # of the crop, in pixels
    eyes = np.array([0.5, (_EYE_HEIGHT + margin) / (1 + 2 * margin)])
    return turned_square(picture, (right + left) / 2, eyes, side, direction, size, mode)


def turned_square(
    picture: np.ndarray,
    middle: np.ndarray,
    place: np.ndarray,
    side: float,
    direction: np.ndarray,
    size: int,
    mode: str = "RGB",
) -> Image.Image:
    """Return a square of a picture, turned and shrunk without aliasing; black where it leaves the picture.

    Parameters
    ----------
    picture : ndarray, uint8, (height, width, 3)
        RGB.
    middle, place : ndarray, (2,)
        A point of the picture, x and y in pixels, and where it comes to in the square, in sides of it.
    side : float
        Of the square, in pixels of the picture.
    direction : ndarray, (2,)
        Of the square's upper edge in the picture, of length 1.
    size : int
        Side of what is returned, in pixels.
    mode : str
        Of the image: `RGB`, or `L` for grey.
    """
    # Only what the crop can touch becomes a picture of Pillow's, which has to copy it, and a rim for Pillow's filters.
    scale = size / side
    reach = 0.9 * side  # its furthest corner lies 0.8 sides from the eyes
    corner = np.array([picture.shape[1], picture.shape[0]])
    low, high = np.clip(np.floor(middle - reach), 0, corner), np.clip(np.ceil(middle + reach), 0, corner)
    if (high <= low).any():
        return Image.new(mode, (size, size))
    rim = np.ceil(_RIM * max(1.0, 1.0 / scale))
    start, stop = np.maximum(low - rim, 0).astype(int), np.minimum(high + rim, corner).astype(int)
    image = Image.fromarray(picture[start[1] : stop[1], start[0] : stop[0]])
    if mode != image.mode:
        image = image.convert(mode)
    middle, low, high = middle - start, low - start, high - start

    # Shrink first, with Pillow's widening filter; then turn at a scale of one.
    if scale < 1:
        shrunk = np.maximum(1, np.round((high - low) * scale)).astype(int)
        image = image.resize(tuple(shrunk), Image.Resampling.LANCZOS, box=(*low, *high), reducing_gap=2.0)
        middle = (middle - low) * shrunk / (high - low)
        scale = 1.0
    cosine, sine = direction / scale
    turn = np.array([[cosine, -sine], [sine, cosine]])  # from the crop to the picture
    offset = middle - turn @ (place * size)
    coefficients = (cosine, -sine, offset[0], sine, cosine, offset[1])
    return image.transform((size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
