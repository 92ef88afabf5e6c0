"""From picture files to aligned faces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from insula.errors import DataError
from insula.faces.alignment import align
from insula.faces.detection import Face, FaceDetector
from insula.faces.pictures import read_picture
from insula.faces.quality import quality


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """An aligned face.

    Parameters
    ----------
    pixels : ndarray, uint8, (size, size, 3)
        RGB, as `align` makes it.
    face : Face
        Where it was found, in pixels of the upright picture.
    flags : tuple of str
        What `quality` says of it.
    """

    pixels: np.ndarray
    face: Face
    flags: tuple[str, ...]


def crop_faces(
    paths: Iterable[Path],
    size: int,
    detector: FaceDetector,
    which: Literal["largest", "all"] = "largest",
    *,
    require: bool = False,
) -> list[list[FaceCrop]]:
    """Return, for each picture file, its aligned faces, largest first.

    Parameters
    ----------
    paths : iterable of Path
        Picture files.
    size : int
        Side of the crops in pixels.
    detector : FaceDetector
        Finds the faces.
    which : {"largest", "all"}
        Keep the largest face of a picture, or all.
    require : bool
        Refuse a picture without a face; where False its list is empty.

    Raises
    ------
    DataError
        Where a picture cannot be read, or shows no face and `require` is set.
    """
    found = []
    for path in paths:
        picture = read_picture(path)
        faces = detector.detect(picture)
        if require and not faces:
            raise DataError("no face was found", where=path, do="leave the picture out or give one that shows a face")
        found.append(cut_faces(picture, faces[:1] if which == "largest" else faces, size))
    return found


def cut_faces(picture: np.ndarray, faces: Sequence[Face], size: int) -> list[FaceCrop]:
    """Return the aligned crops of faces that were found in a picture, uint8 RGB (height, width, 3)."""
    return [FaceCrop(align(picture, face, size), face, quality(picture, face)) for face in faces]
