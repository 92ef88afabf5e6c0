"""Histograms of oriented gradients: picture features that need no weights (Dalal and Triggs 2005)."""

from __future__ import annotations

import numpy as np

from insula.faces.grey import grey_picture

ORIENTATIONS = 9
CLIP, SMALL = 0.2, 1e-5
"""Of the normalisation of a block: no part of it is larger than the first; the second is added to its length."""

_ANGLES = np.pi / ORIENTATIONS * np.arange(1, ORIENTATIONS)
EDGES = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
"""Unit vectors between neighbouring orientations, (2, orientations - 1): right and down."""


def gradient_features(pictures: np.ndarray, size: int = 96, cells: int = 6) -> np.ndarray:
    """Return histograms of oriented gradients of `cells` by `cells` cells, float32 (n, d).

    Blocks of two by two cells are normalised (L2-Hys). All is counted in float64 on grey levels that are exact, so that
    no gradient falls into a neighbouring orientation by rounding; `insula.networks.gradient_histograms` does the same
    sums in torch.

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
    features = [_histograms(grey_picture(picture, size, "triangle"), cells) for picture in pictures]
    return np.array(features, np.float32).reshape(len(pictures), 4 * ORIENTATIONS * (cells - 1) ** 2)


def _histograms(grey: np.ndarray, cells: int) -> np.ndarray:
    down, right = np.zeros_like(grey), np.zeros_like(grey)
    down[1:-1], right[:, 1:-1] = grey[2:] - grey[:-2], grey[:, 2:] - grey[:, :-2]
    strength = np.sqrt(down * down + right * right)
    right *= np.sign(down)  # a gradient and its opposite are alike; a level one is of the first orientation
    passed = np.abs(down) * EDGES[0, :, None, None] > right * EDGES[1, :, None, None]
    side = len(grey) // cells
    beyond = (
        np.stack([strength, *(strength * passed)]).reshape(ORIENTATIONS, cells, side, cells, side).mean(axis=(2, 4))
    )
    counts = np.append(beyond[:-1] - beyond[1:], beyond[-1:], axis=0).transpose(1, 2, 0)
    corners = [counts[:-1, :-1], counts[:-1, 1:], counts[1:, :-1], counts[1:, 1:]]
    blocks = np.stack(corners, axis=2).reshape(cells - 1, cells - 1, -1)
    return _normalised(np.minimum(_normalised(blocks), CLIP)).ravel()


def _normalised(blocks: np.ndarray) -> np.ndarray:
    return blocks / np.sqrt((blocks * blocks).sum(axis=2, keepdims=True) + SMALL**2)
