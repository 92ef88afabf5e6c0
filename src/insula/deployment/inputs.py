"""What a person hands over to be predicted: pictures, videos, and folders of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from insula.errors import DataError
from insula.faces import pictures, video


def is_video(path: Path) -> bool:
    """Return whether a file is a video, by the ending of its name."""
    return path.suffix.lower() in video.SUFFIXES


def list_inputs(given: Iterable[Path]) -> list[Path]:
    """Return the files to read, each once, in the order given; of a folder its pictures and videos, and those below.

    Raises
    ------
    DataError
        Where there is no such file or folder, or a folder holds neither pictures nor videos.
    """
    paths: dict[Path, None] = {}
    for path in given:
        if path.is_dir():
            paths |= dict.fromkeys(_within(path))
        elif path.exists():
            paths[path] = None
        else:
            raise DataError("no such file or folder", where=path, do="give pictures, videos, or folders of them")
    return list(paths)


def _within(folder: Path) -> list[Path]:
    known = pictures.SUFFIXES | video.SUFFIXES
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in known and not path.name.startswith(".") and path.is_file()
    )
    if not paths:
        do = f"known endings are {' '.join(sorted(known))}"
        raise DataError("no picture or video in this folder", where=folder, do=do)
    return paths
