"""Which face of one frame is which face of the frames before: by place and size alone, never by whose face it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from insula.faces.assignment import assign
from insula.faces.detection import Face

_REACH = 1.0  # sides of a face that it may move between two looks, or doublings of its size, or both together


class FaceTracker:
    """Numbers the faces of a video so that a face keeps its number from frame to frame.

    Faces are joined to those seen last so that the sum of their movements is least (the assignment problem). A movement
    is counted in sides of the face, and a doubling of its size as one side; further than one side is another face. A
    face that was out of sight for longer than `patience` gets a new number. Nothing of what a face looks like is used
    or kept, so faces that pass in front of each other may exchange numbers, and who comes back is numbered anew.

    Parameters
    ----------
    patience : float
        Seconds for which the place of a face that is not seen is remembered.

    Examples
    --------
    >>> tracker = FaceTracker()
    >>> here, there = (Face((left, 0, left + 10, 10), 0.9, np.zeros((6, 2))) for left in (0, 50))
    >>> tracker.update(0.0, [here, there]), tracker.update(0.2, [there]), tracker.update(0.4, [there, here])
    ([1, 2], [2], [2, 1])
    """

    def __init__(self, patience: float = 1.0) -> None:
        self.patience = patience
        self._seen: dict[int, tuple[float, np.ndarray]] = {}  # by number: when, and the place
        self._given = 0

    def update(self, time: float, faces: Sequence[Face]) -> list[int]:
        """Return the number, from 1, of each face of a frame.

        Parameters
        ----------
        time : float
            Of the frame, in seconds; frames come in order.
        faces : sequence of Face
            As found in the frame.
        """
        self._seen = {number: seen for number, seen in self._seen.items() if time - seen[0] <= self.patience}
        numbers, places = list(self._seen), np.array([_place(face) for face in faces]).reshape(-1, 3)
        before = np.array([place for _, place in self._seen.values()]).reshape(-1, 3)
        tracks = [0] * len(faces)
        for old, new in _joined(before, places):
            tracks[new] = numbers[old]
        for new, number in enumerate(tracks):
            if not number:
                self._given += 1
                tracks[new] = self._given
            self._seen[tracks[new]] = time, places[new]
        return tracks


def _place(face: Face) -> tuple[float, float, float]:
    """Return the middle of a face and the binary logarithm of its size."""
    left, top, right, bottom = face.box
    return (left + right) / 2, (top + bottom) / 2, float(np.log2(face.size))


def _joined(before: np.ndarray, after: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of places (n, 3) and (m, 3) that are one face."""
    sides = 2 ** ((before[:, None, 2] + after[None, :, 2]) / 2)
    moved = np.linalg.norm(before[:, None, :2] - after[None, :, :2], axis=-1) / sides
    cost = moved + np.abs(before[:, None, 2] - after[None, :, 2])
    # capped, so that a pair out of reach is worth the same as none and never costs a good pair its partner
    pairs = assign(np.minimum(cost, _REACH))
    return [(old, new) for old, new in pairs.tolist() if cost[old, new] < _REACH]
