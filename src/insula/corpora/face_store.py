"""From picture files to a store of faces, cut one at a time: memory does not grow with the number of pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from insula.errors import DataError
from insula.faces.crops import Framing
from insula.faces.pictures import read_picture
from insula.samples import ArrayStore, Description
from insula.storage.cache import Cache
from insula.storage.progress import tell

Faces = Literal["detect", "cropped", "boxes"]
"""Find the largest face and align it, take the whole picture as the face, or cut out the box that is given."""

PICTURES = Description(kind="picture", axes=("row", "column", "colour"), units="uint8 RGB")
"""What a store of faces holds."""

_STRETCH = 0.05  # programs that draw pictures round their sides, to multiples of 8 or 32
_WHOLE = Description(kind="picture", axes=("row", "column"), units="uint8 grey")
_SEEN = 128  # pixels of a whole picture, enough to tell copies
_LUMA = np.array([0.299, 0.587, 0.114])
_BLOCK = 256  # pictures, at least, between two notes of how far the work is


def store_faces(
    paths: Sequence[Path],
    faces: Faces,
    size: int,
    cache: Cache,
    key: Sequence[object],
    boxes: np.ndarray | None = None,
    shown: Sequence[Path] | None = None,
    *,
    framing: Framing = "eyes",
) -> tuple[Path, pd.DataFrame]:
    """Cut the face out of each picture, once; an interrupted cut goes on where it stopped.

    Parameters
    ----------
    paths : sequence of Path
        Picture files.
    faces : {"detect", "cropped", "boxes"}
        How the face is found.
    size : int
        Pixels along an edge of the crops.
    cache : Cache
        Where the crops lie.
    key : sequence
        What tells the contents of the files apart, in order.
    boxes : float array, shape (n, 4), optional
        Left, top, right, bottom in pixels, for `faces="boxes"`. The square around a box's middle is cut out, as long as
        its longer side; what lies outside of the picture is black.
    shown : sequence of Path, optional
        A picture for each path, such as a drawing of the photograph: the face is found in the one and cut out of the
        other, as `read_alike` reads it.
    framing : {"eyes", "box"}
        How a face that was found is cut out, see `insula.faces.cut_faces`.

    Returns
    -------
    store : Path
        Folder of a store of uint8 (n, size, size, 3); a picture that is of no use is black there. Of faces that were
        detected it keeps the whole pictures, too, small and grey: a copy may be cut out a little otherwise.
    found : DataFrame
        `problem`, missing where there is none, and `quality`, what was noticed about the face.
    """
    more: dict[str, object] = {"framing": framing} if framing != "eyes" else {}
    more |= {"seen": _SEEN} if faces == "detect" else {}
    whole_key = [faces, size, list(key), *([boxes.tolist()] if boxes is not None else []), *([more] if more else [])]

    def build(folder: Path, checkpoints: Path) -> None:
        _cut(paths, shown, _Cutter(faces, size, framing), boxes, folder, checkpoints)

    folder = cache.resumable("pictures", whole_key, build)
    lines = json.loads((folder / "found.json").read_text())
    return folder / "crops", pd.DataFrame(lines, columns=["problem", "quality"])


def _cut(
    paths: Sequence[Path],
    shown: Sequence[Path] | None,
    cutter: _Cutter,
    boxes: np.ndarray | None,
    folder: Path,
    checkpoints: Path,
) -> None:
    """Write the store `crops`, a row for each path, and `found.json`: [problem, quality] of each."""
    checkpoints.mkdir(parents=True, exist_ok=True)
    checkpoint = checkpoints / "found.json"
    notes = json.loads(checkpoint.read_text()) if checkpoint.exists() else []
    shapes: dict[str, tuple[int, ...]] = {"crops": (len(paths), cutter.size, cutter.size, 3)}
    shapes |= {"whole": (len(paths), _SEEN, _SEEN)} if cutter.faces == "detect" else {}
    stores = {
        name: np.memmap(checkpoints / name, np.uint8, "r+" if notes else "w+", shape=shape)
        for name, shape in shapes.items()
    }
    block = max(_BLOCK, len(paths) // 100)
    for first in range(len(notes), len(paths), block):
        for row, path in enumerate(paths[first : first + block], first):
            try:
                picture = read_picture(path)
                if "whole" in stores:
                    stores["whole"][row] = shrink(picture, _SEEN) @ _LUMA
                drawn = picture if shown is None else read_alike(shown[row], picture)
                box = None if boxes is None else boxes[row]
                stores["crops"][row], quality = cutter.cut(path, picture, drawn, box)
                notes.append((None, quality))
            except DataError as error:
                notes.append((error.what, None))
        for store in stores.values():
            store.flush()
        checkpoint.with_suffix(".new").write_text(json.dumps(notes))
        checkpoint.with_suffix(".new").replace(checkpoint)
        tell(len(notes), len(paths), "reading pictures")
    whole = ArrayStore(stores["whole"], _WHOLE) if "whole" in stores else None
    ArrayStore(stores["crops"], PICTURES, whole).save(folder / "crops")
    (folder / "found.json").write_text(json.dumps(notes))


class _Cutter:
    """Cuts one face after the other."""

    def __init__(self, faces: Faces, size: int, framing: Framing) -> None:
        from insula.faces.detection import FaceDetector

        self.faces, self.size, self.framing = faces, size, framing
        self.detector = FaceDetector(quick=framing == "box")  # as new pictures are looked at

    def cut(self, path: Path, picture: np.ndarray, drawn: np.ndarray, box: np.ndarray | None) -> tuple[np.ndarray, str]:
        """Return the face in a picture, uint8 (size, size, 3), cut out of `drawn`, and what was noticed about it."""
        from insula.faces.crops import cut_faces

        if self.faces != "detect":
            return shrink(drawn if box is None else _square(drawn, box, path), self.size), ""
        faces = self.detector.detect(picture)
        if not faces:
            raise DataError("no face was found", where=path, do="leave it out, or give a picture that shows a face")
        (face,) = cut_faces(drawn, faces[:1], self.size, self.framing)
        return face.pixels, " ".join(face.flags)


def read_alike(path: Path, like: np.ndarray) -> np.ndarray:
    """Return a picture brought to the height and width of another, of which it is a drawing at any scale.

    Raises
    ------
    DataError
        Where it cannot be read, or its sides are in another proportion.
    """
    from PIL import Image

    drawn, (height, width) = read_picture(path), like.shape[:2]
    stretched = drawn.shape[1] * height / (drawn.shape[0] * width)
    if abs(np.log(stretched)) > _STRETCH:
        what = f"{drawn.shape[1]} x {drawn.shape[0]} pixels, and the picture that it repeats has {width} x {height}"
        raise DataError(what, where=path, do="draw the whole picture, at any scale")
    return np.asarray(Image.fromarray(drawn).resize((width, height), Image.Resampling.LANCZOS))


def shrink(picture: np.ndarray, size: int) -> np.ndarray:
    """Return a picture, uint8 (height, width, 3), as a square of this size; one of that size stays as it is."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.LANCZOS))


def _square(picture: np.ndarray, box: np.ndarray, path: Path) -> np.ndarray:
    from PIL import Image

    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    outside = left >= picture.shape[1] or top >= picture.shape[0] or right <= 0 or bottom <= 0
    if not side > 0 or outside:
        raise DataError("its face box is empty or lies outside of it", where=path, do="correct the box")
    middle = np.array([left + right, top + bottom]) / 2
    corners = np.round([*(middle - side / 2), *(middle + side / 2)]).astype(int)
    return np.asarray(Image.fromarray(picture).crop(tuple(corners.tolist())))
