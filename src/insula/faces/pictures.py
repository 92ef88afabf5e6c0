"""Pictures from files, always uint8 RGB with the right side up."""

from __future__ import annotations

import shlex
import struct
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, features

from insula.errors import DataError

SUFFIXES = frozenset({
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
    *((".avif",) if features.check("avif") else ()),
})  # fmt: skip
"""Endings of picture files; AVIF where Pillow was built with it."""

_CONVERTIBLE = (".heic", ".heif", ".avif")  # what phones and browsers write, and Pillow does not read everywhere
_TO_JPEG = "magick mogrify -format jpg"
_BESIDE = {".csv", ".tsv", ".txt", ".md", ".json", ".yaml", ".yml", ".db", ".ini"}  # of documents and systems


def read_picture(path: Path) -> np.ndarray:
    """Return a picture as uint8 RGB, (height, width, 3).

    The EXIF orientation is applied; grey, palette and CMYK pictures become RGB; 16 bits are scaled to 8, not clipped;
    what is transparent is laid on white; of an animation the first frame is read.

    Raises
    ------
    DataError
        Where the file is absent, no picture, truncated or corrupt, or has no defined white (32-bit or float values).

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "grey.png"
    >>> Image.fromarray(np.full((2, 3), 65535, dtype=np.uint16)).save(path)
    >>> picture = read_picture(path)
    >>> picture.shape, int(picture.min())
    ((2, 3, 3), 255)
    """
    return np.asarray(_to_rgb(_opened(path, None)[0], path))


def read_reduced(path: Path, side: float) -> tuple[np.ndarray, int]:
    """Return a picture as `read_picture` does, a large JPEG decoded at a part of its size, and by what it was divided.

    A JPEG file can be decoded at 1/2, 1/4 or 1/8 of its size in less time and memory than whole. Pictures in other
    formats come whole.

    Parameters
    ----------
    path : Path
        A picture file.
    side : float
        Pixels that the longer side keeps at least; a picture with fewer comes whole.

    Returns
    -------
    picture : ndarray, uint8, (height, width, 3)
        RGB, the right side up.
    divisor : int
        1, 2, 4 or 8: a place in the picture times this is the place in the whole one.

    Raises
    ------
    DataError
        As `read_picture`.
    """
    image, divisor = _opened(path, side)
    return np.asarray(_to_rgb(image, path)), divisor


def _opened(path: Path, side: float | None) -> tuple[Image.Image, int]:
    """Return a decoded picture, the right side up, and by what it was divided so that `side` pixels are left."""
    divisor = 1
    try:
        with Image.open(path) as image:
            if side is not None:
                width, height = image.size
                part = next((part for part in (8, 4, 2) if max(width, height) >= part * side), 1)
                drafted = image.draft(None, (max(1, width // part), max(1, height // part))) if part > 1 else None
                if drafted is not None:  # only JPEG files can
                    divisor = round(width / drafted[1][2])
            image.load()  # before anything else: this is where a truncated file shows
            ImageOps.exif_transpose(image, in_place=True)
            return image, divisor
    except FileNotFoundError:
        raise DataError("no such file", where=path, do="correct the path") from None
    except Image.UnidentifiedImageError:
        raise DataError("this is not a picture that Pillow reads", where=path, do=_readable(path)) from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"broken picture: {error}", where=path, do="restore the file or leave it out") from None


def _readable(path: Path) -> str:
    """Return what to do about a file that is no picture to Pillow."""
    if path.suffix.lower() in _CONVERTIBLE:
        return f"make it a JPEG: {_TO_JPEG} {shlex.quote(str(path))}"
    return "give a JPEG or PNG file"


def from_image(image: Image.Image, where: object) -> np.ndarray:
    """Return a picture of Pillow as `read_picture` does, uint8 RGB (height, width, 3).

    Raises
    ------
    DataError
        Where it has no defined white (32-bit or float values); `where` is what it is called.
    """
    return np.asarray(_to_rgb(ImageOps.exif_transpose(image), where))


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files in a folder and the folders below it, sorted; hidden files are left out.

    Raises
    ------
    DataError
        Where there is no such folder or no picture in it.
    """
    if not folder.is_dir():
        raise DataError("no such folder", where=folder, do="give a folder of pictures")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not paths:
        do = passed_over(folder) or f"known endings are {' '.join(sorted(SUFFIXES))}"
        raise DataError("no picture in this folder", where=folder, do=do)
    return paths


def picture_size(path: Path) -> tuple[int, int]:
    """Return height and width of a picture file, in pixels as they are stored; nothing is decoded.

    Raises
    ------
    DataError
        Where it cannot be read.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"broken picture: {error}", where=path, do="restore the file or leave it out") from None


def passed_over(folder: Path, read: frozenset[str] = SUFFIXES) -> str | None:
    """Return how many files in a folder and below it are not read, by ending, in words; None where all are.

    Hidden files, tables and texts do not count.

    Parameters
    ----------
    folder : Path
        Where to look.
    read : frozenset of str
        Endings that are read.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.jpg", "b.doc", "c.doc", "notes"):
    ...     (folder / name).touch()
    >>> passed_over(folder)
    '3 files are passed over: 2 .doc, 1 without an ending'
    """
    endings = [path.suffix.lower() for path in folder.rglob("*") if not path.name.startswith(".") and path.is_file()]
    counts = Counter(ending for ending in endings if ending not in read | _BESIDE)
    if not counts:
        return None
    named = ", ".join(f"{count:,} {ending or 'without an ending'}" for ending, count in counts.most_common())
    total = counts.total()
    cures = [f"find {shlex.quote(str(folder))} -iname '*{ending}' -exec {_TO_JPEG} {{}} +"
             for ending in _CONVERTIBLE if counts[ending]]  # fmt: skip
    as_jpeg = f"; as JPEG they are read: {' ; '.join(cures)}" if cures else ""
    return f"{total:,} {'file is' if total == 1 else 'files are'} passed over: {named}{as_jpeg}"


def _to_rgb(image: Image.Image, path: object) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise DataError(
                f"picture of mode {image.mode} has no defined white", where=path, do="save it with 8 or 16 bits"
            )
        image = Image.fromarray(np.round(values / 257.0).astype(np.uint8))  # 65535 / 255 = 257
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")
