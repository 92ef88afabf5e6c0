"""What a person hands over to be recognised: files, folders, patterns, arrays, pictures of Pillow, camera frames."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from insula.errors import DataError, printable
from insula.faces import pictures, video
from insula.storage.below import files_below

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    Inputs: TypeAlias = str | Path | np.ndarray | Image.Image | pd.Series | Iterable[Any]

_KNOWN = pictures.SUFFIXES | video.SUFFIXES
_WANTED = "give paths, uint8 arrays of (height, width, 3), or pictures of Pillow"


class View(NamedTuple):
    """A picture to look at.

    Parameters
    ----------
    picture : uint8 array, shape (height, width, 3)
        RGB, the right side up.
    frame : int or None
        Which frame of a film or a camera it is, from 0.
    time : float or None
        When it was taken, in seconds since the first frame, where that is known.
    """

    picture: np.ndarray
    frame: int | None = None
    time: float | None = None


class Source(NamedTuple):
    """One thing that was handed over: a file, a picture in memory, or a run of frames.

    Parameters
    ----------
    name : str
        Its path; of a picture in memory `picture 0`, of frames `frames 0`, counted over all that was handed over.
    given : object
        The thing itself.
    """

    name: str
    given: Any

    @property
    def is_film(self) -> bool:
        """Whether its views follow one another in time."""
        return is_video(self.given) if isinstance(self.given, Path) else isinstance(self.given, Iterator)

    def views(self, rate: float | None = None) -> Iterator[View]:
        """Yield what there is to see, one picture in memory at a time.

        Parameters
        ----------
        rate : float, optional
            Frames of a film that are looked at, a second; all where not given. Of a camera every frame that it gives.

        Raises
        ------
        DataError
            Where it cannot be read, or is no picture.
        """
        if isinstance(self.given, Path):
            check_input(self.given)
            if not is_video(self.given):
                yield View(pictures.read_picture(self.given))
                return
            for frame in video.read_video(self.given, rate):
                yield View(frame.picture, frame.number, frame.time)
        elif isinstance(self.given, Iterator):
            for number, frame in enumerate(self.given):
                yield View(_in_memory(frame, f"{self.name}, frame {number}"), number)
        else:
            yield View(_in_memory(self.given, self.name))


def sources(inputs: Inputs) -> list[Source]:
    """Return what is to be looked at, in the order given; of folders and patterns no file that was named before.

    A path stands for itself, a folder for the pictures and films in it and below, a pattern such as `faces/*.jpg` for
    the files that fit. An array of four axes is as many pictures. What is read only once, such as a generator of a
    camera's frames, is one film.

    Raises
    ------
    DataError
        Where something is neither, or no file fits a pattern.

    Warns
    -----
    UserWarning
        Saying how many files of a folder are not read, by ending.

    Examples
    --------
    >>> [source.name for source in sources(["a.jpg", np.zeros((8, 8, 3), np.uint8)])]
    ['a.jpg', 'picture 0']
    """
    looked_at: list[Source] = []
    named: set[Path] = set()
    counts = {"frames": 0, "picture": 0}
    for item in _items(inputs):
        if isinstance(item, str | Path):
            files = _files(item)
            passed = pictures.passed_over(Path(item), _KNOWN) if Path(item).is_dir() else None
            if passed:
                warnings.warn(f"{item}: {passed}", stacklevel=3)
            kept = files if files == [Path(item)] else [path for path in files if path not in named]
            named.update(files)
            looked_at += [Source(shown(path), path) for path in kept]
        else:
            kind = "frames" if isinstance(item, Iterator) else "picture"
            looked_at.append(Source(f"{kind} {counts[kind]}", item))
            counts[kind] += 1
    return looked_at


def shown(path: Path) -> str:
    r"""Return a path as text: bytes that are none, as file systems allow, and control characters are spelt out.

    Examples
    --------
    >>> print(shown(Path(os.fsdecode(b"caf\xe9.jpg"))))
    caf\xe9.jpg
    """
    return printable(os.fsencode(path).decode("utf-8", "backslashreplace"))


def is_video(path: Path) -> bool:
    """Return whether a file is a video, by the ending of its name."""
    return path.suffix.lower() in video.SUFFIXES


def check_input(path: Path) -> None:
    """Raise a DataError where a file is absent, or a folder without pictures and videos."""
    if path.is_dir():
        do = pictures.passed_over(path, _KNOWN) or f"known endings are {' '.join(sorted(_KNOWN))}"
        raise DataError("no picture or video in this folder", where=path, do=do)
    if not path.exists():
        raise DataError("no such file or folder", where=path, do="give pictures, videos, or folders of them")
    if not path.is_file():  # a pipe would be waited for
        raise DataError("this is no file", where=path, do="give pictures, videos, or folders of them")


def _items(inputs: Any) -> Iterator[Any]:
    """Yield the single things of what was given: an array of four axes and a list are many, a run of frames is one."""
    if isinstance(inputs, Iterator) and not hasattr(inputs, "read"):
        first = next(inputs, None)
        whole = () if first is None else chain([first], inputs)
        if isinstance(first, str | Path):  # a generator of paths is no film
            for item in whole:
                yield from _items(item)
        elif first is not None:
            yield whole
    elif isinstance(inputs, str | Path) or _is_picture(inputs):
        yield inputs
    elif isinstance(inputs, np.ndarray) and inputs.ndim not in (1, 4):
        raise DataError(f"an array of shape {inputs.shape} is no picture", do=_WANTED)
    elif isinstance(inputs, np.ndarray) and inputs.ndim == 4:
        yield from inputs
    elif hasattr(inputs, "read"):
        raise DataError("an open file is not read", do="give its path, or open it with PIL.Image.open")
    elif hasattr(inputs, "columns"):  # a table would be read as the names of its columns
        raise DataError("a table is no picture", do="give the column that holds paths, as in table['path']")
    elif isinstance(inputs, Iterable) and not isinstance(inputs, bytes | dict):
        for item in inputs:
            yield from _items(item)
    else:
        raise DataError(f"{type(inputs).__name__} is nothing that shows a face", do=_WANTED)


def _is_picture(item: Any) -> bool:
    if isinstance(item, np.ndarray):
        return item.ndim in (2, 3) and item.dtype != object
    from PIL import Image

    return isinstance(item, Image.Image)


def _files(item: str | Path) -> list[Path]:
    if not str(item):
        raise DataError("an empty path", do="give a file, or . for this folder")
    path = Path(item)
    if has_magic(str(item)) and not path.exists():
        fitting = sorted(Path(name) for name in glob(str(item), recursive=True))
        if not fitting:
            raise DataError("no file fits this pattern", where=item, do="correct it, or name the files")
        return [one for path in fitting for one in (_within(path) or [path])]
    return _within(path) or [path]


def _within(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in files_below(folder) if path.suffix.lower() in _KNOWN]


def _in_memory(item: Any, where: str) -> np.ndarray:
    """Return a picture in memory as uint8 RGB."""
    if not _is_picture(item):
        raise DataError(f"{type(item).__name__} is no picture", where=where, do=_WANTED)
    if not isinstance(item, np.ndarray):
        return pictures.from_image(item, where)
    if item.dtype != np.uint8 or 0 in item.shape:
        do = "give uint8 from 0 to 255; of values from 0 to 1, (255 * picture).astype('uint8')"
        raise DataError(f"a picture of {item.dtype}, shape {item.shape}, cannot be read", where=where, do=do)
    if item.ndim == 3 and item.shape[2] not in (1, 3, 4):
        raise DataError(f"a picture of shape {item.shape} cannot be read", where=where, do=_WANTED)
    if item.ndim == 3 and item.shape[2] == 3:
        return item
    from PIL import Image

    return pictures.from_image(Image.fromarray(item[:, :, 0] if item.shape[2:] == (1,) else item), where)
