from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import laplace
from scipy.spatial.transform import Rotation

from insula.faces import FLAGS, Face, FaceDetector, align, list_pictures, quality, read_picture
from insula.faces.quality import _outside, _sharpness, _turn

Change = Callable[[Image.Image], Image.Image]

DEGRADATIONS: dict[str, Change] = {
    "small": lambda image: image.resize((image.width // 4, image.height // 4), Image.Resampling.LANCZOS),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(image.width / 128)),
    "dark": lambda image: image.point(lambda value: value * 0.2),
    "bright": lambda image: Image.blend(image, Image.new("RGB", image.size, "white"), 0.7),
    "cut": lambda image: image.crop((0, round(0.45 * image.height), image.width, image.height)),
}


def flags_of(image: Image.Image, detector: FaceDetector) -> tuple[str, ...]:
    picture = np.asarray(image)
    return quality(picture, detector.detect(picture)[0])


def test_no_good_london_face_is_flagged(detector: FaceDetector, data: Path) -> None:
    flagged = Counter(
        flags_of(Image.fromarray(read_picture(path)), detector) for path in list_pictures(data / "london-faces")[::6]
    )
    assert flagged == {(): 34}


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_degraded_london_face_is_flagged_for_that(name: str, detector: FaceDetector, data: Path) -> None:
    paths = list_pictures(data / "london-faces")[::17]
    found = [flags_of(DEGRADATIONS[name](Image.fromarray(read_picture(path))), detector) for path in paths]
    assert all(name in flags for flags in found)
    if name != "cut":  # half a face is black and smaller, which other flags may mention
        assert all(flags == (name,) for flags in found)


def covered(picture: np.ndarray, face: Face, what: str) -> Image.Image:
    """Return a picture in which something even is painted over a part of a face."""
    image = Image.fromarray(picture)
    pen, (right, left, nose, mouth, *_) = ImageDraw.Draw(image), face.landmarks
    unit = float(np.hypot(*(left - right)))
    if what == "mask":
        corners = [(-0.8, -0.1), (0, -0.25), (0.8, -0.1), (0.7, 0.8), (0, 1.4), (-0.7, 0.8)]
        pen.polygon([(nose[0] + x * unit, nose[1] + y * unit) for x, y in corners], fill=(120, 160, 190))
    elif what == "cloth":
        pen.rectangle((nose[0], left[1] - 1.2 * unit, nose[0] + 2 * unit, mouth[1] + 1.5 * unit), fill=(90, 90, 90))
    else:
        for x, y in (right, left):
            pen.ellipse((x - 0.36 * unit, y - 0.26 * unit, x + 0.36 * unit, y + 0.3 * unit), fill=(20, 20, 22))
    return image


@pytest.mark.parametrize(("what", "least"), [("mask", 12), ("cloth", 12), ("dark glasses", 10)])
def test_a_london_face_under_something_even_is_flagged_as_covered(
    what: str, least: int, detector: FaceDetector, data: Path
) -> None:
    found = []
    for path in list_pictures(data / "london-faces")[::17]:
        picture = read_picture(path)
        found.append(flags_of(covered(picture, detector.detect(picture)[0], what), detector))
    assert sum("covered" in flags for flags in found) >= least and len(found) == 12


@pytest.mark.parametrize("what", ["mask", "cloth"])
def test_a_drawn_face_under_something_even_is_flagged_as_covered(
    what: str, detector: FaceDetector, drawn_face: Callable[..., np.ndarray]
) -> None:
    picture = drawn_face(320)
    assert "covered" not in flags_of(Image.fromarray(picture), detector)
    assert "covered" in flags_of(covered(picture, detector.detect(picture)[0], what), detector)


def test_the_group_photograph_shows_turned_and_cut_faces(detector: FaceDetector, data: Path) -> None:
    picture = read_picture(data / "portraits" / "group.jpeg")
    found = {(face.box[0] // 100, face.box[1] // 100): quality(picture, face) for face in detector.detect(picture)}
    assert "turned" in found[1, 2]  # the woman on the left looks past the camera
    assert "cut" in found[9, -1]  # who stands on the right has no eyes in the picture
    assert found[6, 0] == ()  # the man leaning forward faces it


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_degraded_drawn_face_is_flagged_for_that(
    name: str, detector: FaceDetector, drawn_face: Callable[..., np.ndarray]
) -> None:
    rng = np.random.default_rng(0)
    skin_like = drawn_face(320) + rng.normal(0, 6, (320, 320, 1))  # a drawing has no texture; a photograph has
    image = Image.fromarray(np.clip(skin_like, 0, 255).astype(np.uint8))
    assert flags_of(image, detector) == ()
    assert name in flags_of(DEGRADATIONS[name](image), detector)


def head(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> Face:
    """Return a face of a head of average size (centimetres: right, down, away), turned and seen from afar."""
    points = np.array([(-3.15, 0, 0), (3.15, 0, 0), (0, 3.5, -4), (0, 6.5, -2), (-7, 1, 8), (7, 1, 8)])
    turned = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).apply(points)
    return Face((0, 0, 200, 200), 0.9, turned[:, :2] * 14 + 100)


def test_a_head_turned_to_the_side_is_flagged_and_a_nod_or_a_tilt_is_not() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    for yaw in (-60, -30, 30, 60):
        assert quality(picture, head(yaw)) == ("turned",), yaw
    for face in (head(0), head(10), head(-10), head(0, pitch=15), head(0, roll=40), head(8, 10, -30)):
        assert quality(picture, face) == ()
    assert abs(_turn(head(20).landmarks)) == pytest.approx(12 / 6.3 * np.tan(np.radians(20)), rel=0.1)


def test_an_uncertain_face_is_flagged() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    unsure = Face(head(0).box, 0.5, head(0).landmarks)
    assert quality(picture, unsure) == ("hardly-found",)
    assert set(FLAGS) == {*DEGRADATIONS, "covered", "turned", "hardly-found"}


def test_flags_are_those_of_the_coloured_crop_turned_grey(
    detector: FaceDetector, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coloured_first(picture: np.ndarray, face: Face, size: int, margin: float) -> np.ndarray:
        return np.asarray(Image.fromarray(align(picture, face, size, margin)).convert("L"))

    changes: list[Change] = [lambda image: image, *DEGRADATIONS.values()]
    pictures = [Image.fromarray(read_picture(path)) for path in list_pictures(data / "london-faces")[::68]]
    pictures.append(Image.fromarray(read_picture(data / "portraits" / "group.jpeg")))
    changed = [np.asarray(change(picture)) for picture in pictures for change in changes]
    faces = [(picture, face) for picture in changed for face in detector.detect(picture)]
    found = [quality(*one) for one in faces]
    monkeypatch.setattr(sys.modules["insula.faces.quality"], "align_grey", coloured_first)
    assert found == [quality(*one) for one in faces]


def test_sharpness_is_scipys_laplacian_and_ignores_light_and_contrast() -> None:
    grey = np.random.default_rng(0).uniform(0, 255, (40, 50))
    assert _sharpness(grey) == pytest.approx(laplace(grey)[1:-1, 1:-1].var() / grey.var())
    assert _sharpness(0.3 * grey + 20) == pytest.approx(_sharpness(grey))
    assert _sharpness(np.full((9, 9), 7.0)) == 0


def test_the_share_outside_is_an_area() -> None:
    def face(*box: float) -> Face:
        return Face(box, 0.9, np.zeros((6, 2)))  # type: ignore[arg-type]

    assert _outside(face(0, 0, 10, 10), 10, 10) == 0
    assert _outside(face(-5, 0, 5, 10), 10, 10) == pytest.approx(0.5)
    assert _outside(face(5, 5, 15, 15), 10, 10) == pytest.approx(0.75)
    assert _outside(face(20, 20, 30, 30), 10, 10) == 1
