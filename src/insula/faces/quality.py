"""What is wrong with a face for the purpose of reading its expression, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from insula.faces.alignment import align_grey
from insula.faces.detection import Face

FLAGGED_AT = 112  # pixels; a larger face is judged as if it were of this size
_TURNED = 0.6  # eye distances from the nose to the middle of the ears


class _Measures(NamedTuple):
    """What the flags are made from; `grey` is the aligned face, at most 112 pixels, 0 to 255."""

    face: Face
    grey: np.ndarray
    picture_size: tuple[int, int]


def _sharpness(grey: np.ndarray) -> float:
    """Return the variance of the Laplacian over the variance of the picture, so that light and contrast cancel."""
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(laplacian.var() / max(grey.var(), 1e-9))


def _turn(landmarks: np.ndarray) -> float:
    """Return how far the nose lies beside the middle of the ears, along the eyes, in eye distances.

    About 1.9 tan(yaw) on a head whose nose is 12 cm in front of its ears and whose eyes are 6.3 cm apart.
    """
    right, left, nose, _, right_ear, left_ear = landmarks
    across = left - right
    return float((nose - (right_ear + left_ear) / 2) @ across / max(across @ across, 1e-9))


def _outside(face: Face, width: int, height: int) -> float:
    """Return the share of the box that lies outside the picture."""
    left, top, right, bottom = face.box
    inside = max(0.0, min(right, width) - max(left, 0.0)) * max(0.0, min(bottom, height) - max(top, 0.0))
    return 1 - inside / ((right - left) * (bottom - top))


def _evenness(grey: np.ndarray) -> float:
    """Return the contrast of the eye or mouth that has least of it, over the contrast of the face.

    An eye has a white and a mouth a line between its lips; what covers them is often one even surface.
    """
    height, width = grey.shape

    def part(middle: float, across: float, down: float, high: float) -> np.ndarray:
        rows = slice(round((down - high / 2) * height), round((down + high / 2) * height))
        return grey[rows, round((middle - across / 2) * width) : round((middle + across / 2) * width)]

    eyes_and_mouth = part(0.29, 0.26, 0.36, 0.14), part(0.71, 0.26, 0.36, 0.14), part(0.5, 0.44, 0.785, 0.22)
    return float(min(one.std() for one in eyes_and_mouth) / max(part(0.5, 0.8, 0.55, 0.8).std(), 1e-9))


# In brackets: the 204 London faces, which are sharp, frontal and evenly lit, of five ethnic groups, and what degrading
# them gives. Light is judged by the brightest and darkest tenth of the face, since its mean would judge skin.
_FLAGS: dict[str, Callable[[_Measures], bool]] = {
    "small": lambda m: m.face.size < 48,  # [117 to 168 pixels]
    "blurred": lambda m: _sharpness(m.grey) < 0.03,  # [0.12 to 0.42; 0.006 to 0.019 under a Gaussian of 2 pixels]
    "dark": lambda m: float(np.quantile(m.grey, 0.9)) < 65,  # [103 to 220; 19 to 43 at a fifth of the light]
    "bright": lambda m: (  # [24 to 110, none burnt out; 186 to 210 under 70 % of white veil]
        float(np.quantile(m.grey, 0.1)) > 150 or float((m.grey > 250).mean()) > 0.25
    ),
    "turned": lambda m: abs(_turn(m.face.landmarks)) > _TURNED,  # [up to 0.34; 0.9 and 1.4 in two three-quarter views]
    "covered": lambda m: (  # [0.44 to 1.18; painted masks 0 to 0.09, dark glasses 0.01 to 0.40]
        _evenness(m.grey) < 0.25 and abs(_turn(m.face.landmarks)) <= _TURNED
    ),
    "cut": lambda m: _outside(m.face, *m.picture_size) > 0.05,  # [none]
    "hardly-found": lambda m: m.face.score < 0.7,  # [0.76 to 0.98; 0.57 to 0.94 under a Gaussian of 8 pixels]
}

FLAGS = tuple(_FLAGS)


def quality(picture: np.ndarray, face: Face) -> tuple[str, ...]:
    """Return the names, of `FLAGS`, of what makes a face hard to read; an empty tuple where nothing does.

    Parameters
    ----------
    picture : ndarray, uint8, (height, width, 3)
        RGB.
    face : Face
        As found in this picture.

    Notes
    -----
    `small`: under 48 pixels. `blurred`: little fine detail at 112 pixels or at the face's own size. `dark`, `bright`:
    too little light, or washed out. `turned`: by roughly 20 degrees or more to a side. `cut`: more than 5 % outside the
    picture. `covered`: an eye or the mouth is one even surface, as under a mask, a plain cloth or dark glasses; fingers
    and patterns have contrast of their own and pass, and a turned face is not judged. `hardly-found`: a detection score
    under 0.7.
    """
    side = max(8, min(FLAGGED_AT, int(face.size)))
    grey = align_grey(picture, face, side, margin=0.0).astype(np.float64)
    measures = _Measures(face, grey, (picture.shape[1], picture.shape[0]))
    return tuple(name for name, holds in _FLAGS.items() if holds(measures))
