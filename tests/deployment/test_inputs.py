"""What may be handed over: paths, folders, patterns, arrays, pictures of Pillow, runs of frames; and what may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from filmed import film
from insula.deployment.inputs import sources
from insula.errors import DataError

RED = np.full((6, 8, 3), (250, 10, 20), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    for name in ("b.png", "a.png", "below/c.png"):
        Image.fromarray(RED).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def names(inputs: Any) -> list[str]:
    return [Path(source.name).name for source in sources(inputs)]


def test_paths_folders_and_patterns_come_in_order_and_once(folder: Path) -> None:
    assert names(folder) == names(str(folder)) == ["a.png", "b.png", "c.png"]
    assert names([folder / "b.png", folder]) == ["b.png", "a.png", "c.png"]
    assert names([folder / "b.png"] * 2) == ["b.png", "b.png"]  # a row for each that was named
    assert names(iter([folder / "b.png", str(folder / "a.png")])) == ["b.png", "a.png"]
    assert names(iter([])) == []
    assert names(f"{folder}/*.png") == ["a.png", "b.png"]
    assert names(f"{folder}/**/*.png") == ["a.png", "b.png", "c.png"]
    assert names(pd.DataFrame({"photo": [str(folder / "b.png")]})["photo"]) == ["b.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (folder / "a.png").rename(folder / "a[1].png")
    assert names(folder / "a[1].png") == ["a[1].png"]


@pytest.mark.parametrize(
    "given",
    [
        RED,
        np.dstack([RED, np.full((6, 8), 255, np.uint8)]),
        Image.fromarray(RED),
        Image.fromarray(RED).convert("RGBA"),
    ],
    ids=["rgb", "rgba", "pillow", "pillow with alpha"],
)
def test_pictures_in_memory_become_rgb(given: Any) -> None:
    (source,) = sources(given)
    (view,) = source.views()
    assert source.name == "picture 0" and not source.is_film
    np.testing.assert_array_equal(view.picture, RED)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1)])
def test_a_grey_array_has_three_equal_colours(shape: tuple[int, ...]) -> None:
    (view,) = next(iter(sources(np.full(shape, 77, np.uint8)))).views()
    np.testing.assert_array_equal(view.picture, np.full((6, 8, 3), 77, np.uint8))


def test_an_array_of_four_axes_and_a_list_are_many_pictures() -> None:
    assert names(np.stack([RED, RED])) == names([RED, Image.fromarray(RED)]) == ["picture 0", "picture 1"]


def test_a_generator_of_frames_is_one_film_and_is_read_as_it_comes() -> None:
    taken = []

    def camera():
        for number in range(3):
            taken.append(number)
            yield RED

    (source,) = sources(camera())
    assert source.name == "frames 0" and source.is_film and taken == [0]  # what it gives, tells what it is
    views = source.views()
    assert next(views).frame == 0 and taken == [0]
    assert [view.frame for view in views] == [1, 2]


def test_frames_of_a_film_have_their_number_and_time(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", [np.zeros((32, 32, 3), np.uint8)] * 10, np.arange(10) / 10)
    views = list(next(iter(sources(path))).views(rate=5))
    assert [view.frame for view in views] == [0, 2, 4, 6, 8]
    assert [view.time for view in views] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "int is nothing that shows a face"),
        ([None], "NoneType is nothing that shows a face"),
        (b"abc", "bytes is nothing"),
        ("/nowhere/*.jpg", "no file fits this pattern"),
        ("", "an empty path"),
        (np.array(3), r"an array of shape \(\) is no picture"),
    ],
)
def test_what_shows_no_face_is_one_line(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        sources(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((6, 8, 3)), r"picture of float64.*\(picture 0\): give uint8 from 0 to 255"),
        (np.zeros((6, 8, 2), np.uint8), r"shape \(6, 8, 2\) cannot be read"),
        (np.zeros((0, 8, 3), np.uint8), r"shape \(0, 8, 3\), cannot be read"),
        (Path("/nowhere/a.jpg"), "no such file or folder"),
    ],
)
def test_what_cannot_be_read_says_so_when_it_is_looked_at(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(next(iter(sources(given))).views())


def test_a_frame_that_is_no_picture_is_named() -> None:
    with pytest.raises(DataError, match=r"str is no picture \(frames 0, frame 1\)"):
        list(next(iter(sources(iter([RED, "b.png"])))).views())
