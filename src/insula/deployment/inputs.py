"""What a person hands over to be predicted: pictures, videos, and folders of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from insula.errors import DataError
from insula.faces import pictures, video

_KNOWN = pictures.SUFFIXES | video.SUFFIXES


def is_video(path: Path) -> bool:
    """Return whether a file is a video, by the ending of its name."""
    return path.suffix.lower() in video.SUFFIXES


def list_inputs(given: Iterable[Path]) -> list[Path]:
    """Return the files to read, each once, in the order given; of a folder its pictures and videos, and those below.

    What is absent stays in the list, and so does a folder with nothing to read: `check_input` says so of them.
    """
    paths: dict[Path, None] = {}
    for path in given:
        paths |= dict.fromkeys(_within(path) or [path])
    return list(paths)


def check_input(path: Path) -> None:
    """Raise a DataError where one of `list_inputs` is absent, or a folder without pictures and videos."""
    if path.is_dir():
        do = f"known endings are {' '.join(sorted(_KNOWN))}"
        raise DataError("no picture or video in this folder", where=path, do=do)
    if not path.exists():
        raise DataError("no such file or folder", where=path, do="give pictures, videos, or folders of them")


def _within(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _KNOWN and not path.name.startswith(".") and path.is_file()
    )
