"""The files below a folder as a person sees them: linked folders too, hidden ones not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def visible_files(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Yield the files in a folder and below it, in order of their names; links that lead nowhere are among them.

    A linked folder is looked into like any other, unless it leads back to one that it lies in. What has a name with a
    point before it is hidden.

    Parameters
    ----------
    folder : Path
        Where to look; nothing is yielded where it is none.
    above : tuple of Path
        The real places of the folders that it lies in.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "joy").mkdir()
    >>> (folder / "joy" / "round").symlink_to(folder)
    >>> (folder / "joy" / "away.jpg").symlink_to("nowhere")
    >>> (folder / ".hidden").touch()
    >>> [path.relative_to(folder).as_posix() for path in visible_files(folder)]
    ['joy/away.jpg']
    """
    real = folder.resolve()
    if not folder.is_dir() or real in above:
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from visible_files(path, (*above, real))
        else:
            yield path
