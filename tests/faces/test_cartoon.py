"""Cartoons: noise and shading go, edges stay."""

from __future__ import annotations

import numpy as np

from insula.corpora.drawn_faces import draw_faces
from insula.faces.cartoon import cartoon


def test_noise_within_a_surface_is_flattened_and_the_edge_stays() -> None:
    rng = np.random.default_rng(0)
    picture = np.full((1, 32, 32, 3), 60.0)
    picture[:, :, 16:] = 200
    noisy = (picture + 8 * rng.standard_normal(picture.shape)).clip(0, 255).astype(np.uint8)
    drawn = cartoon(noisy).astype(float)
    assert drawn.shape == noisy.shape and cartoon(noisy).dtype == np.uint8
    for side in (slice(2, 12), slice(20, 30)):
        assert drawn[:, 2:-2, side].std() < noisy[:, 2:-2, side].std() / 2
    assert drawn[:, :, 20:30].mean() - drawn[:, :, 2:12].mean() > 90
    assert drawn[0, 16, 15:17].mean() < drawn[0, 16, 2:12].mean()  # ink along the edge


def test_a_picture_is_drawn_by_itself_and_faces_change() -> None:
    faces = draw_faces(["fear", "happiness"], [1, 1], [0, 1], size=48)
    both = cartoon(faces)
    np.testing.assert_array_equal(both[1], cartoon(faces[1:])[0])
    assert (both != faces).mean() > 0.5
    assert len(np.unique(both[0].reshape(-1, 3), axis=0)) < len(np.unique(faces[0].reshape(-1, 3), axis=0))
