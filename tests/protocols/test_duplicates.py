"""Near-duplicate pictures: copies of every usual kind are found, other photographs and expressions are not."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from insula.protocols.duplicates import Marks, mark_pictures, marks_of, near_duplicates
from insula.samples import ArrayStore, Description


def reencoded(picture: Image.Image) -> Image.Image:
    with BytesIO() as buffer:
        picture.save(buffer, "JPEG", quality=50)
        return Image.open(buffer).convert("RGB")


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "halved": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "doubled": lambda picture: picture.resize((picture.width * 2, picture.height * 2)),
    "thumbnail": lambda picture: picture.resize((48, 48)),
    "brightened": lambda picture: ImageEnhance.Brightness(picture).enhance(1.1),
    "lifted": lambda picture: picture.point(lambda value: min(255, value + 20)),
    "darkened": lambda picture: ImageEnhance.Brightness(picture).enhance(0.85),
    "mirrored": ImageOps.mirror,
    "cropped a little": lambda picture: picture.crop((10, 8, picture.width - 8, picture.height - 10)),
    "mirrored, turned and re-encoded": lambda picture: reencoded(ImageOps.mirror(picture).rotate(-5)),
}


def marks(pictures: list[Image.Image]) -> Marks:
    return mark_pictures(np.stack([np.asarray(picture) for picture in pictures]))


@pytest.fixture(scope="module")
def photographs(data: Path) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted((data / "london-faces").glob("*.jpg"))]


@pytest.fixture(scope="module")
def photograph_marks(photographs: list[Image.Image]) -> Marks:
    return marks(photographs)


def test_no_two_of_the_london_photographs_are_taken_for_copies(photograph_marks: Marks) -> None:
    n = len(photograph_marks)
    assert n == 204
    assert near_duplicates(photograph_marks, photograph_marks).tolist() == [[place, place] for place in range(n)]


ODD = ["doubled", "thumbnail", "lifted", "cropped a little", "mirrored, turned and re-encoded"]


@pytest.mark.parametrize("kind", ODD)
def test_copies_of_the_london_photographs_are_found_and_nothing_else(
    kind: str, photographs: list[Image.Image], photograph_marks: Marks
) -> None:
    some = np.arange(0, 204, 12)
    copies = marks([COPIES[kind](photographs[place]) for place in some])
    found = [tuple(pair) for pair in near_duplicates(photograph_marks, copies).tolist()]
    wanted = [(row, place) for place, row in enumerate(some.tolist())]
    if kind == "thumbnail":  # of so few pixels a smile of the same person may be a copy, and of nobody else
        assert {*wanted} <= {*found} and all(row // 2 == some[place] // 2 for row, place in found)
    else:
        assert found == wanted


def cartoon(person: int, expression: int, size: int = 96) -> Image.Image:
    """Draw a face: the person gives its colours and widths, the expression bends the mouth and lifts the brows."""
    rng = np.random.default_rng(person)
    skin, hair = (tuple(int(value) for value in rng.integers(40, 200, 3)) for _ in range(2))
    wide = int(rng.integers(24, 36))
    picture = Image.new("RGB", (96, 96), tuple(int(value) for value in rng.integers(80, 200, 3)))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((48 - wide - 4, 4, 52 + wide, 60), fill=hair)
    pen.ellipse((48 - wide, 12, 48 + wide, 90), fill=skin)
    for side in (-1, 1):
        eye = 48 + side * wide // 2
        pen.ellipse((eye - 5, 40, eye + 5, 46), fill=(215, 215, 215), outline="black")
        pen.line((eye - 7, 34 - 4 * expression, eye + 7, 34 - 2 * expression), fill=hair, width=2)
    if expression == 1:
        pen.chord((36, 60, 60, 80), 0, 180, fill=(215, 215, 215), outline="black")
    elif expression == 2:
        pen.ellipse((43, 64, 53, 82), fill="black")
    else:
        pen.line((38, 72, 58, 72), fill="black", width=2)
    return picture.resize((size, size))


CARTOONS = [cartoon(person, expression) for person in range(8) for expression in range(3)]


def test_expressions_of_one_cartoon_are_no_copies() -> None:
    mine = marks(CARTOONS)
    assert near_duplicates(mine, mine).tolist() == [[place, place] for place in range(24)]


@pytest.mark.parametrize("kind", ["halved", "doubled", "brightened", "lifted", "darkened", "mirrored"])
def test_copies_of_cartoons_are_found(kind: str) -> None:
    copies = marks([COPIES[kind](picture) for picture in CARTOONS])
    found = near_duplicates(marks(CARTOONS), copies)
    assert {(place, place) for place in range(24)} <= {tuple(pair) for pair in found.tolist()}


def test_blank_and_white_pictures_are_copies_of_nothing() -> None:
    pictures = np.stack([np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)])
    blank = mark_pictures(pictures)
    assert not len(near_duplicates(blank, blank))


def test_pictures_of_a_store_are_read_once() -> None:
    class Counting(ArrayStore):
        reads = 0

        def read(self, rows: np.ndarray) -> np.ndarray:
            Counting.reads += len(rows)
            return super().read(rows)

    values = np.stack([np.asarray(picture) for picture in CARTOONS])
    store = Counting(values, Description(kind="picture", axes=("row", "column", "colour")))
    first, again = marks_of(store, np.array([3, 1])), marks_of(store, np.array([1, 3, 5]))
    assert Counting.reads == 3
    assert np.array_equal(first.grey, again.grey[[1, 0]])
    assert np.array_equal(again.grey, mark_pictures(values[[1, 3, 5]]).grey)
