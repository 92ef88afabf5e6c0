from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from insula.errors import DataError
from insula.faces import (
    FaceDetector,
    align,
    crop_faces,
    crop_photograph,
    crops,
    cut_faces,
    list_pictures,
    quality,
    read_picture,
)


@pytest.fixture
def pictures(tmp_path: Path, drawn_face: Callable[..., np.ndarray]) -> dict[str, Path]:
    two = np.full((300, 480, 3), 128, dtype=np.uint8)
    two[:256, :256] = drawn_face(256)
    two[:160, 300:460] = drawn_face(160, (82, 54, 40))
    images = {"two": two, "none": np.full((200, 200, 3), 90, np.uint8), "grey": drawn_face(200)[..., 0]}
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    return {name: tmp_path / f"{name}.png" for name in images}


def test_the_largest_face_or_all_of_them(detector: FaceDetector, pictures: dict[str, Path]) -> None:
    paths = [pictures[name] for name in ("two", "none", "grey")]
    largest = crop_faces(paths, 96, detector)
    assert [len(found) for found in largest] == [1, 0, 1]
    everyone = crop_faces(paths, 96, detector, which="all")
    assert [len(found) for found in everyone] == [2, 0, 1]
    first, second = everyone[0]
    assert first.face.size > second.face.size
    np.testing.assert_array_equal(first.pixels, largest[0][0].pixels)


def test_a_crop_is_the_aligned_face_with_its_flags(detector: FaceDetector, pictures: dict[str, Path]) -> None:
    picture = read_picture(pictures["grey"])
    ((crop,),) = crop_faces([pictures["grey"]], 64, detector)
    (face,) = detector.detect(picture)
    assert crop.pixels.shape == (64, 64, 3) and crop.pixels.dtype == np.uint8
    np.testing.assert_array_equal(crop.pixels, align(picture, face, 64))
    assert crop.flags == quality(picture, face)


def test_a_required_face_that_is_missing_is_named(detector: FaceDetector, pictures: dict[str, Path]) -> None:
    with pytest.raises(DataError, match=r"no face was found .*none\.png"):
        crop_faces([pictures["grey"], pictures["none"]], 64, detector, require=True)
    with pytest.raises(DataError, match=r"absent\.png"):
        crop_faces([pictures["none"].with_name("absent.png")], 64, detector)


def test_photographs_give_their_faces(detector: FaceDetector, data: Path) -> None:
    found = crop_faces(list_pictures(data / "portraits"), 112, detector, which="all", require=True)
    assert [len(faces) for faces in found] == [1, 5, 1, 1]
    assert all(crop.pixels.std() > 20 for faces in found for crop in faces)


def photograph(path: Path, faces: dict[int, np.ndarray]) -> Path:
    """Write a JPEG of 2400 x 1600 with a face at each of some places from the left."""
    picture = np.full((1600, 2400, 3), 128, np.uint8)
    for left, face in faces.items():
        picture[100 : 100 + len(face), left : left + face.shape[1]] = face
    Image.fromarray(picture).save(path, quality=95)
    return path


@pytest.mark.parametrize("sizes", [(1400,), (1200, 700), (1300, 200)])
def test_a_large_photograph_gives_the_crops_of_the_whole_one(
    sizes: tuple[int, ...], tmp_path: Path, detector: FaceDetector, drawn_face: Callable[..., np.ndarray]
) -> None:
    places = dict(zip((50, 1500), map(drawn_face, sizes), strict=False))
    path = photograph(tmp_path / "a.jpg", places)
    picture = read_picture(path)
    expected = cut_faces(picture, detector.detect(picture), 96)
    found = crop_photograph(path, 96, detector)
    assert len(found) == len(expected) == len(sizes)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(np.subtract(one.face.box, other.face.box)).max() < 0.06 * other.face.size
        assert one.face.score == pytest.approx(other.face.score, abs=0.1)
        assert np.corrcoef(one.pixels.ravel(), other.pixels.ravel())[0, 1] > 0.95
        assert one.flags == other.flags


def test_a_photograph_is_decoded_again_only_for_a_face_that_needs_its_pixels(
    tmp_path: Path,
    detector: FaceDetector,
    drawn_face: Callable[..., np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, divisors = crops.read_reduced, []

    def noting(path: Path, side: float) -> tuple[np.ndarray, int]:
        picture, divisor = read(path, side)
        divisors.append(divisor)
        return picture, divisor

    monkeypatch.setattr(crops, "read_reduced", noting)
    large, small = ({50: drawn_face(side)} for side in (1400, 300))
    for faces, size, expected in ((large, 96, [2]), (large, 400, [2, 1]), (small, 96, [2, 1]), ({}, 96, [2])):
        divisors.clear()
        crop_photograph(photograph(tmp_path / "a.jpg", faces), size, detector)
        assert divisors == expected


def test_a_small_picture_gives_the_very_crops_of_the_whole_one(
    detector: FaceDetector, pictures: dict[str, Path]
) -> None:
    for path in pictures.values():
        picture = read_picture(path)
        expected = cut_faces(picture, detector.detect(picture), 64, "box")
        found = crop_photograph(path, 64, detector, "box")
        assert [crop.flags for crop in found] == [crop.flags for crop in expected]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)
