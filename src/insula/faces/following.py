"""Faces in a film: looked for a few times a second, and followed in between."""

from __future__ import annotations

import numpy as np

from insula.faces.detection import Face, FaceDetector


class FaceFollower:
    """Finds the faces of frame after frame of one film, in half the time that looking at every frame whole takes.

    Every so often, and whenever a face is lost, the whole frame is looked at. In the frames between, only the
    surroundings of each face: who comes in then is seen at the next whole look.

    Parameters
    ----------
    detector : FaceDetector
        Looks; its networks are shared.
    every : float
        Seconds after which the whole frame is looked at. Frames that lie further apart are all looked at whole.

    Examples
    --------
    >>> follower = FaceFollower(FaceDetector(quick=True))
    >>> follower.update(0.0, np.zeros((240, 320, 3), np.uint8))
    []
    """

    def __init__(self, detector: FaceDetector, every: float = 0.2) -> None:
        self.detector, self.every = detector, every
        self._faces: list[Face] = []
        self._looked = -np.inf

    def update(self, time: float, picture: np.ndarray) -> list[Face]:
        """Return the faces of a frame, largest first.

        Parameters
        ----------
        time : float
            Of the frame, in seconds; frames come in order.
        picture : ndarray, uint8, (height, width, 3)
            RGB, the right side up.
        """
        if time - self._looked < self.every - 1e-6:  # times of frames are rounded
            faces = self.detector.follow(picture, self._faces)
            if len(faces) == len(self._faces):
                self._faces = faces
                return faces
        self._faces, self._looked = self.detector.detect(picture), time
        return self._faces
