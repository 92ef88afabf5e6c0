"""Where a picture is light and where dark: coarse features that need no weights."""

from __future__ import annotations

import numpy as np

from insula.faces.grey import grey_picture

FLAT = 4.0  # grey levels; keeps the noise of an even picture from looking like contrast


def shading_features(pictures: np.ndarray, cells: int = 16) -> np.ndarray:
    """Return the grey levels of `cells` by `cells` cells without mean and contrast, float32 (n, cells * cells).

    Histograms of gradients are the same for a picture and its negative; these are not.

    Parameters
    ----------
    pictures : uint8 array, shape (n, height, width, 3)
        RGB.
    cells : int
        Cells along a side.

    Examples
    --------
    >>> black_over_white = np.repeat([0, 255], 8)[None, :, None, None] * np.ones((1, 16, 16, 3))
    >>> shading_features(black_over_white.astype(np.uint8), cells=2).round(1).tolist()
    [[-1.0, -1.0, 1.0, 1.0]]
    """
    levels = np.array([grey_picture(picture, cells, "box").ravel() for picture in pictures])
    levels = levels.reshape(len(pictures), cells * cells)
    levels -= levels.mean(axis=1, keepdims=True)
    return (levels / (levels.std(axis=1, keepdims=True) + FLAT)).astype(np.float32)
