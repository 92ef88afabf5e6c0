from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from insula.errors import DataError, WeightsError
from insula.faces import LANDMARKS, FaceDetector, list_pictures, read_picture
from insula.faces.blazeface import BACK, FULL_RANGE, Design, cell_centres
from insula.faces.detection import _tiles

Draw = Callable[..., np.ndarray]

QUICK = FaceDetector(quick=True)
EYES = np.array([[106.0, 120.0], [150.0, 120.0]])  # where the pupils of the drawn face are at size 256


@pytest.fixture(params=["thorough", "quick"])
def either(request: pytest.FixtureRequest, detector: FaceDetector) -> FaceDetector:
    return detector if request.param == "thorough" else QUICK


def on_canvas(height: int, width: int, *placed: tuple[np.ndarray, int, int]) -> np.ndarray:
    canvas = np.full((height, width, 3), 128, dtype=np.uint8)
    for picture, top, left in placed:
        canvas[top : top + len(picture), left : left + picture.shape[1]] = picture
    return canvas


@pytest.mark.parametrize("skin", [(255, 224, 196), (224, 172, 140), (168, 112, 76), (82, 54, 40)])
def test_a_drawn_face_is_found_where_it_was_drawn(either: FaceDetector, drawn_face: Draw, skin: tuple) -> None:
    (face,) = either.detect(drawn_face(256, skin))
    np.testing.assert_allclose(face.landmarks[:2], EYES, atol=8)
    nose, mouth = face.landmarks[LANDMARKS.index("nose")], face.landmarks[LANDMARKS.index("mouth")]
    np.testing.assert_allclose(nose, (128, 150), atol=10)
    np.testing.assert_allclose(mouth, (128, 173), atol=8)
    left, top, right, bottom = face.box
    assert left < 106 and right > 150 and top < 120 and bottom > 173
    assert 0.45 <= face.score <= 1


def test_faces_come_largest_first_and_each_once(either: FaceDetector, drawn_face: Draw) -> None:
    picture = on_canvas(480, 640, (drawn_face(160), 10, 20), (drawn_face(400), 60, 220))
    faces = either.detect(picture)
    assert len(faces) == 2
    assert faces[0].size > 1.8 * faces[1].size
    assert faces[0].box[0] > 220 > faces[1].box[2]


