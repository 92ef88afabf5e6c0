"""Pictures from files, always uint8 RGB with the right side up."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, features

from insula.errors import DataError
from insula.storage.walk import visible_files

_HEIC = frozenset({".heic", ".heif", ".hif"})  # what phones write
SUFFIXES = frozenset({
    ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".pjp", ".pjpeg", ".png", ".pnm", ".ppm",
    ".tif", ".tiff", ".webp",
    *((".avif",) if features.check("avif") else ()),
    *(_HEIC if find_spec("pi_heif") else ()),
})  # fmt: skip
"""Endings of picture files; AVIF where Pillow was built with it, HEIC where the tier `heic` is installed."""

_BESIDE = {".csv", ".tsv", ".txt", ".md", ".json", ".yaml", ".yml", ".db", ".ini"}  # of documents and systems
_NAMED = 5  # folders that are named at most


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
    if path.suffix.lower() in _HEIC & SUFFIXES:
        _learn_heic()
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


@cache
def _learn_heic() -> None:
    """Let Pillow read HEIC: not at import, since most never see such a file."""
    from pi_heif import register_heif_opener

    register_heif_opener()


def _readable(path: Path) -> str:
    """Return what to do about a file that is no picture to Pillow."""
    return _cure({path.suffix.lower()}) or "give a JPEG or PNG file"


def _cure(endings: Collection[str]) -> str:
    """Return how files that are not read can be, where that is known."""
    return "pip install 'insula[heic]' reads HEIC" if _HEIC.intersection(endings) - SUFFIXES else ""


def from_image(image: Image.Image, where: object) -> np.ndarray:
    """Return a picture of Pillow as `read_picture` does, uint8 RGB (height, width, 3).

    Raises
    ------
    DataError
        Where it has no defined white (32-bit or float values); `where` is what it is called.
    """
    return np.asarray(_to_rgb(ImageOps.exif_transpose(image), where))


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files in a folder and the folders below it, sorted.

    Linked folders are looked into; what is hidden is left out (`insula.storage.walk.visible_files`).

    Raises
    ------
    DataError
        Where there is no such folder or no picture in it.
    """
    if not folder.is_dir():
        raise DataError("no such folder", where=folder, do="give a folder of pictures")
    paths = sorted(path for path in visible_files(folder) if path.suffix.lower() in SUFFIXES and path.is_file())
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

    Links that lead nowhere are among them, and folders of which nothing is read are named: a class or a person that is
    not there. Hidden files, tables and texts do not count.

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
    >>> (folder / "sad").mkdir()
    >>> for name in ("a.jpg", "sad/b.doc", "sad/c.doc", "notes"):
    ...     (folder / name).touch()
    >>> passed_over(folder)
    '3 files are passed over: 2 .doc, 1 without an ending; nothing is read in sad'
    """
    counts: Counter[str] = Counter()
    with_read, without = {folder}, dict[Path, None]()
    for path in visible_files(folder):
        ending = path.suffix.lower()
        above = path.parents[: len(path.parts) - len(folder.parts)]
        if not path.exists():
            kind = f"linked to where nothing is ({path.relative_to(folder)}; git-annex: git annex get .)"
            ending = next((one for one in counts if one.startswith("linked")), kind)
        elif ending in read:
            with_read.update(above)
            continue
        elif ending in _BESIDE:
            continue
        counts[ending] += 1
        without.update(dict.fromkeys(reversed(above)))
    if not counts:
        return None
    named = ", ".join(f"{count:,} {ending or 'without an ending'}" for ending, count in counts.most_common())
    total = counts.total()
    empty = [path for path in without if path not in with_read and path.parent in with_read]
    names = ", ".join(path.relative_to(folder).as_posix() for path in empty[:_NAMED])
    nothing = f"nothing is read in {names}" if empty else ""
    more = f" and {len(empty) - _NAMED} more" if len(empty) > _NAMED else ""
    what = f"{total:,} {'file is' if total == 1 else 'files are'} passed over: {named}"
    return "; ".join(filter(None, [what, f"{nothing}{more}", _cure(counts)]))


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
