from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import affine_transform, center_of_mass, gaussian_filter

from insula.errors import SettingsError
from insula.faces import Face, FaceDetector, align, list_pictures, read_picture
from insula.faces.alignment import align_grey


def face_with_eyes(right: tuple[float, float], left: tuple[float, float]) -> Face:
    """Return a frontal face whose other points stand where its eyes put them."""
    eyes = np.array([right, left])
    across = eyes[1] - eyes[0]
    down = np.array([-across[1], across[0]])
    middle = eyes.mean(axis=0)
    rest = [middle + 0.6 * down, middle + 1.1 * down, eyes[0] - 0.5 * across, eyes[1] + 0.5 * across]
    reach = 1.2 * np.hypot(*across)
    centre = middle + 0.4 * down
    return Face((*(centre - reach), *(centre + reach)), 0.9, np.concatenate([eyes, rest]))


def expected_eyes(size: int, margin: float) -> np.ndarray:
    """Return right and left eye in the crop, from the docstring: 36 % down, 42 % apart, margin on each side."""
    return (np.array([[0.29, 0.36], [0.71, 0.36]]) + margin) / (1 + 2 * margin) * size


@pytest.mark.parametrize("degrees", [0, 35, -120, 180])
@pytest.mark.parametrize(("distance", "size"), [(30, 200), (90, 224), (200, 112), (160, 48)])
def test_eyes_come_to_their_places(degrees: int, distance: int, size: int) -> None:
    direction = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    middle = np.array([310.0, 290.0])
    right, left = middle - direction * distance / 2, middle + direction * distance / 2
    picture = np.zeros((600, 640, 3))
    for channel, (x, y) in enumerate((right, left)):
        picture[round(y - 0.5), round(x - 0.5), channel] = 1  # a pixel's centre lies half a pixel in
        picture[..., channel] = gaussian_filter(picture[..., channel], distance / 16)
    picture = (picture / picture.max() * 255).astype(np.uint8)
    crop = align(picture, face_with_eyes(tuple(right), tuple(left)), size, margin=0.2)
    assert crop.shape == (size, size, 3) and crop.dtype == np.uint8
    for channel, place in enumerate(expected_eyes(size, 0.2)):
        y, x = center_of_mass(crop[..., channel].astype(float))
        np.testing.assert_allclose((x + 0.5, y + 0.5), place, atol=0.02 * size)


def test_enlarging_agrees_with_an_independent_warp() -> None:
    picture = gaussian_filter(np.random.default_rng(0).uniform(0, 255, (120, 120, 3)), (3, 3, 0))
    picture = ((picture - picture.min()) / np.ptp(picture) * 255).astype(np.uint8)
    face = face_with_eyes((50.0, 52.0), (72.0, 60.0))
    size, margin = 128, 0.1
    source, target = face.landmarks[:2], expected_eyes(size, margin)
    turn = complex(*(source[1] - source[0])) / complex(*(target[1] - target[0]))  # a similarity is a complex factor
    matrix = np.array([[turn.real, turn.imag], [-turn.imag, turn.real]])  # row, column
    offset = source.mean(axis=0)[::-1] - matrix @ target.mean(axis=0)[::-1] + (matrix @ [0.5, 0.5] - 0.5)
    expected = np.stack(
        [affine_transform(picture[..., c].astype(float), matrix, offset, (size, size)) for c in range(3)], 2
    )
    difference = np.abs(align(picture, face, size, margin).astype(float) - expected)[8:-8, 8:-8]
    assert difference.mean() < 1.5


def test_shrinking_does_not_alias() -> None:
    y, x = np.mgrid[:800, :800]
    board = np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    crop = align(board, face_with_eyes((300, 350), (500, 352)), 64)
    assert np.abs(crop.astype(float) - 127.5).max() < 12


def test_what_lies_outside_is_black_and_a_face_outside_is_all_black() -> None:
    white = np.full((200, 200, 3), 255, dtype=np.uint8)
    crop = align(white, face_with_eyes((10, 10), (60, 10)), 100)
    assert (crop[:20] == 0).all() and (crop[70:80, 60:] == 255).all()
    assert (align(white, face_with_eyes((900, 900), (990, 900)), 32) == 0).all()


