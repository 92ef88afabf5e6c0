"""A drawn face, so that the whole path is tested where the real photographs are absent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from insula.faces import FaceDetector


def draw(size: int = 256, skin: tuple[int, int, int] = (224, 172, 140)) -> np.ndarray:
    """Return a frontal cartoon face, uint8 (size, size, 3), drawn large and reduced."""
    unit = 4 * size / 256
    image = Image.new("RGB", (4 * size, 4 * size), (200, 205, 210))
    pen = ImageDraw.Draw(image)

    def ellipse(x: float, y: float, half_width: float, half_height: float, fill: tuple[int, ...]) -> None:
        corners = (x - half_width, y - half_height, x + half_width, y + half_height)
        pen.ellipse([(128 + corner) * unit for corner in corners], fill=fill)

    shade, gleam = tuple(int(c * 0.75) for c in skin), tuple(min(255, int(c * 1.08)) for c in skin)
    ellipse(0, -18, 64, 74, (60, 40, 30))  # hair
    ellipse(0, 108, 90, 40, (60, 70, 110))  # shoulders
    pen.rectangle([106 * unit, 178 * unit, 150 * unit, 218 * unit], fill=shade)  # neck
    ellipse(-56, 5, 9, 16, shade)
    ellipse(56, 5, 9, 16, shade)
    ellipse(0, 5, 54, 70, skin)
    ellipse(0, -2, 40, 50, gleam)
    for side in (-22, 22):
        ellipse(side, -8, 14, 9, shade)
        ellipse(side, -8, 12, 6, (245, 245, 245))
        ellipse(side, -8, 6, 6, (70, 50, 30))
        pen.rectangle([(114 + side) * unit, 101 * unit, (142 + side) * unit, 106 * unit], fill=(50, 35, 25))
    ellipse(0, 16, 8, 16, gleam)
    ellipse(0, 24, 11, 7, shade)
    ellipse(-5, 26, 3, 2, (80, 40, 30))
    ellipse(5, 26, 3, 2, (80, 40, 30))
    ellipse(0, 45, 20, 7, (170, 70, 70))
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


@pytest.fixture(scope="session")
def drawn_face() -> Callable[..., np.ndarray]:
    return draw


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    return FaceDetector()
