"""Histograms of oriented gradients: picture features that need no weights (Dalal and Triggs 2005)."""

from __future__ import annotations

import numpy as np


def gradient_features(pictures: np.ndarray, size: int = 96, cells: int = 6) -> np.ndarray:
    """Return histograms of oriented gradients of `cells` by `cells` cells, float32 (n, d).

    Parameters
    ----------
    pictures : uint8 array, shape (n, height, width, 3)
        RGB.
    size : int
        Side to which pictures are resized first; a multiple of `cells`.
    cells : int
        Cells along a side.

    Examples
    --------
    >>> gradient_features(np.zeros((2, 48, 48, 3), np.uint8)).shape
    (2, 900)
    """
    from PIL import Image
    from skimage.feature import hog

    side = size // cells
    found = []
    for picture in pictures:
        grey = Image.fromarray(picture).convert("L").resize((size, size), Image.Resampling.BILINEAR)
        found.append(
            hog(np.asarray(grey, np.float32), orientations=9, pixels_per_cell=(side, side), cells_per_block=(2, 2))
        )
    return np.asarray(found, np.float32)
