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
_STEPS = 50  # more than any face has needed


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
    head = _HEAD - _HEAD.mean(axis=0)
    points = (face.landmarks - face.landmarks.mean(axis=0)) / max(face.size, 1e-9)
    if not points.any():  # landmarks that are all one point tell nothing
        return HeadPose(0.0, 0.0, 0.0)
    rows = np.linalg.lstsq(head, points, rcond=None)[0].T  # of the turned head, scaled: right and down
    left, scales, right = np.linalg.svd(rows, full_matrices=False)
    right_and_down = left @ right  # the nearest two of unit length and square to each other
    agreement = np.einsum("ba,abkl->kl", right_and_down, _TURNING)  # the quaternion that turns so is its main axis
    turned = np.linalg.eigh(agreement)[1][:, -1]
    x, y, z, w = _fitted(turned * np.sqrt(scales.mean()), head, points)
    size = x * x + y * y + z * z + w * w
    roll = np.arctan2(2 * (x * y + z * w), size - 2 * (y * y + z * z))
    yaw = np.arcsin(np.clip(2 * (y * w - x * z) / size, -1, 1))
    pitch = np.arctan2(2 * (y * z + x * w), size - 2 * (x * x + y * y))
    yaw, pitch, roll = np.degrees([-yaw, -pitch, roll])
    return HeadPose(float(yaw), float(pitch), float(roll))


def _turning() -> np.ndarray:
    """Return (3, 2, 4, 4): forms S so that q S q, for each, is the matrix (3, 2) that takes points right and down.

    Of a quaternion q = (x, y, z, w), whose length squared scales.
    """
    forms = np.zeros((3, 2, 4, 4))
    x, y, z, w = range(4)
    forms[0, 0, [w, x, y, z], [w, x, y, z]] = 1, 1, -1, -1
    forms[1, 1, [w, x, y, z], [w, x, y, z]] = 1, -1, 1, -1
    for place, plus, other, sign in (((0, 1), (x, y), (z, w), 1), ((1, 0), (x, y), (z, w), -1),
                                     ((2, 0), (x, z), (w, y), 1), ((2, 1), (y, z), (w, x), -1)):  # fmt: skip
        forms[*place, *plus], forms[*place, *other] = 2, 2 * sign
    return (forms + forms.swapaxes(2, 3)) / 2


_TURNING = _turning()


def _fitted(quaternion: np.ndarray, head: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the quaternion (4,) that turns and scales a head (n, 3) onto points (n, 2) with the least square error.

    By Levenberg and Marquardt's method, from one that is nearly right.
    """
    damping = 1e-3
    missed = head @ (_TURNING @ quaternion @ quaternion) - points
    for _ in range(_STEPS):
        slopes = 2 * np.einsum("na,abk->nbk", head, _TURNING @ quaternion).reshape(-1, 4)
        squared = slopes.T @ slopes
        step = np.linalg.solve(squared + damping * np.trace(squared) * np.eye(4), -slopes.T @ missed.ravel())
        tried = head @ (_TURNING @ (quaternion + step) @ (quaternion + step)) - points
        if (tried**2).sum() <= (missed**2).sum():
            quaternion, missed, damping = quaternion + step, tried, damping / 10
        else:
            damping *= 10
        if step @ step <= 1e-16 * (quaternion @ quaternion):
            break
    return quaternion
