"""Which way a head is turned: roughly, from the six points that the detector gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from insula.faces.detection import Face

# A head seen from the front, in distances between its eyes: right, down, and away from the camera; in the order of
# `LANDMARKS`. Right and down are means over the London faces, made symmetric. Front views do not tell depths: these are
# of a head whose nose is 12 cm, mouth 10 cm and eyes 8 cm in front of its ears, and whose eyes are 6.3 cm apart.
_HEAD = np.array(
    [
        (-0.50, 0.00, 0.00),
        (0.50, 0.00, 0.00),
        (0.00, 0.51, -0.63),
        (0.00, 1.01, -0.32),
        (-1.04, 0.31, 1.27),
        (1.04, 0.31, 1.27),
    ]
)


class HeadPose(NamedTuple):
    """How a head is turned, in degrees; 0, 0, 0 looks into the camera.

    Parameters
    ----------
    yaw : float
        Above 0 where the nose points to the right of the picture.
    pitch : float
        Above 0 where it points up.
    roll : float
        Above 0 where the head leans to the right of the picture.
    """

    yaw: float
    pitch: float
    roll: float


def head_pose(face: Face) -> HeadPose:
    """Return which way a head is turned, from where its landmarks lie.

    The mean head that fits the landmarks best, turned, scaled, moved and seen from afar (the method of DeMenthon and
    Davis 1995 without its correction for perspective, then least squares).

    Notes
    -----
    Coarse. Heads differ from the mean head, ears under hair are guessed by the detector, and where they lie decides
    over the pitch. On the London faces, all of whom look into the camera, one standard deviation is 2 degrees of yaw,
    3 of pitch and 2 of roll, the people's own differences included. On projections of made-up heads that differ as much
    as these, it is within 5 degrees up to a yaw of 60; how well the detector places points on a real face turned so far
    was not measured.

    References
    ----------
    DeMenthon and Davis (1995), Model-based object pose in 25 lines of code, International Journal of Computer Vision.
    """
    from scipy.optimize import least_squares
    from scipy.spatial.transform import Rotation

    head = _HEAD - _HEAD.mean(axis=0)
    points = (face.landmarks - face.landmarks.mean(axis=0)) / max(face.size, 1e-9)
    if not points.any():  # landmarks that are all one point tell nothing
        return HeadPose(0.0, 0.0, 0.0)
    rows = np.linalg.lstsq(head, points, rcond=None)[0].T  # of the turned head, scaled: right and down
    left, scales, right = np.linalg.svd(rows, full_matrices=False)
    right_and_down = left @ right  # the nearest two of unit length and square to each other
    turned = Rotation.from_matrix(np.vstack([right_and_down, np.cross(*right_and_down)]))

    def missed(values: np.ndarray) -> np.ndarray:
        return np.asarray(head @ _turning_and_scaling(*values) - points).ravel()

    found = least_squares(missed, turned.as_quat() * np.sqrt(scales.mean()), method="lm").x
    roll, yaw, pitch = Rotation.from_quat(found).as_euler("ZYX", degrees=True)
    return HeadPose(float(-yaw), float(-pitch), float(roll))


def _turning_and_scaling(x: float, y: float, z: float, w: float) -> np.ndarray:
    """Return the matrix (3, 2) that takes points to the right and down; a quaternion of length l scales by l * l."""
    return np.array(
        [
            (w * w + x * x - y * y - z * z, 2 * (x * y + w * z)),
            (2 * (x * y - w * z), w * w - x * x + y * y - z * z),
            (2 * (x * z + w * y), 2 * (y * z - w * x)),
        ]
    )
