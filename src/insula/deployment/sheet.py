"""Annotated pictures: boxes with what was said, and a sheet of many pictures on one page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from insula.storage.atomic import write_file

_INK, _PAPER, _SURE, _UNSURE = (20, 24, 28), (255, 255, 255), (0, 114, 178), (213, 94, 0)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def annotate(picture: np.ndarray, rows: pd.DataFrame) -> Image.Image:
    """Draw each face's box, its most probable class and its probability onto a copy of the picture.

    A box is orange where the prediction is unsure (the best class below one half) or the picture is stranger than the
    training pictures, blue elsewhere.

    Parameters
    ----------
    picture : uint8 array, shape (height, width, 3)
        RGB.
    rows : DataFrame
        The rows of `Predictor.predict` for this picture.
    """
    image = Image.fromarray(picture).convert("RGB")
    pen = ImageDraw.Draw(image)
    unit = max(12, round(min(image.size) / 28))
    font = _font(unit)
    for row in rows.itertuples():
        if pd.isna(row.label):
            continue
        text, colour = _caption(row), _colour(row)
        left, top, right, bottom = (
            (0, 0, image.width - 1, image.height - 1)
            if pd.isna(row.left)
            else (row.left, row.top, row.right, row.bottom)
        )
        pen.rectangle((left, top, right, bottom), outline=colour, width=max(2, unit // 6))
        box = pen.textbbox((0, 0), text, font=font)
        high = box[3] + unit // 3
        start = max(0, top - high) if top >= high else min(bottom, image.height - high)
        x = max(0, min(left, image.width - box[2] - unit // 2))
        pen.rectangle((x, start, x + box[2] + unit // 2, start + high), fill=colour)
        pen.text((x + unit // 4, start + unit // 8), text, fill=_PAPER, font=font)
    return image


def _colour(row: object) -> tuple[int, int, int]:
    return _UNSURE if _best(row) < 0.5 or getattr(row, "out_of_distribution", 0.0) > 1.5 else _SURE


def _best(row: object) -> float:
    return float(getattr(row, f"p_{row.label}"))  # type: ignore[attr-defined]


def _caption(row: object) -> str:
    return f"{row.label} {100 * _best(row):.0f} %"  # type: ignore[attr-defined]


def sheet(pictures: list[np.ndarray], captions: list[str], right: list[bool | None], title: str, path: Path) -> None:
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
    """
    columns, side, gap, foot, head = min(6, len(pictures)), 150, 12, 40, 44
    lines = -(-len(pictures) // columns)
    page = Image.new("RGB", (gap + columns * (side + gap), head + lines * (side + foot + gap)), _PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((gap, 12), title, fill=_INK, font=_font(16))
    colours = {True: _SURE, False: _UNSURE, None: _INK}
    for number, (picture, caption, good) in enumerate(zip(pictures, captions, right, strict=True)):
        x, y = gap + (number % columns) * (side + gap), head + (number // columns) * (side + foot + gap)
        image = Image.fromarray(picture)
        image.thumbnail((side, side))
        page.paste(image.resize((side, side)) if max(image.size) < side else image, (x, y))
        pen.multiline_text((x, y + side + 3), caption, fill=colours[good], font=_font(13), spacing=2)
    with write_file(path) as temporary:
        page.save(temporary, format="PNG")
