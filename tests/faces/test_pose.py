"""Head pose: exact on the mean head seen from afar, coarse on other heads seen from near, level on London's faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from insula.faces import Face, FaceDetector, head_pose, list_pictures, read_picture
from insula.faces.pose import _HEAD


def seen(yaw: float, pitch: float, roll: float, head: np.ndarray = _HEAD, distance: float = 1e6) -> Face:
    """Return the landmarks of a head turned about its own axes, by a camera so many eye distances away.

    Written with plain rotation matrices, x right, y down and z away: the nose goes right, then up, then the head leans.
    """
    y, p, r = np.radians([yaw, pitch, roll])
    nod = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    shake = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = head @ (lean @ shake @ nod).T
    flat = points[:, :2] / (1 + points[:, 2:] / distance)
    return Face((60, 60, 240, 240), 0.9, 80 * flat + 150)


@pytest.mark.parametrize("pose", [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, -35), (-50, 15, 20), (25, -30, -10)])
def test_the_mean_head_from_afar_is_measured_exactly(pose: tuple[float, float, float]) -> None:
    assert head_pose(seen(*pose)) == pytest.approx(pose, abs=0.01)


def test_signs_are_those_that_a_viewer_sees() -> None:
    nose = seen(20, 0, 0).landmarks[2] - seen(0, 0, 0).landmarks[2]
    assert nose[0] > 0 and head_pose(seen(20, 0, 0)).yaw > 0
    assert (seen(0, 20, 0).landmarks[2] - seen(0, 0, 0).landmarks[2])[1] < 0 and head_pose(seen(0, 20, 0)).pitch > 0
    right, left = seen(0, 0, 20).landmarks[:2]
    assert right[1] < left[1] and head_pose(seen(0, 0, 20)).roll > 0


def test_other_heads_seen_from_near_are_off_by_a_few_degrees() -> None:
    """Heads that differ by 6 % of the eye distance in every direction, 75 cm away, landmarks off by another 3 %."""
    rng = np.random.default_rng(0)
    errors = []
    for yaw in range(-45, 46, 15):
        for pitch in (-20, 0, 20):
            for roll in (-20, 0, 20):
                face = seen(yaw, pitch, roll, _HEAD + rng.normal(0, 0.06, _HEAD.shape), 12)
                noisy = Face(face.box, face.score, face.landmarks + rng.normal(0, 0.03 * 80, (6, 2)))
                errors.append(np.subtract(head_pose(noisy), (yaw, pitch, roll)))
    assert np.sqrt(np.mean(np.square(errors), axis=0)).max() < 6


def test_the_pose_is_that_of_the_best_fit_over_rotation_vectors() -> None:
    rng = np.random.default_rng(0)
    head = _HEAD - _HEAD.mean(axis=0)
    for _ in range(8):
        face = seen(*rng.uniform(-50, 50, 3), _HEAD + rng.normal(0, 0.06, _HEAD.shape), 12)
        points = (face.landmarks - face.landmarks.mean(axis=0)) / face.size

        def missed(values: np.ndarray, points: np.ndarray = points) -> np.ndarray:
            return np.asarray(values[3] * Rotation.from_rotvec(values[:3]).apply(head)[:, :2] - points).ravel()

        starts = [(*start, 0.4) for start in rng.uniform(-1, 1, (4, 3))]
        best = min((least_squares(missed, start, xtol=1e-12, ftol=1e-12) for start in starts), key=lambda fit: fit.cost)
        roll, yaw, pitch = Rotation.from_rotvec(best.x[:3]).as_euler("ZYX", degrees=True)
        assert head_pose(face) == pytest.approx((-yaw, -pitch, roll), abs=0.01)


def test_scale_and_place_do_not_matter_and_no_landmarks_are_no_turn() -> None:
    face = seen(25, -10, 5)
    other = Face((0, 0, 18, 18), 0.9, face.landmarks / 10 - 40)
    assert head_pose(other) == pytest.approx(head_pose(face), abs=1e-3)
    assert head_pose(Face((0, 0, 10, 10), 0.5, np.zeros((6, 2)))) == (0, 0, 0)


def test_a_turned_picture_is_a_leaning_head() -> None:
    face = seen(10, 5, 0)
    turn = Rotation.from_euler("z", 30, degrees=True).as_matrix()[:2, :2]
    leaning = Face(face.box, face.score, (face.landmarks - 150) @ turn.T + 150)
    assert head_pose(leaning).roll == pytest.approx(head_pose(face).roll + 30, abs=0.1)


def test_london_faces_look_into_the_camera(detector: FaceDetector, data: Path) -> None:
    pictures = map(read_picture, list_pictures(data / "london-faces")[::6])
    poses = np.array([head_pose(detector.detect(picture)[0]) for picture in pictures])
    assert (np.abs(poses.mean(axis=0)) < 2).all() and (poses.std(axis=0) < 4).all()


def test_the_group_photograph_shows_who_looks_where(detector: FaceDetector, data: Path) -> None:
    picture = read_picture(data / "portraits" / "group.jpeg")
    found = {int(face.box[0] // 100): head_pose(face) for face in detector.detect(picture) if face.box[1] > 0}
    assert found[1].yaw > 15  # the woman on the left looks to the right
    assert found[6].pitch < -15  # the man who leans forward looks down
    assert found[9].yaw < -15  # the man with glasses looks to the left
