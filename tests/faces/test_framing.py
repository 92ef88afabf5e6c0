from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from insula.errors import SettingsError
from insula.faces import Face, FaceDetector, cut_faces, frame_by_box, framing, list_pictures, read_picture


@pytest.fixture
def the_box_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the square be the box, so that what it should hold is plain."""
    monkeypatch.setattr(framing, "SIDE", 1.0)
    monkeypatch.setattr(framing, "SHIFT", 0.0)


def boxed(left: float, top: float, side: float, degrees: float = 0.0) -> Face:
    """Return a face in a square box, with level eyes turned about its middle."""
    angle, middle = np.radians(degrees), np.array([left, top]) + side / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.array([(-0.2, -0.15), (0.2, -0.15), (0, 0.05), (0, 0.25), (-0.4, 0), (0.4, 0)]) * side
    return Face((left, top, left + side, top + side), 0.9, points @ turn.T + middle)


@pytest.mark.usefixtures("the_box_itself")
@pytest.mark.parametrize("degrees", [0, 4, -4])
def test_eyes_that_are_nearly_level_give_the_box_itself(degrees: float) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    np.testing.assert_array_equal(frame_by_box(picture, boxed(30, 20, 48, degrees), 48), picture[20:68, 30:78])


@pytest.mark.usefixtures("the_box_itself")
@pytest.mark.parametrize("degrees", [-40, 20, 90, 170])
@pytest.mark.parametrize("size", [24, 100, 200])
def test_tilted_eyes_come_to_lie_level_around_the_middle_of_the_box(degrees: float, size: int) -> None:
    face = boxed(150, 120, 100, degrees)
    y, x = np.mgrid[:400, :420] + 0.5
    spots = [255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 72) for px, py in face.landmarks[:3]]
    crop = frame_by_box(np.round(np.stack(spots, axis=2)).astype(np.uint8), face, size).astype(float)
    rows, columns = np.mgrid[:size, :size] + 0.5
    for channel, place in enumerate([(0.3, 0.35), (0.7, 0.35), (0.5, 0.55)]):
        weights = crop[..., channel] / crop[..., channel].sum()
        centre = np.array([(columns * weights).sum(), (rows * weights).sum()]) / size
        smaller = max(np.cos(np.radians(degrees)), 0.8)  # boxes of tilted faces are; the square makes up for it
        np.testing.assert_allclose(centre, 0.5 + (np.array(place) - 0.5) * smaller, atol=0.02)


@pytest.mark.usefixtures("the_box_itself")
@pytest.mark.parametrize("degrees", [0, 30])
def test_what_lies_outside_repeats_the_edge(degrees: float) -> None:
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[:] = np.linspace(40, 200, 60).astype(np.uint8)[:, None, None]  # rows are even, so their repetition is
    crop = frame_by_box(picture, boxed(-30, 5, 50), 50)
    np.testing.assert_array_equal(crop, picture[5:55, :50])
    far = frame_by_box(picture, boxed(500, 900, 50, degrees), 32)
    assert (far == picture[-1, -1]).all()
    over = frame_by_box(picture, boxed(-10, -5, 90, degrees), 64)
    assert over.min() >= 39 and over.max() <= 201


@pytest.mark.parametrize("degrees", [0, 30])
def test_shrinking_does_not_alias(degrees: float) -> None:
    y, x = np.mgrid[:900, :900]
    board = np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    for place in (150, -100):
        assert np.abs(frame_by_box(board, boxed(place, place, 600, degrees), 48)[8:-8, 8:-8] - 127.5).max() < 12


def test_side_and_shift_move_the_square(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    monkeypatch.setattr(framing, "SIDE", 1.5)
    monkeypatch.setattr(framing, "SHIFT", 0.1)
    np.testing.assert_array_equal(frame_by_box(picture, boxed(60, 60, 40), 60), picture[54:114, 50:110])


def test_crops_are_framed_as_asked(detector: FaceDetector, drawn_face: Callable[..., np.ndarray]) -> None:
    picture = drawn_face(200)
    faces = detector.detect(picture)
    (crop,), (eyes,) = cut_faces(picture, faces, 64, "box"), cut_faces(picture, faces, 64)
    np.testing.assert_array_equal(crop.pixels, frame_by_box(picture, faces[0], 64))
    assert (crop.face, crop.flags) == (eyes.face, eyes.flags)
    assert not np.array_equal(crop.pixels, eyes.pixels)
    with pytest.raises(SettingsError, match="unknown framing 'mouth'"):
        cut_faces(picture, faces, 64, "mouth")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="no crop of size 0"):
        cut_faces(picture, faces, 0, "box")


def test_a_turned_photograph_gives_a_crop_like_that_of_the_upright_one(detector: FaceDetector, data: Path) -> None:
    for path in list_pictures(data / "london-faces")[::40]:
        picture = read_picture(path)
        image = Image.fromarray(picture).rotate(20, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
        turned = np.asarray(image)
        (upright,), (tilted,) = detector.detect(picture), detector.detect(turned)
        likeness = [
            np.corrcoef(frame_by_box(picture, upright, 48).ravel(), np.ravel(crop))[0, 1]
            for crop in (frame_by_box(turned, tilted, 48), image.crop(tilted.box).resize((48, 48)))
        ]
        assert likeness[0] > likeness[1] + 0.1, path.name
