"""Drawn faces: parametric cartoons with a known expression, intensity, identity and nuisance.

A face is drawn with Pillow at three times its size and reduced, from facial actions in the manner of the Facial Action
Coding System (Ekman and Friesen 1978): a prototype for each class, scaled by the intensity, varied from picture to
picture, on top of the habits of the person's own resting face. Pose, light, background, blur and noise come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFilter

from insula.errors import LabelError

ACTIONS = (
    "inner_brow", "outer_brow", "frown", "lids", "squint", "wrinkle", "lip_raise", "corners", "stretch", "jaw", "press",
)  # fmt: skip
"""Facial actions; positive raises brows, draws them together, opens the eyes, smiles, widens and opens the mouth."""

PROTOTYPES: dict[str, tuple[float, ...]] = {
    "anger": (-0.7, 0.3, 1.0, 0.2, 0.6, 0.3, 0.0, -0.3, -0.3, 0.0, 1.0),
    "disgust": (-0.4, -0.2, 0.5, -0.4, 0.8, 1.0, 1.0, -0.5, -0.1, 0.15, 0.0),
    "fear": (0.9, 0.2, 0.8, 0.9, 0.0, 0.0, 0.0, -0.6, 0.8, 0.35, 0.0),
    "happiness": (0.1, 0.1, 0.0, -0.1, 0.8, 0.0, 0.2, 1.0, 0.5, 0.3, 0.0),
    "sadness": (0.8, -0.6, 0.4, -0.6, 0.1, 0.0, 0.0, -1.0, -0.2, 0.0, 0.3),
    "surprise": (0.9, 1.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0, -0.4, 1.0, 0.0),
    "neutral": (0.0,) * 11,
}
"""Strength of each of `ACTIONS` in the full expression of a class."""

_OVERSAMPLING = 3
_SKIN = np.array(
    [(255, 224, 196), (240, 196, 160), (214, 160, 118), (168, 112, 76), (112, 74, 52), (82, 54, 40)], float
)
_HAIR = np.array([(30, 24, 22), (62, 40, 26), (110, 72, 40), (176, 130, 70), (150, 70, 36), (150, 146, 142)], float)
_EYES = np.array([(70, 45, 25), (60, 90, 130), (70, 110, 70), (40, 30, 25)], float)


@dataclass(frozen=True)
class Face:
    """All that one picture shows; lengths are in halves of the face's height, y downwards.

    Parameters
    ----------
    actions : array, shape (11,)
        Strength of each of `ACTIONS`.
    shape : mapping of str to float
        Of the person: `width`, `chin`, `eye_distance`, `eye_size`, `brow_thickness`, `brow_height`, `nose_length`,
        `nose_width`, `mouth_width`, `lips`, `fringe`.
    skin, hair, eyes : array, shape (3,)
        Colours, 0 to 255.
    view : mapping of str to float
        Of the picture: `turn` (sideways), `roll` (radians), `scale`, `right`, `down`, `light_angle`, `light_slope`,
        `light_level`, `blur` (pixels at 96), `noise` (grey levels).
    background : array, shape (2, 3)
        Colours at the top and at the bottom.
    """

    actions: np.ndarray
    shape: dict[str, float]
    skin: np.ndarray
    hair: np.ndarray
    eyes: np.ndarray
    view: dict[str, float]
    background: np.ndarray


def imagine_face(
    emotion: str,
    intensity: float,
    identity: int,
    *,
    nuisance: float,
    seed: Sequence[int],
    other: str | None = None,
    share: float = 0.0,
) -> Face:
    """Return the face of one picture, made up from numbers that the seed fixes.

    Parameters
    ----------
    emotion : str
        A class of `basic7`.
    intensity : float
        0 shows the resting face, 1 the full expression.
    identity : int
        Whose face; the same number under the same first seed is the same person.
    nuisance : float
        0 a frontal face in even light, expressed as in the book; 1 ordinary snapshots.
    seed : sequence of int
        The study's seed first, then what tells this picture from the others.
    other : str, optional
        A second expression that is mixed into the first.
    share : float
        How much of the second: 0 none, 0.5 as much of one as of the other.

    Raises
    ------
    LabelError
        Where a class is not one of `PROTOTYPES`.
    """
    for name in (emotion, other or emotion):
        if name not in PROTOTYPES:
            raise LabelError(f"no face for {name!r}", do=f"draw one of {', '.join(PROTOTYPES)}")
    person = np.random.default_rng([seed[0], 1, identity])
    spread = {
        "width": (0.76, 0.06), "chin": (0.62, 0.08), "eye_distance": (0.34, 0.025), "eye_size": (1.0, 0.12),
        "brow_thickness": (0.055, 0.016), "brow_height": (0.27, 0.03), "nose_length": (0.36, 0.04),
        "nose_width": (0.12, 0.025), "mouth_width": (0.29, 0.03), "lips": (0.045, 0.013), "fringe": (-0.74, 0.06),
    }  # fmt: skip
    shape = {name: middle + sd * float(np.clip(person.normal(), -2, 2)) for name, (middle, sd) in spread.items()}
    tone = person.uniform(0, len(_SKIN) - 1)
    skin = _SKIN[int(tone)] + (tone % 1) * (_SKIN[int(tone) + 1] - _SKIN[int(tone)])
    hair, eyes = _HAIR[person.integers(len(_HAIR))], _EYES[person.integers(len(_EYES))]
    habit = person.normal(size=len(ACTIONS)) * (0.2, 0.2, 0.2, 0.2, 0.15, 0.1, 0.1, 0.25, 0.25, 0.04, 0.1)

    picture = np.random.default_rng([*seed, 2])
    full = (1 - share) * np.array(PROTOTYPES[emotion]) + share * np.array(PROTOTYPES[other or emotion])
    varied = full * (1 + 0.3 * nuisance * picture.normal(size=len(full))) + 0.1 * nuisance * picture.normal(
        size=len(full)
    )
    turn, roll, scale, right, down = nuisance * picture.normal(size=5) * (0.25, 0.12, 0.06, 0.05, 0.05)
    view = {
        "turn": turn, "roll": roll, "scale": 0.82 * np.exp(scale), "right": right, "down": down + 0.04,
        "light_angle": picture.uniform(0, 2 * np.pi), "light_slope": nuisance * picture.uniform(0, 0.55),
        "light_level": float(np.exp(nuisance * 0.22 * picture.normal())),
        "blur": nuisance * picture.uniform(0, 1.3), "noise": nuisance * picture.uniform(2, 16),
    }  # fmt: skip
    background = np.clip(150 + nuisance * (40 * picture.normal(size=(2, 1)) + 25 * picture.normal(size=(2, 3))), 0, 255)
    return Face(intensity * varied + habit, shape, skin, hair, eyes, view, background)


def draw_face(face: Face, size: int = 96, *, seed: int | Sequence[int] = 0) -> np.ndarray:
    """Return uint8 (size, size, 3); `seed` fixes the noise of the sensor alone.

    Examples
    --------
    >>> face = imagine_face("fear", 1.0, 0, nuisance=0.5, seed=(7, 0))
    >>> draw_face(face, 48).shape
    (48, 48, 3)
    """
    edge = size * _OVERSAMPLING
    ramp = np.linspace(0, 1, edge)[:, None, None]
    sky = face.background[0] + ramp * (face.background[1] - face.background[0])
    image = Image.fromarray(np.broadcast_to(sky, (edge, edge, 3)).astype(np.uint8))
    _Pencil(image, face).draw()
    small = image.reduce(_OVERSAMPLING)
    if face.view["blur"] > 0.2:
        small = small.filter(ImageFilter.GaussianBlur(face.view["blur"] * size / 96))
    lit = np.asarray(small, np.float32) * _light(face, size)
    noise = np.random.default_rng(seed).standard_normal(lit.shape, np.float32)
    return np.clip(lit + np.float32(face.view["noise"]) * noise, 0, 255).astype(np.uint8)


def draw_faces(
    emotions: Sequence[str],
    intensities: Sequence[float],
    identities: Sequence[int],
    *,
    others: Sequence[str] | None = None,
    shares: Sequence[float] | None = None,
    nuisance: float = 1.0,
    size: int = 96,
    seed: int = 0,
) -> np.ndarray:
    """Return uint8 (n, size, size, 3): picture `i` depends on the seed, on `i` and on its own row alone.

    `others` and `shares` mix a second expression into each, as in `imagine_face`.

    Examples
    --------
    >>> draw_faces(["fear", "neutral"], [1.0, 1.0], [0, 1], size=32).shape
    (2, 32, 32, 3)
    """
    pictures = np.empty((len(emotions), size, size, 3), np.uint8)
    others, shares = others or emotions, shares or [0.0] * len(emotions)
    rows = zip(emotions, intensities, identities, others, shares, strict=True)
    for row, (emotion, intensity, identity, other, share) in enumerate(rows):
        face = imagine_face(emotion, intensity, identity, nuisance=nuisance, seed=(seed, row), other=other, share=share)
        pictures[row] = draw_face(face, size, seed=(seed, row, 3))
    return pictures


def _light(face: Face, size: int) -> np.ndarray:
    across = np.linspace(-1, 1, size, dtype=np.float32)
    angle, slope = face.view["light_angle"], np.float32(face.view["light_slope"])
    plane = np.float32(np.cos(angle)) * across[None, :] + np.float32(np.sin(angle)) * across[:, None]
    return (np.float32(face.view["light_level"]) * (1 + slope * plane))[:, :, None]


class _Pencil:
    """Draws one face; every part is a polygon in face coordinates, moved by the pose."""

    def __init__(self, image: Image.Image, face: Face) -> None:
        self.ink = ImageDraw.Draw(image)
        self.half = image.size[0] / 2
        self.face, self.shape = face, face.shape
        self.action = dict(zip(ACTIONS, face.actions, strict=True))
        view = face.view
        self.turn, self.scale = view["turn"], view["scale"]
        self.cos, self.sin = np.cos(view["roll"]), np.sin(view["roll"])
        self.shift = np.array([view["right"], view["down"]])
        self.dark = face.skin * 0.72

    def place(self, x: np.ndarray, y: np.ndarray, depth: float) -> list[tuple[float, float]]:
        # a turned head narrows, and what stands out of it (depth) moves sideways
        x = x * np.cos(self.turn) + depth * np.sin(self.turn)
        moved = np.column_stack([self.cos * x - self.sin * y, self.sin * x + self.cos * y])
        return list(map(tuple, self.half * (1 + self.scale * moved + self.shift)))

    def fill(self, x: ArrayLike, y: ArrayLike, colour: np.ndarray | tuple, depth: float = 0.25) -> None:
        self.ink.polygon(self.place(np.asarray(x), np.asarray(y), depth), fill=tuple(int(c) for c in colour))

    def line(self, x: ArrayLike, y: ArrayLike, colour: np.ndarray, width: float = 0.02, depth: float = 0.28) -> None:
        thick = max(1, round(width * self.scale * self.half))
        points = self.place(np.asarray(x, float), np.asarray(y, float), depth)
        self.ink.line(points, fill=tuple(int(c) for c in colour), width=thick, joint="curve")

    def draw(self) -> None:
        self.head()
        for side in (-1, 1):
            self.eye(side)
            self.brow(side)
        self.nose()
        self.mouth()

    def head(self) -> None:
        angle = np.linspace(0, 2 * np.pi, 60)
        width, chin = self.shape["width"], self.shape["chin"]
        x, y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.85, -np.cos(angle)
        self.fill(1.12 * width * x, 1.1 * y - 0.02, self.face.hair, depth=-0.1)
        self.fill([-0.3, 0.3, 0.36, -0.36], [0.7, 0.7, 1.5, 1.5], self.dark, depth=-0.1)
        for side in (-1, 1):
            self.fill(side * width + 0.09 * x, 0.02 + 0.16 * y, self.dark, depth=-0.1)
        taper = np.where(y > 0, 1 - (1 - chin) * y**2, 1.0)
        self.fill(width * taper * x, np.where(y > 0, y, 0.95 * y), self.face.skin, depth=0.05)
        top, fringe = angle[(y < -0.25)], self.shape["fringe"]
        top = np.sort((top + np.pi) % (2 * np.pi))
        cap_x, cap_y = -np.sin(top) * width * 1.03, np.cos(top)
        edge = np.linspace(cap_x[-1], cap_x[0], 12)
        line = fringe + (cap_y[-1] - fringe) * (edge / cap_x[0]) ** 4
        self.fill(np.r_[cap_x, edge], np.r_[cap_y, line], self.face.hair, depth=0.05)

    def eye(self, side: int) -> None:
        act, size = self.action, self.shape["eye_size"]
        half = 0.15 * size
        upper = max(0.01, 0.075 * size * (1 + 0.75 * act["lids"] - 0.2 * max(act["squint"], 0)))
        lower = max(0.005, 0.055 * size * (1 + 0.25 * act["lids"] - 0.75 * act["squint"]))
        u = np.linspace(-1, 1, 15)
        slope = 0.03 * (act["inner_brow"] - act["outer_brow"] - act["frown"])  # the inner corner follows the brow
        tilt = -side * -u * slope
        above, below = -upper * (1 - u**2) + tilt, lower * (1 - u**2) + tilt
        x, y = side * self.shape["eye_distance"] + half * u, -0.12
        self.fill(np.r_[x, x[::-1]], y + np.r_[above, below[::-1]], (246, 246, 242))
        angle = np.linspace(0, 2 * np.pi, 24)
        for radius, colour in ((0.082, self.face.eyes), (0.038, np.zeros(3))):
            iris_x, iris_y = radius * np.cos(angle), radius * np.sin(angle)
            inside = partial(np.interp, iris_x / half, u)
            iris_y = np.clip(iris_y, inside(above), inside(below))
            self.fill(side * self.shape["eye_distance"] + iris_x, y + iris_y, colour)
        self.line(x, y + above, self.dark * 0.5, 0.028)
        self.line(x, y + below, self.dark, 0.016)
        if act["squint"] > 0.3:  # the raised cheek folds the skin under the eye
            self.line(x * 0.98, y + 0.09 + 0.03 * (1 - u**2), self.dark, 0.012 + 0.012 * act["squint"])

    def brow(self, side: int) -> None:
        act = self.action
        frown = act["frown"]
        inner_y = -0.12 - self.shape["brow_height"] - 0.13 * act["inner_brow"] + 0.05 * frown
        outer_y = -0.12 - self.shape["brow_height"] + 0.03 - 0.13 * act["outer_brow"]
        inner_x = self.shape["eye_distance"] - 0.18 - 0.055 * frown
        u = np.linspace(0, 1, 9)
        x = inner_x + u * (self.shape["eye_distance"] + 0.19 - inner_x)
        y = inner_y + u * (outer_y - inner_y) - 0.16 * u * (1 - u)
        thick = self.shape["brow_thickness"] * (1.1 - 0.6 * u)
        self.fill(side * np.r_[x, x[::-1]], np.r_[y - thick, (y + thick)[::-1]], self.face.hair * 0.8, depth=0.28)
        if frown > 0.3:
            at = side * 0.05
            self.line([at, at * 0.8], [-0.42, -0.28], self.dark, 0.012 + 0.016 * frown)
        raised = min(act["inner_brow"], act["outer_brow"] + 0.6)
        if raised > 0.4:
            self.line(side * np.array([0.02, 0.2, 0.36]), [-0.63, -0.65, -0.62], self.dark, 0.02 * raised)

    def nose(self) -> None:
        wrinkle = self.action["wrinkle"]
        width, tip = self.shape["nose_width"], -0.08 + self.shape["nose_length"] - 0.04 * max(wrinkle, 0)
        self.line([-0.06, -0.055, -width], [-0.1, tip - 0.15, tip - 0.02], self.dark, 0.02, depth=0.36)
        u = np.linspace(-1, 1, 9)
        self.line(width * u, tip + 0.035 * (1 - u**2) - 0.03 * np.abs(u), self.dark * 0.8, 0.028, depth=0.42)
        if wrinkle > 0.25:
            for rise in (0.0, 0.06, 0.12):
                self.line([-0.08, 0, 0.08], [-0.1 + rise, -0.07 + rise, -0.1 + rise], self.dark * 0.9, 0.02 * wrinkle)
            for side in (-1, 1):  # from the wings of the nose down past the mouth
                fold = side * np.array([width + 0.02, width + 0.12, width + 0.17])
                self.line(fold, [tip - 0.02, tip + 0.06, tip + 0.2], self.dark, 0.028 * wrinkle)

    def mouth(self) -> None:
        act = self.action
        smile, jaw, press = act["corners"], max(act["jaw"], 0.0), max(act["press"], 0.0)
        half = self.shape["mouth_width"] * (1 + 0.32 * act["stretch"] + 0.12 * max(smile, 0) - 0.1 * press)
        u = np.linspace(-1, 1, 21)
        bow = 1 - u**2
        middle = 0.53 + 0.05 * jaw + 0.1 * smile * (bow - 0.5)
        lift = max(act["lip_raise"], 0.0)
        round_ = bow ** np.clip(0.5 + 0.6 * smile, 0.35, 1.1)  # a smile opens as a crescent, other mouths as an oval
        above = middle - (0.06 * jaw + 0.075 * lift) * round_ * (1 + 0.3 * np.cos(2 * np.pi * u) * lift)
        below = middle + (0.26 * jaw + 0.03 * lift) * round_
        lip = self.shape["lips"] * max(0.25, 1 - 0.7 * press)
        colour = self.face.skin * (0.82, 0.55, 0.55)
        x = half * u
        cupid = 1 + 0.25 * np.cos(2 * np.pi * u)
        edge = bow**0.6
        upper, lower = above - lip * edge * cupid, below + 1.25 * lip * edge
        self.fill(np.r_[x, x[::-1]], np.r_[upper, lower[::-1]], colour, depth=0.32)
        gap = below - above
        if gap.max() > 0.03:
            self.fill(np.r_[x, x[::-1]], np.r_[above, below[::-1]], (70, 22, 26), depth=0.32)
            teeth = above + np.minimum(0.45 * gap, 0.07) * (1.0 if act["stretch"] > -0.3 else 0.5)
            self.fill(np.r_[x, x[::-1]], np.r_[above, teeth[::-1]], (240, 238, 228), depth=0.32)
        else:
            self.line(x, (above + below) / 2, self.dark * 0.45, 0.026, depth=0.32)
