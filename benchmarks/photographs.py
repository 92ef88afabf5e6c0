"""Photographs for benchmarks: real faces in pictures of a given size, as JPEG files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from insula.errors import DataError
from insula.faces import list_pictures, read_picture

GRAIN = 4.0  # grey levels; a camera's noise, without which a JPEG file is decoded in no time


def photograph(path: Path, faces: int, width: int, height: int) -> Path:
    """Write a JPEG with London faces on a plain ground: one of 5/6 of the height, or up to eight of a third."""
    data = os.environ.get("INSULA_DATA")
    if not data:
        raise DataError("no photographs", do="set INSULA_DATA")
    paths = list_pictures(Path(data) / "london-faces")[:: max(1, 200 // faces)][:faces]
    side = height * 5 // 6 if faces == 1 else height // 3
    picture = Image.new("RGB", (width, height), (90, 110, 120))
    for number, one in enumerate(paths):
        row, column = divmod(number, width // side)
        face = Image.fromarray(read_picture(one)).resize((side, side), Image.Resampling.LANCZOS)
        picture.paste(face, (column * side, height // 12 + row * side))
    noisy = np.asarray(picture) + np.random.default_rng(0).normal(0, GRAIN, (height, width, 1))
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=92)
    return path
