"""Faces keep their numbers: through movement, crossing rows of the detector's list, and short absences."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insula.faces import Face, FaceTracker
from insula.faces.tracking import _joined, _place


def face(x: float, y: float = 0.0, side: float = 10.0) -> Face:
    half = side / 2
    return Face((x - half, y - half, x + half, y + half), 0.9, np.zeros((6, 2)))


def test_moving_faces_keep_their_numbers_whatever_their_order() -> None:
    rng, tracker = np.random.default_rng(0), FaceTracker()
    middles = np.array([[0.0, 0.0], [40, 5], [80, -5], [120, 0]])
    assert tracker.update(-0.1, [face(*middle) for middle in middles]) == [1, 2, 3, 4]
    for step in range(50):
        middles += rng.normal(0, 1.5, middles.shape)
        order = rng.permutation(4)
        assert tracker.update(step / 10, [face(*middles[k]) for k in order]) == [k + 1 for k in order]


def test_a_short_absence_keeps_the_number_and_a_long_one_does_not() -> None:
    tracker = FaceTracker(patience=1.0)
    assert tracker.update(0.0, [face(0), face(50)]) == [1, 2]
    assert tracker.update(0.9, [face(50)]) == [2]
    assert tracker.update(1.0, [face(50), face(1)]) == [2, 1]
    assert tracker.update(2.5, [face(1)]) == [3]


def test_a_jump_and_another_size_are_another_face() -> None:
    for other in (face(11), face(0, side=21), face(6, side=16)):
        tracker = FaceTracker()
        tracker.update(0.0, [face(0)])
        assert tracker.update(0.1, [other]) == [2]
    tracker = FaceTracker()
    tracker.update(0.0, [face(0)])
    assert tracker.update(0.1, [face(9)]) == [1]


def test_a_face_out_of_reach_does_not_spoil_a_good_pair() -> None:
    """The face at 5 was at 0; that at 60 is new, although 8 is nearer to it than to nothing."""
    tracker = FaceTracker()
    tracker.update(0.0, [face(0), face(8)])
    assert tracker.update(0.1, [face(7), face(60)]) == [2, 3]


def test_empty_frames_and_the_first_frame() -> None:
    tracker = FaceTracker()
    assert tracker.update(0.0, []) == []
    assert tracker.update(0.1, [face(0)]) == [1]
    assert tracker.update(0.2, []) == []


@given(
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30)), max_size=4),
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30)), max_size=4),
)
def test_the_joins_are_the_best_of_all_possible_ones(before: list, after: list) -> None:
    """Against every assignment: joined faces gain what they stay short of the reach, and no other choice gains more."""
    old = np.array([_place(face(*place)) for place in before]).reshape(-1, 3)
    new = np.array([_place(face(*place)) for place in after]).reshape(-1, 3)

    def gain(pairs: list[tuple[int, int]]) -> float:
        moved = [np.hypot(*(old[i, :2] - new[j, :2])) / 10 for i, j in pairs]
        return sum(max(1 - way, 0) for way in moved)

    few, many = sorted((len(old), len(new)))
    choices = [list(zip(range(few), chosen, strict=True)) for chosen in permutations(range(many), few)]
    if len(old) > len(new):
        choices = [[(j, i) for i, j in pairs] for pairs in choices]
    found = _joined(old, new)
    assert gain(found) == pytest.approx(max(map(gain, choices)), abs=1e-9)
    assert len({i for i, _ in found}) == len({j for _, j in found}) == len(found)