def test_eyes_seen_from_the_side_do_not_enlarge_without_end() -> None:
    white = np.full((200, 200, 3), 255, dtype=np.uint8)
    landmarks = np.repeat([[100.0, 80.0]], 6, axis=0)
    crop = align(white, Face((50, 40, 150, 140), 0.9, landmarks), 64)
    assert crop.shape == (64, 64, 3) and (crop == 255).all()


def test_a_size_of_nothing_is_refused() -> None:
    face = face_with_eyes((10, 10), (60, 10))
    for size, margin in ((0, 0.1), (64, -0.1)):
        with pytest.raises(SettingsError, match="no crop of size"):
            align(np.zeros((9, 9, 3), np.uint8), face, size, margin)


def test_london_faces_are_level_and_in_place_after_alignment(detector: FaceDetector, data: Path) -> None:
    size, margin = 256, 0.5
    found = []
    for path in list_pictures(data / "london-faces")[::12]:
        picture = read_picture(path)
        crop = align(picture, detector.detect(picture)[0], size, margin)
        found.append(detector.detect(crop)[0].landmarks[:2])
    off = np.array(found) - expected_eyes(size, margin)
    assert np.abs(off.mean(axis=0)).max() < 3
    assert np.abs(off).max() < 10  # of an eye distance of 54


def from_the_whole_picture(picture: np.ndarray, face: Face, size: int, margin: float) -> np.ndarray:
    """Return the crop as Pillow makes it where it is given all of the picture."""
    right, left = face.landmarks[:2]
    distance = np.hypot(*(left - right))
    cosine, sine = (left - right) / distance
    side = max(distance, 0.33 * face.size) / 0.42 * (1 + 2 * margin)
    eyes, middle, scale = expected_eyes(size, margin).mean(axis=0), (right + left) / 2, size / side
    image = Image.fromarray(picture)
    if scale < 1:
        low = np.clip(np.floor(middle - 0.9 * side), 0, image.size)
        high = np.clip(np.ceil(middle + 0.9 * side), 0, image.size)
        shrunk = np.maximum(1, np.round((high - low) * scale)).astype(int)
        image = image.resize(tuple(shrunk), Image.Resampling.LANCZOS, box=(*low, *high), reducing_gap=2.0)
        middle, scale = (middle - low) * shrunk / (high - low), 1.0
    turn = np.array([[cosine, -sine], [sine, cosine]]) / scale
    offset = middle - turn @ eyes
    coefficients = (*turn[0], offset[0], *turn[1], offset[1])
    return np.asarray(image.transform((size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC))


SIZES = ((224, 0.1), (112, 0.0), (48, 0.3), (16, 0.1))


@pytest.mark.parametrize("distance", [6, 40, 150, 520])
def test_reading_only_what_the_crop_touches_changes_no_pixel(distance: int) -> None:
    picture = np.random.default_rng(distance).integers(0, 256, (500, 700, 3), dtype=np.uint8)
    for right in ((60.3, 90.8), (340.0, 250.2), (640.9, 480.1)):
        face = face_with_eyes(right, (right[0] + distance, right[1] + 0.2 * distance))
        for size, margin in SIZES:
            crop, expected = align(picture, face, size, margin), from_the_whole_picture(picture, face, size, margin)
            off = np.abs(crop.astype(int) - expected)
            # a crop that is moved by whole pixels rounds its places elsewhere in the last digit of a double
            assert off.max() <= 1 and (off > 0).mean() < 1e-3, (right, size)


def test_crops_of_photographs_are_those_of_the_whole_picture(detector: FaceDetector, data: Path) -> None:
    for path in [*list_pictures(data / "portraits"), *list_pictures(data / "london-faces")[::40]]:
        picture = read_picture(path)
        for face in detector.detect(picture):
            for size, margin in SIZES:
                crop = align(picture, face, size, margin)
                np.testing.assert_array_equal(crop, from_the_whole_picture(picture, face, size, margin))


def test_grey_crops_are_the_coloured_ones_in_grey(detector: FaceDetector, data: Path) -> None:
    for path in list_pictures(data / "portraits"):
        picture = read_picture(path)
        for face in detector.detect(picture):
            coloured = np.asarray(Image.fromarray(align(picture, face, 112, 0.0)).convert("L"), dtype=float)
            off = np.abs(align_grey(picture, face, 112, 0.0) - coloured)
            assert off.mean() < 0.5 and (off > 2).mean() < 0.01  # colours that overshoot are clipped one by one
