"""Annotated pictures: boxes with what was said, and a sheet of many pictures on one page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont, ImageOps

from insula.storage.atomic import write_file

_INK, _PAPER, _SURE, _UNSURE, _REFUSED = (20, 24, 28), (255, 255, 255), (0, 114, 178), (213, 94, 0), (90, 96, 102)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def annotate(picture: np.ndarray, rows: pd.DataFrame) -> Image.Image:
    """Draw each face's box, its most probable class and its probability onto a copy of the picture.

    A box is grey and crossed where the answer is withheld, orange where it is unsure (which the caption then says),
    blue elsewhere. Flags of quality stand below the answer.
    In a video the number of the face stands before the class.

    Parameters
    ----------
    picture : uint8 array, shape (height, width, 3)
        RGB.
    rows : DataFrame
        The rows of `Predictor.predict` for this picture.
    """
    image = Image.fromarray(picture).convert("RGB")
    pen = ImageDraw.Draw(image)
    for row in rows.itertuples():
        if pd.isna(row.face):
            continue
        whole = pd.isna(row.left)
        box = (0, 0, image.width - 1, image.height - 1) if whole else (row.left, row.top, row.right, row.bottom)
        unit = int(np.clip((box[3] - box[1]) / 7, 11, min(image.size) / 28 + 11))
        pen.rectangle(box, outline=_colour(row), width=max(2, unit // 7))
        if _refused(row):
            pen.line(box, fill=_REFUSED, width=max(2, unit // 7))
        _tag(pen, _caption(row), box, image.size, _font(unit), _colour(row))
    return image


def _tag(
    pen: ImageDraw.ImageDraw,
    text: str,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    colour: tuple[int, int, int],
) -> None:
    """Write a tag above the box, or below it where there is no room."""
    _, _, wide, high = pen.multiline_textbbox((0, 0), text, font=font)
    wide, high = wide + 8, high + 8
    x = max(0, min(box[0], size[0] - wide))
    y = box[1] - high if box[1] >= high else min(box[3], size[1] - high)
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.multiline_text((x + 4, y + 2), text, fill=_PAPER, font=font)


def _colour(row: object) -> tuple[int, int, int]:
    if _refused(row):
        return _REFUSED
    return _UNSURE if _words(row, "sure").startswith("unsure") else _SURE


def _refused(row: object) -> bool:
    return bool(pd.isna(row.label))  # type: ignore[attr-defined]


def _words(row: object, name: str) -> str:
    value: Any = getattr(row, name, None)
    return "" if pd.isna(value) else str(value)


def _caption(row: object) -> str:
    track: Any = getattr(row, "track", None)
    name = "" if pd.isna(track) else f"{track:.0f}: "
    if _refused(row):
        return f"{name}no answer\n{_words(row, 'reason').partition(':')[0]}".rstrip()
    text = f"{name}{row.label} {100 * row.probability:.0f} %"  # type: ignore[attr-defined]
    sure = _words(row, "sure")
    return "\n".join(line for line in (text, sure if sure.startswith("unsure") else "", _words(row, "quality")) if line)


def sheet(
    pictures: list[np.ndarray],
    captions: list[str],
    right: list[bool | None],
    title: str,
    path: Path,
    *,
    columns: int = 6,
    side: int = 150,
) -> None:
    """Write a page of pictures with captions; a caption is blue where right, orange where wrong.

    Parameters
    ----------
    pictures : list of uint8 arrays
        RGB, any size.
    captions : list of str
        One a picture; lines are separated by a newline.
    right : list of bool or None
        Whether what was said is true; None where that is not known.
    title : str
        Heading.
    path : Path
        PNG file to write.
    columns, side : int
        Pictures in a line, and the most pixels along an edge of one.
    """
    small = [ImageOps.contain(Image.fromarray(picture), (side, side), Image.Resampling.LANCZOS) for picture in pictures]
    columns, high, gap, foot, head = min(columns, len(small)), max(image.height for image in small), 12, 40, 44
    lines = -(-len(small) // columns)
    wide = max(gap + columns * (side + gap), 2 * gap + math.ceil(_font(16).getlength(title)))
    page = Image.new("RGB", (wide, head + lines * (high + foot + gap)), _PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((gap, 12), title, fill=_INK, font=_font(16))
    colours = {True: _SURE, False: _UNSURE, None: _INK}
    for number, (image, caption, good) in enumerate(zip(small, captions, right, strict=True)):
        x, y = gap + (number % columns) * (side + gap), head + (number // columns) * (high + foot + gap)
        page.paste(image, (x, y))
        pen.multiline_text((x, y + high + 3), caption, fill=colours[good], font=_font(13), spacing=2)
    with write_file(path) as temporary:
        page.save(temporary, format="PNG")
