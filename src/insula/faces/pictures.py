"""Pictures from files, always uint8 RGB with the right side up."""

from __future__ import annotations

import math
import shlex
import warnings
from collections import Counter
from collections.abc import Collection
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin, features

from insula.errors import DataError
from insula.storage.below import absent_below, absent_lines, check_names, files_below, first_of, not_fetched

_HEIC = frozenset({".heic", ".heif", ".hif"})  # what phones write
SUFFIXES = frozenset({
    ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".pjp", ".pjpeg", ".png", ".pnm", ".ppm",
    ".tif", ".tiff", ".webp",
    *((".avif",) if features.check("avif") else ()),
    *(_HEIC if find_spec("pi_heif") else ()),
})  # fmt: skip
"""Endings of picture files; AVIF where Pillow was built with it, HEIC where the tier `heic` is installed."""

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "AVIF")  # what those endings stand for, and no others
_MOST_PIXELS = 600_000_000  # of a JPEG, which is decoded at a part of its size where it has more than Pillow admits
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""By EXIF orientation, what turns a picture the right side up."""

_BESIDE = {".csv", ".tsv", ".txt", ".md", ".json", ".yaml", ".yml", ".db", ".ini"}  # of documents and systems


def read_picture(path: Path) -> np.ndarray:
    """Return a picture as uint8 RGB, (height, width, 3).

    The EXIF orientation is applied; grey, palette and CMYK pictures become RGB; 16 bits are scaled to 8, not clipped;
    what is transparent is laid on white; of an animation the first frame is read. EXIF that is broken counts for
    nothing. A JPEG of more pixels than Pillow admits comes at a half, a quarter or an eighth of its size.

    Raises
    ------
    DataError
        Where the file is absent, no picture of a known ending's format, truncated or corrupt, too large, or has no
        defined white (32-bit or float values).

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "grey.png"
    >>> Image.fromarray(np.full((2, 3), 65535, dtype=np.uint16)).save(path)
    >>> picture = read_picture(path)
    >>> picture.shape, int(picture.min())
    ((2, 3, 3), 255)
    """
    return read_reduced(path, math.inf)[0]


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
    divisor = 1
    try:
        with warnings.catch_warnings(), _opened(path) as image:
            warnings.simplefilter("ignore")  # of Pillow, about what is broken beside the pixels
            width, height = image.size
            part = next((part for part in (8, 4, 2) if max(width, height) >= part * side), 1)
            part = max(part, next(part for part in (1, 2, 4, 8, 16) if width * height <= part**2 * _admitted()))
            drafted = image.draft(None, (max(1, width // part), max(1, height // part))) if part > 1 else None
            if drafted is not None:  # only JPEG files can
                divisor = round(width / drafted[1][2])
            image.load()  # before anything else: this is where a truncated file shows
            return np.asarray(_to_rgb(_upright(image), path)), divisor
    except DataError:
        raise
    except Exception as error:  # a broken file makes Pillow raise anything
        raise _broken(path, error) from None


def _opened(path: Path) -> Image.Image:
    """Open a picture, nothing of it decoded; a JPEG may have more pixels than Pillow admits."""
    heic = path.suffix.lower() in _HEIC & SUFFIXES
    if heic:
        _learn_heic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is large
        try:
            return Image.open(path, formats=("HEIF",) if heic else _FORMATS)
        except Image.DecompressionBombError:
            pass
    try:
        image = JpegImagePlugin.JpegImageFile(path)
    except SyntaxError:
        what = f"a picture of more than {2 * _admitted() / 1e6:.0f} megapixels, and no JPEG"
        do = (
            f"make it smaller: magick {shlex.quote(str(path))} -resize 25% {shlex.quote(str(path.with_suffix('.jpg')))}"
        )
        raise DataError(what, where=path, do=do) from None
    if image.width * image.height > _MOST_PIXELS:
        image.close()
        what = f"a picture of more than {_MOST_PIXELS / 1e6:.0f} megapixels"
        raise DataError(what, where=path, do="make it smaller, or leave it out")
    return image


def _admitted() -> int:
    """Return the pixels from which Pillow warns; twice as many it refuses."""
    return Image.MAX_IMAGE_PIXELS or _MOST_PIXELS


def _upright(image: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF says; where that is broken, as it is."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # it may hold anything
        return image
    return image if turn is None else image.transpose(turn)


def _broken(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError("no such file", where=path, do="correct the path")
    if isinstance(error, Image.UnidentifiedImageError):
        if not path.stat().st_size:
            return DataError("the file is empty (0 bytes)", where=path, do="restore it or leave it out")
        absent = not_fetched(path)
        if absent:
            return DataError(absent, where=path)
        return DataError("this is not a picture that Pillow reads", where=path, do=_readable(path))
    what = str(error)[:300] or type(error).__name__
    return DataError(f"broken picture: {what}", where=path, do="restore the file or leave it out")


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
    return np.asarray(_to_rgb(_upright(image), where))


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files in a folder and the folders below it, sorted.

    Linked folders are looked into; what is hidden is left out (`insula.storage.below.files_below`).

    Raises
    ------
    DataError
        Where there is no such folder or no picture in it, or a path is no text.
    """
    if not folder.is_dir():
        raise DataError("no such folder", where=folder, do="give a folder of pictures")
    paths = [path for path in files_below(folder) if path.suffix.lower() in SUFFIXES]
    if not paths:
        do = passed_over(folder) or f"known endings are {' '.join(sorted(SUFFIXES))}"
        raise DataError("no picture in this folder", where=folder, do=do)
    check_names(paths, folder)
    return paths


def picture_size(path: Path) -> tuple[int, int]:
    """Return height and width of a picture file, in pixels as they are stored; nothing is decoded.

    Raises
    ------
    DataError
        Where it cannot be read.
    """
    try:
        with _opened(path) as image:
            return image.height, image.width
    except DataError:
        raise
    except Exception as error:
        raise _broken(path, error) from None


def passed_over(folder: Path, read: frozenset[str] = SUFFIXES) -> str | None:
    """Return how many files in a folder and below it are not read, by ending, in words; None where all are.

    What stands for files that are not there is named (`insula.storage.below.absent_lines`), and so are folders of which
    nothing is read: a class or a person that is not there. Hidden files, tables and texts do not count.

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
    with_read, without, absent = {folder}, dict[Path, None](), absent_below(folder)
    for path in [*absent, *files_below(folder)]:
        ending = path.suffix.lower()
        above = path.parents[: len(path.parts) - len(folder.parts)]
        if path in absent:
            without.update(dict.fromkeys([*reversed(above), *([path] if absent[path] in ("empty", "closed") else [])]))
        elif ending in read:
            with_read.update(above)
        else:
            counts[ending] += ending not in _BESIDE
            without.update(dict.fromkeys(reversed(above)))
    empty = sorted(path for path in without if path not in with_read and path.parent in with_read)
    names = [path.relative_to(folder).as_posix() for path in empty]
    named = ", ".join(f"{count:,} {ending or 'without an ending'}" for ending, count in counts.most_common() if count)
    total = counts.total()
    lines = [
        f"{total:,} {'file is' if total == 1 else 'files are'} passed over: {named}" if total else "",
        *absent_lines({path: kind for path, kind in absent.items() if kind != "empty"}, folder),
        f"nothing is read in {first_of(names)}" if names else "",
        _cure(counts),
    ]
    return "; ".join(filter(None, lines)) or None


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