@pytest.mark.parametrize(("height", "width"), [(900, 1600), (1600, 900), (400, 2000)])
def test_small_faces_are_found_anywhere_in_a_large_picture(
    either: FaceDetector, drawn_face: Draw, height: int, width: int
) -> None:
    size = 128  # its face is some 57 pixels: 9 of the 256 that a look at the whole would give it
    for top, left in ((0, 0), (height - size, width - size), ((height - size) // 2, (width - size) // 2)):
        (face,) = either.detect(on_canvas(height, width, (drawn_face(size), top, left)))
        np.testing.assert_allclose(face.landmarks[:2], EYES / 2 + (left, top), atol=5)


def test_one_face_of_any_size_is_found_once(either: FaceDetector, drawn_face: Draw) -> None:
    for size in (48, 96, 384, 800):
        assert len(either.detect(drawn_face(size))) == 1, size


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (1600, 3), (50, 50), (800, 800)])
def test_pictures_without_a_face_give_none(either: FaceDetector, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert either.detect(np.zeros_like(noise)) == []
    assert either.detect(noise) == []


@pytest.mark.parametrize("name", ["flower", "china"])
def test_a_flower_and_a_temple_are_no_faces(either: FaceDetector, name: str) -> None:
    (place,) = find_spec("sklearn").submodule_search_locations  # found without the seconds its import takes
    assert either.detect(read_picture(Path(place) / "datasets" / "images" / f"{name}.jpg")) == []


@pytest.mark.parametrize(
    "array",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(detector: FaceDetector, array: np.ndarray) -> None:
    with pytest.raises(DataError, match="not a uint8 RGB picture"):
        detector.detect(array)


def test_a_used_detector_travels_by_pickle_and_finds_the_same(either: FaceDetector, drawn_face: Draw) -> None:
    picture = drawn_face()
    (before,) = either.detect(picture)
    content = pickle.dumps(either)
    assert len(content) < 1000
    (after,) = pickle.loads(content).detect(picture)
    assert (before.box, before.score) == (after.box, after.score)


def test_the_networks_load_in_silence_and_only_when_a_picture_comes() -> None:
    code = (
        "import sys, numpy; from insula.faces import FaceDetector; detector = FaceDetector();"
        "assert not {'ai_edge_litert', 'torch', 'mne', 'scipy', 'pandas'} & set(sys.modules);"
        "detector.detect(numpy.zeros((64, 64, 3), numpy.uint8)); print('ai_edge_litert' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_missing_weights_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSULA_CACHE", str(tmp_path))
    monkeypatch.setattr("insula.storage.weights._carried", lambda record: None)
    with pytest.raises(WeightsError, match="blazeface-back"):
        FaceDetector().detect(np.zeros((64, 64, 3), np.uint8))


def test_a_stricter_score_keeps_fewer_faces(detector: FaceDetector, drawn_face: Draw) -> None:
    (face,) = detector.detect(drawn_face())
    assert FaceDetector(score=face.score + 0.01).detect(drawn_face()) == []


@pytest.mark.parametrize(("design", "strides", "doubled"), [(BACK, [16, 32, 32, 32], True), (FULL_RANGE, [4], False)])
@pytest.mark.parametrize("shape", [None, (160, 96)])
def test_cell_centres_follow_the_loop_of_the_reference(
    design: Design, strides: list[int], doubled: bool, shape: tuple[int, int] | None
) -> None:
    shape = shape or (design.side, design.side)
    expected: list[tuple[float, float]] = []  # mediapipe/calculators/tflite/ssd_anchors_calculator.cc, in pixels
    layer = 0
    while layer < len(strides):
        last = layer
        while last < len(strides) and strides[last] == strides[layer]:
            last += 1
        rows, columns = (side // strides[layer] for side in shape)
        for y in range(rows):
            for x in range(columns):
                for _ in range((last - layer) * (2 if doubled else 1)):
                    expected.append(((x + 0.5) * strides[layer], (y + 0.5) * strides[layer]))
        layer = last
    np.testing.assert_array_equal(cell_centres(design, shape), expected)


def test_tiles_hold_every_small_face_whole() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        width, height = rng.integers(100, 4000, 2)
        tiles = np.array(_tiles(width, height))
        side = 0.25 * (tiles[0, 2] - tiles[0, 0])
        left, top = rng.uniform(0, [max(width - side, 0.0), max(height - side, 0.0)])
        inside = (tiles[:, :2] <= (left + 1e-6, top + 1e-6)).all(axis=1)
        inside &= (tiles[:, 2:] >= (min(left + side, width) - 1e-6, min(top + side, height) - 1e-6)).all(axis=1)
        assert inside.any()
        assert len(tiles) <= 21


def test_every_london_face_is_found_once(either: FaceDetector, data: Path) -> None:
    for path in list_pictures(data / "london-faces"):
        (face,) = either.detect(read_picture(path))
        assert face.score > 0.7, path.name
        assert 110 < face.size < 175, path.name


def test_every_face_of_the_portraits_is_found(either: FaceDetector, data: Path) -> None:
    found = {path.stem: either.detect(read_picture(path)) for path in list_pictures(data / "portraits")}
    assert {name: len(faces) for name, faces in found.items()} == {
        "angry": 1,
        "group": 5,
        "neutral": 1,
        "surprised": 1,
    }
    centres = np.array([(np.array(face.box[:2]) + face.box[2:]) / 2 for face in found["group"]])
    for place in ((230, 340), (375, 95), (685, 150), (1025, 380), (1030, 0)):  # seen by eye; the last face is cut off
        assert (np.hypot(*(centres - place).T) < 40).sum() == 1, place


def test_a_turned_mirrored_or_shrunk_photograph_shows_the_same_eyes(either: FaceDetector, data: Path) -> None:
    picture = read_picture(data / "london-faces" / "001_neutral.jpg")
    (face,) = either.detect(picture)
    apart = np.hypot(*(face.landmarks[1] - face.landmarks[0]))
    (mirrored,) = either.detect(np.ascontiguousarray(picture[:, ::-1]))
    back = np.array([picture.shape[1], 0]) + mirrored.landmarks[[1, 0]] * (-1, 1)
    np.testing.assert_allclose(back, face.landmarks[:2], atol=0.1 * apart)
    half = np.asarray(Image.fromarray(picture).resize((192, 192), Image.Resampling.LANCZOS))
    (small,) = either.detect(half)
    np.testing.assert_allclose(small.landmarks[:2] * 2, face.landmarks[:2], atol=0.1 * apart)
    for degrees in (-40, 25):
        (turned,) = either.detect(np.asarray(Image.fromarray(picture).rotate(degrees, fillcolor=(200, 200, 200))))
        across = turned.landmarks[1] - turned.landmarks[0]
        assert np.degrees(np.arctan2(-across[1], across[0])) == pytest.approx(degrees, abs=6)


def test_a_quick_look_places_faces_where_a_thorough_one_does(detector: FaceDetector, data: Path) -> None:
    for path in list_pictures(data / "london-faces")[::10]:
        image = Image.fromarray(read_picture(path))
        for side in (100, 384):
            canvas = Image.new("RGB", (640, 480), (90, 110, 120))
            canvas.paste(image.resize((side, side), Image.Resampling.LANCZOS), (150, 60))
            (thorough,), (quick,) = (one.detect(np.asarray(canvas)) for one in (detector, QUICK))
            apart = np.hypot(*(thorough.landmarks[1] - thorough.landmarks[0]))
            assert np.abs(quick.landmarks[:2] - thorough.landmarks[:2]).max() < 0.12 * apart, (path.name, side)
            assert np.abs(np.subtract(quick.box, thorough.box)).max() < 0.12 * thorough.size, (path.name, side)


def test_a_quick_detector_judges_what_it_doubts(data: Path) -> None:
    (place,) = find_spec("skimage").submodule_search_locations
    assert QUICK.detect(read_picture(Path(place) / "data" / "chelsea.png")) == []  # a cat's face, from the front
    for path in list_pictures(data / "london-faces")[::40]:
        picture = read_picture(path).copy()
        (face,) = QUICK.detect(picture)
        left, top, right, bottom = (round(edge) for edge in face.box)
        picture[top:bottom, left:right] = picture[top:bottom, left:right][::-1, :, [2, 0, 1]]  # on its head, and blue
        assert all(found.score < face.score for found in QUICK.detect(picture))
