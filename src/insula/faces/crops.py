"""From picture files to crops of faces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from insula.errors import DataError, SettingsError
from insula.faces.alignment import align
from insula.faces.detection import Face, FaceDetector
from insula.faces.framing import frame_by_box
from insula.faces.pictures import read_picture, read_reduced
from insula.faces.quality import FLAGGED_AT, quality

LOOKED_AT = 960  # pixels; the detector shrinks longer pictures to fewer, in whatever size they come

Framing = Literal["eyes", "box"]

_CUTS: dict[str, Callable[[np.ndarray, Face, int], np.ndarray]] = {"eyes": align, "box": frame_by_box}


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """A face that was cut out.

    Parameters
    ----------
    pixels : ndarray, uint8, (size, size, 3)
        RGB, as `align` or `frame_by_box` makes it.
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
    crops = []
    for path in paths:
        picture = read_picture(path)
        faces = detector.detect(picture)
        if require and not faces:
            raise DataError("no face was found", where=path, do="leave the picture out or give one that shows a face")
        crops.append(cut_faces(picture, faces[:1] if which == "largest" else faces, size))
    return crops


def crop_photograph(path: Path, size: int, detector: FaceDetector, framing: Framing = "eyes") -> list[FaceCrop]:
    """Return the crops of all faces in a picture file, largest first, as quickly as the file allows.

    A large JPEG is decoded at a part of its size first. Where a face is smaller there than its crop, or than what its
    flags are judged on, the file is decoded again, as large as the smallest face needs it and no larger: no crop has
    fewer pixels than the file can give. Boxes and landmarks are in pixels of the whole picture.

    Parameters
    ----------
    path : Path
        A picture file.
    size : int
        Side of the crops in pixels.
    detector : FaceDetector
        Finds the faces; a `quick` one is meant for this.
    framing : {"eyes", "box"}
        As for `cut_faces`.

    Raises
    ------
    DataError
        Where the picture cannot be read.
    SettingsError
        As `cut_faces`.
    """
    picture, divisor = read_reduced(path, LOOKED_AT)
    faces = [_scaled(face, divisor) for face in detector.detect(picture)]
    if divisor > 1 and faces:
        longer = max(picture.shape[:2])
        needed = max(size, FLAGGED_AT) / min(face.size for face in faces) * divisor * longer
        if needed > longer:
            picture, divisor = read_reduced(path, needed)
    crops = cut_faces(picture, [_scaled(face, 1 / divisor) for face in faces], size, framing)
    return [FaceCrop(crop.pixels, face, crop.flags) for crop, face in zip(crops, faces, strict=True)]


def _scaled(face: Face, factor: float) -> Face:
    """Return a face in a picture of another size."""
    if factor == 1:
        return face
    left, top, right, bottom = (place * factor for place in face.box)
    return Face((left, top, right, bottom), face.score, face.landmarks * factor)


def cut_faces(picture: np.ndarray, faces: Sequence[Face], size: int, framing: Framing = "eyes") -> list[FaceCrop]:
    """Return the crops of faces that were found in a picture.

    Parameters
    ----------
    picture : ndarray, uint8, (height, width, 3)
        RGB.
    faces : sequence of Face
        As found in this picture.
    size : int
        Side of the crops in pixels.
    framing : {"eyes", "box"}
        Placed by the eyes, as `align` does, or by the detector's box, as `frame_by_box` does.

    Raises
    ------
    SettingsError
        Where the size is not positive, or there is no such framing.
    """
    if framing not in _CUTS:
        raise SettingsError(f"unknown framing {framing!r}", do=f"give one of {', '.join(_CUTS)}")
    return [FaceCrop(_CUTS[framing](picture, face, size), face, quality(picture, face)) for face in faces]
