from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from insula.faces import Face, FaceDetector, FaceFollower

Draw = Callable[..., np.ndarray]


class Counting(FaceDetector):
    """A quick detector that notes when it looks at a whole picture."""

    looks = 0

    def detect(self, picture: np.ndarray) -> list[Face]:
        self.looks += 1
        return super().detect(picture)


def frame(*placed: tuple[np.ndarray, float, float]) -> np.ndarray:
    picture = np.full((480, 640, 3), 128, np.uint8)
    for face, left, top in placed:
        picture[int(top) : int(top) + len(face), int(left) : int(left) + face.shape[1]] = face
    return picture


def eyes(face: Face) -> np.ndarray:
    return face.landmarks[:2].mean(axis=0)


def test_moving_faces_are_followed_with_few_looks_at_the_whole(drawn_face: Draw) -> None:
    detector, plain = Counting(quick=True), FaceDetector(quick=True)
    follower, large, small = FaceFollower(detector), drawn_face(280), drawn_face(140)
    for number in range(30):
        picture = frame((large, 20 + 3 * number, 100), (small, 480 - 4 * number, 30 + 5 * number))
        faces, expected = follower.update(number / 30, picture), plain.detect(picture)
        assert len(faces) == len(expected) == 2
        for face, other in zip(faces, expected, strict=True):
            apart = np.hypot(*(other.landmarks[1] - other.landmarks[0]))
            assert np.hypot(*(eyes(face) - eyes(other))) < 0.15 * apart, number
            assert face.size == pytest.approx(other.size, rel=0.15)
    assert detector.looks == 5


def test_who_comes_is_seen_at_the_next_look_and_who_goes_is_gone(drawn_face: Draw) -> None:
    follower, one, other = FaceFollower(FaceDetector(quick=True)), drawn_face(280), drawn_face(200)
    alone, both = frame((one, 20, 100)), frame((one, 20, 100), (other, 400, 100))
    shown = [(0.0, alone), (0.1, both), (0.2, both), (0.25, alone), (0.3, frame())]
    assert [len(follower.update(*each)) for each in shown] == [1, 1, 2, 1, 0]


def test_a_jump_is_not_followed_but_found(drawn_face: Draw) -> None:
    follower, face = FaceFollower(FaceDetector(quick=True)), drawn_face(200)
    for time, left in ((0.0, 20), (0.03, 400), (0.06, 100)):
        (found,) = follower.update(time, frame((face, left, 200)))
        assert eyes(found)[0] == pytest.approx(left + 100, abs=10)


def test_frames_further_apart_are_all_looked_at(drawn_face: Draw) -> None:
    detector = Counting(quick=True)
    follower = FaceFollower(detector)
    for number in range(3):
        follower.update(number / 5, frame((drawn_face(200), 100, 100)))
    assert detector.looks == 3
