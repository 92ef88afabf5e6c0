"""How pictures are brought over each other: against scipy, against known maps, and rule by rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from insula.protocols.alignment import align, identity_map, local_difference, moved, places, standardised, white
from insula.protocols.duplicates import _inverse, _plausible, _side, _tint, _unit

SIDE = 48


def pictures(n: int, seed: int = 0) -> np.ndarray:
    """Return smooth grey pictures with detail everywhere, float32 (n, SIDE, SIDE)."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((n, SIDE, SIDE)), (0, 2, 2))
    return (110 + 25 * noise / noise.std()).astype(np.float32)


def maps_of(*changes: tuple[float, float, float, float]) -> np.ndarray:
    """Return maps that turn (degrees), zoom and shift."""
    maps = np.stack([identity_map(turn, zoom) for turn, zoom, _, _ in changes])
    maps[:, :, 2] = [(x, y) for _, _, x, y in changes]
    return maps


CHANGES = maps_of((8, 1.0, 0.0, 0.0), (-3, 0.9, 0.05, -0.03), (0, 1.1, 0.2, 0.4))


def test_pictures_are_read_between_their_pixels_as_scipy_does() -> None:
    shown, (across, down) = pictures(3), places(SIDE)
    assert across[:2].tolist() == pytest.approx([-1 + 1 / SIDE, -1 + 3 / SIDE]) and down[0] == down[1] == across[0]
    values, inside = moved(shown, CHANGES, across, down)
    for place, change in enumerate(CHANGES):
        x, y = change @ np.stack([across, down, np.ones_like(across)])
        expected = map_coordinates(shown[place], [(at + 1) * SIDE / 2 - 0.5 for at in (y, x)], order=1, mode="nearest")
        assert values[place] == pytest.approx(expected, abs=0.05)
        assert inside[place].tolist() == ((np.abs(x) <= 1) & (np.abs(y) <= 1)).tolist()
    assert not inside.all()


def test_a_map_is_recovered_for_each_pair_whatever_the_light() -> None:
    """The second picture of a pair is the first, moved, in another light; that of the third pair drove it white."""
    whole = pictures(3, seed=1)
    one = moved(whole, CHANGES[[0, 1, 0]] * [[[0.98]]], *places(SIDE))[0].reshape(whole.shape)
    wanted = CHANGES[[0, 1, 0]] * 0.98
    other = 0.8 * whole + 30
    one[2], other[2] = np.minimum(one[2] + 130, 255), whole[2] + 80
    maps, correlation = align(one, other, np.stack([identity_map()] * 3), 12)
    assert maps == pytest.approx(wanted.astype(np.float32), abs=1e-4)
    assert (correlation > 0.995).all() and (correlation <= 1.0001).all()
    still, before = align(one, other, np.stack([identity_map()] * 3), 0)
    assert (still == identity_map()).all() and (before < correlation).all()


def test_pictures_differ_where_they_differ_most() -> None:
    same, here = pictures(4, seed=2), np.stack([identity_map()] * 4)
    assert local_difference(same, 0.7 * same + 40, here)[0] == pytest.approx(0, abs=1e-4)
    changed = same.copy()
    other = pictures(1, seed=3)[0]
    changed[0, 20:30, 16:26] = other[20:30, 16:26]  # a mouth
    changed[1, :5, :5] = other[:5, :5]  # a corner, which is beyond the circle
    changed[2] = other
    change = local_difference(same, changed, here)[0]
    assert change[0] > 0.4 and change[1] < 0.01 and change[2] > 0.8 and change[3] == pytest.approx(0, abs=1e-4)
    assert change[2] > 2 * local_difference(same, (same + changed) / 2, here)[0][2]
    away = np.stack([maps_of((0, 1.0, 1.9, 0.0))[0]] * 4)
    assert local_difference(same, same, away)[0].tolist() == [np.inf] * 4, "there is hardly anything to compare"


def test_white_is_what_brightening_drove_there() -> None:
    one, other = np.array([245.0, 255, 250, 240, 244]), np.array([200.0, 199, 250, 240, 245])
    assert white(one, other).tolist() == white(other, one).tolist() == [True, False, True, False, True]


def test_what_does_not_count_changes_no_mean() -> None:
    values, weights = np.array([[1.0, 2, 3, 100], [5, 5, 5, 5]]), np.array([[1.0, 1, 1, 0], [1, 1, 1, 1]])
    scaled, spread = standardised(values, weights)
    assert scaled[0] == pytest.approx([-np.sqrt(1.5), 0, np.sqrt(1.5), 0], abs=1e-5)
    assert spread[:, 0] == pytest.approx([np.sqrt(2 / 3), 0], abs=5e-6)


@pytest.mark.parametrize(
    ("turn", "wide", "high", "slant", "shift", "plausible"),
    [
        (0, 1.0, 1.0, 0.0, (0.0, 0.0), True),
        (0, 0.9, 0.9, 0.0, (0.11, -0.11), True),  # a crop at the side, within what it was cut out of
        (0, 0.9, 0.9, 0.0, (0.13, 0.0), False),
        (0, 0.9, 0.9, 0.0, (0.0, -0.13), False),
        (0, 1.1, 1.1, 0.0, (0.11, 0.11), True),
        (0, 1.0, 1.0, 0.0, (0.03, 0.0), False),
        (0, 1.03, 1.0, 0.0, (0.0, 0.0), True),
        (0, 1.05, 1.0, 0.0, (0.0, 0.0), False),  # stretched
        (0, 1.0, 1.05, 0.0, (0.0, 0.0), False),
        (0, 1.2, 1.25, 0.015, (0.0, 0.0), False),
        (0, 1.2, 1.2, 0.02, (0.0, 0.0), True),
        (0, 1.0, 1.0, 0.03, (0.0, 0.0), False),  # slanted
        (20, 1.0, 1.0, -0.03, (0.0, 0.0), False),
    ],
)
def test_a_copy_is_turned_or_cropped_and_no_more(
    turn: float, wide: float, high: float, slant: float, shift: tuple, plausible: bool
) -> None:
    view = identity_map(turn)
    view[:, :2] = view[:, :2] @ np.array([[wide, slant], [0.0, high]], np.float32)
    view[:, 2] = shift
    both = np.stack([view, identity_map(8)])  # which is always plausible
    assert _plausible(both).tolist() == [plausible, True]


def test_small_parts_of_the_look() -> None:
    assert [_side(shape) for shape in ((300, 40), (300, 200), (100, 60), (60, 100))] == [48, 128, 60, 60]
    view = CHANGES[1]
    assert view[:, :2] @ _inverse(view)[:, :2] == pytest.approx(np.eye(2), abs=1e-6)
    assert view[:, :2] @ _inverse(view)[:, 2] + view[:, 2] == pytest.approx([0, 0], abs=1e-6)
    rows = np.array([[1.0, 2, 3], [4, 4, 10]])
    assert _unit(rows) == pytest.approx(np.array([[-1, 0, 1], [-1, -1, 2]]) / np.sqrt([[2], [6]]))
    assert _unit(rows, centred=False) == pytest.approx(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    coloured = np.zeros((3, 4, 5, 3), np.uint8) + np.array([[130, 100, 70]], np.uint8)
    coloured[1], coloured[2] = 100, [102, 100, 101]  # grey, and nearly so
    assert _tint(coloured)[0] == pytest.approx([0.3, -0.3]) and np.isnan(_tint(coloured)[1:]).all()
    assert np.isnan(_tint(coloured[..., 0])).all()
