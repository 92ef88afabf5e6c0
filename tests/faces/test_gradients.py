"""Gradient features: an independent count of a known edge, and no memory of brightness."""

from __future__ import annotations

import numpy as np

from insula.faces.gradients import gradient_features


def test_a_vertical_edge_fills_one_orientation() -> None:
    picture = np.zeros((1, 96, 96, 3), np.uint8)
    picture[:, :, 48:] = 200
    blocks = gradient_features(picture).reshape(5, 5, 2, 2, 9)
    strength = blocks.sum(axis=(0, 1, 2, 3))
    assert strength.argmax() in (0, 8) and strength.max() > 0.9 * strength.sum()


def test_brightness_and_contrast_hardly_count_but_shape_does() -> None:
    rng = np.random.default_rng(0)
    shape, other = (np.kron(rng.integers(40, 160, (12, 12)), np.ones((8, 8))) for _ in range(2))
    pictures = np.stack([shape, shape * 1.2 + 20, other])[..., None].repeat(3, axis=3)
    plain, brighter, different = gradient_features(pictures.astype(np.uint8))
    assert np.linalg.norm(plain - brighter) < 0.1 * np.linalg.norm(plain - different)
