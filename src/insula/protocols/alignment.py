"""Whether one small grey picture, moved a little, is another: aligned by Gauss-Newton steps, then compared everywhere.

The alignment is that of Lucas and Kanade in the inverse compositional form of Baker and Matthews (2004), with an affine
map, for many pairs at once. Brightness and contrast are taken out at every step, and points that brightening drove into
white, or that lie outside of a picture, do not count. Pictures are compared in the largest circle that they hold, which
stays in the picture when it is turned.
"""

from __future__ import annotations

from functools import cache

import numpy as np

_WHITE, _NEARLY_WHITE = 245, 200  # grey levels, of one picture and of the other
_DAMPING = 0.01
_CIRCLE = 0.92  # of half the side: turned pictures have black corners
_FLAT = 0.6  # times the energy of a picture's detail: where there is less, its noise is not compared
_MARGIN = 5  # pixels beside a place that does not count: what blurring it reaches


def identity_map(turn: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    """Return an affine map, float32 (2, 3), of places from -1 to 1: turned by degrees, then zoomed."""
    angle = np.deg2rad(turn)
    turned = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]]
    return zoom * np.array(turned, np.float32)


@cache
def places(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns and rows of a picture's pixels, each float32 (side * side,), from -1 to 1."""
    line = ((np.arange(side) - (side - 1) / 2) / (side / 2)).astype(np.float32)
    return np.tile(line, side), np.repeat(line, side)


def moved(
    pictures: np.ndarray, maps: np.ndarray, across: np.ndarray, down: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of pictures at mapped places, and which of these lie inside.

    Parameters
    ----------
    pictures : float32 array, shape (n, side, side)
        One for each map.
    maps : float32 array, shape (n, 2, 3)
        Where the places lie in the picture.
    across, down : float32 array, shape (m,)
        Places.

    Returns
    -------
    values : float32 array, shape (n, m)
    inside : bool array, shape (n, m)
    """
    n, side = pictures.shape[:2]
    middle = (side - 1) / 2
    x, y = (
        (maps[:, row, :1] * across + maps[:, row, 1:2] * down + maps[:, row, 2:]) * (side / 2) + middle
        for row in (0, 1)
    )
    inside = (np.abs(x - middle) <= side / 2) & (np.abs(y - middle) <= side / 2)
    x, y = np.clip(x, 0, side - 1.001), np.clip(y, 0, side - 1.001)
    column, row = x.astype(np.int64), y.astype(np.int64)
    x, y = (x - column).astype(np.float32), (y - row).astype(np.float32)
    flat, corner = pictures.ravel(), np.arange(n)[:, None] * side**2 + row * side + column
    above = flat[corner] * (1 - x) + flat[corner + 1] * x
    below = flat[corner + side] * (1 - x) + flat[corner + side + 1] * x
    return above * (1 - y) + below * y, inside


def align(one: np.ndarray, other: np.ndarray, maps: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Bring one picture of each pair over the other.

    Parameters
    ----------
    one, other : float32 array, shape (n, side, side)
        Grey levels.
    maps : float32 array, shape (n, 2, 3)
        Where to begin: places of `one` in `other`.
    steps : int
        How many to take.

    Returns
    -------
    maps : float32 array, shape (n, 2, 3)
    correlation : float32 array, shape (n,)
        Of the two pictures, where they overlap.
    """
    n, side = one.shape[:2]
    across, down = places(side)
    circle = np.hypot(across, down) <= 1
    across, down = across[circle], down[circle]
    still = one.reshape(n, -1)[:, circle]
    steep, slant = (slope.reshape(n, -1)[:, circle] * (side / 2) for slope in np.gradient(one, axis=(1, 2)))
    slopes = np.stack([slant * across, slant * down, slant, steep * across, steep * down, steep], axis=1)
    last = np.zeros((n, 1, 3), np.float32)
    last[..., 2] = 1
    for step in range(steps + 1):
        values, inside = moved(other, maps, across, down)
        weights = (inside & ~white(still, values)).astype(np.float32)
        count = weights.sum(axis=1, keepdims=True) + 1e-6
        first, spread = standardised(still, weights)
        second, _ = standardised(values, weights)
        if step == steps:
            break
        along = slopes * (weights / spread)[:, None]
        along -= along.sum(axis=2, keepdims=True) / count[:, None] * weights[:, None]
        normal = along @ along.transpose(0, 2, 1) + np.eye(6, dtype=np.float32) * (_DAMPING * count[:, None])
        change = np.linalg.solve(normal, along @ (second - first)[..., None])[..., 0].reshape(n, 2, 3)
        change += np.eye(2, 3, dtype=np.float32)
        maps = (np.concatenate([maps, last], 1) @ np.linalg.inv(np.concatenate([change, last], 1)))[:, :2]
    return maps, (first * second).sum(axis=1) / count[:, 0]


def local_difference(one: np.ndarray, other: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much aligned pictures differ where they differ most, float32 (n,) each: in light, and in detail.

    Of light it is in standard deviations. Of detail it is the share: 0 is the same, 1 as unlike as two pictures of
    different things. Detail is what a blur of a thirtieth of the side takes away; a place is a tenth of the side wide.

    Parameters
    ----------
    one, other : float32 array, shape (n, side, side)
        Grey levels.
    maps : float32 array, shape (n, 2, 3)
        Places of `one` in `other`.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    n, side = one.shape[:2]
    across, down = places(side)
    values, inside = moved(other, maps, across, down)
    values, inside = values.reshape(one.shape), inside.reshape(one.shape)
    circle = (np.hypot(across, down) <= _CIRCLE).reshape(side, side)
    shown = inside & ~white(one, values)
    usable = circle & (uniform_filter(shown.astype(np.float32), (1, _MARGIN, _MARGIN)) > 0.999)
    shown = (circle & shown).astype(np.float32)
    blur, around = (0, *[max(3, side / 32)] * 2), (1, *[max(4, side // 10)] * 2)
    count = gaussian_filter(shown, blur) + np.float32(1e-6)  # what is not shown is not blurred into what is

    def compared(*pictures: np.ndarray) -> list[np.ndarray]:
        return [standardised(each.reshape(n, -1), usable.reshape(n, -1))[0].reshape(one.shape) for each in pictures]

    first, second = compared(one, values)
    light = np.abs(uniform_filter(first - second, around, mode="constant")).max(axis=(1, 2))
    around = (1, *[max(8, side // 10)] * 2)
    first, second = compared(*(each - gaussian_filter(each * shown, blur) / count for each in (one, values)))
    difference = uniform_filter((first - second) ** 2, around, mode="constant")
    energy = uniform_filter(first**2 + second**2, around, mode="constant")
    detail = (difference / (energy + _FLAT)).max(axis=(1, 2))
    compares = usable.mean(axis=(1, 2)) > 0.1
    return np.where(compares, light, np.float32(np.inf)), np.where(compares, detail, np.float32(1))


def white(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return bool: where one of two pictures is white and the other nearly so."""
    return (np.maximum(one, other) >= _WHITE) & (np.minimum(one, other) >= _NEARLY_WHITE)


def standardised(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values, (n, m), of zero mean and unit deviation where they count, 0 elsewhere; and the deviations."""
    count = weights.sum(axis=1, keepdims=True) + np.float32(1e-6)
    centred = (values - (values * weights).sum(axis=1, keepdims=True) / count) * weights
    spread = np.sqrt((centred * centred).sum(axis=1, keepdims=True) / count) + np.float32(1e-6)
    return centred / spread, spread
