"""Grey pictures of one size, exact to the last bit on every machine.

Every product and sum is of whole numbers, divided by powers of two, that together need fewer than the 53 bits of a
float64: no order of summation, and no arithmetic kernel, rounds anything. What is flat stays flat, an edge that is
level stays level, and a graph that does the same sums agrees.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

Kernel = Literal["box", "triangle"]

COLOURS = np.array([19595, 38470, 7471]) / 2**16
"""Shares of red, green and blue in a grey level: those of ITU-R BT.601, in sixteen bits; they add up to 1."""

_BITS = 14  # of a weight: 8 of a grey level, 16 of a colour's share and twice these make 52


@lru_cache(maxsize=64)
def resizing_weights(size: int, wanted: int, kernel: Kernel) -> np.ndarray:
    """Return the share of each pixel of a line in each pixel of the resized line, float64 (wanted, size).

    The kernels are Pillow's `BOX` and `BILINEAR`: they widen where a line shrinks. Shares are rounded to 1 / 16384 and
    add up to 1.

    Parameters
    ----------
    size, wanted : int
        Pixels of the line before and after.
    kernel : {"box", "triangle"}
        Which.

    Examples
    --------
    >>> resizing_weights(4, 2, "box").tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    >>> resizing_weights(2, 4, "triangle").tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    step = size / wanted
    width = max(step, 1.0)
    middles = (np.arange(wanted) + 0.5) * step
    away = (np.arange(size) + 0.5 - middles[:, None]) / width
    shares = np.maximum(1 - np.abs(away), 0) if kernel == "triangle" else (away > -0.5) & (away <= 0.5)
    whole = np.round(shares / shares.sum(axis=1, keepdims=True) * 2**_BITS)
    whole[np.arange(wanted), whole.argmax(axis=1)] += 2**_BITS - whole.sum(axis=1)
    whole.flags.writeable = False
    return whole / 2**_BITS


def grey_picture(picture: np.ndarray, size: int, kernel: Kernel) -> np.ndarray:
    """Return grey levels from 0 to 255, float64 (size, size), of a picture resized by two products of matrices.

    Parameters
    ----------
    picture : uint8 array, shape (height, width, 3)
        RGB.
    size : int
        Side of what is returned.
    kernel : {"box", "triangle"}
        How pixels are joined.

    Examples
    --------
    >>> grey_picture(np.full((5, 7, 3), 200, np.uint8), 3, "triangle").tolist()
    [[200.0, 200.0, 200.0], [200.0, 200.0, 200.0], [200.0, 200.0, 200.0]]
    """
    height, width = picture.shape[:2]
    return resizing_weights(height, size, kernel) @ (picture @ COLOURS) @ resizing_weights(width, size, kernel).T
