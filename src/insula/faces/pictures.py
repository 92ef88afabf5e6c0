"""Pictures from files, always uint8 RGB with the right side up."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from insula.errors import DataError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


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
        raise DataError("this is not a picture that Pillow reads", where=path, do="give a JPEG or PNG file") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"broken picture: {error}", where=path, do="restore the file or leave it out") from None


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
        raise DataError("no picture in this folder", where=folder, do=f"known endings are {' '.join(sorted(SUFFIXES))}")
    return paths


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
