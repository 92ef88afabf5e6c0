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
    try:
        with Image.open(path) as image:
            image.load()  # before anything else: this is where a truncated file shows
            return from_image(image, path)
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
    return image.convert("RGB")
