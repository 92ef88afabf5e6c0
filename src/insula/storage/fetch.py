"""Fetching open data: files that a list of sha256 names, each checked before it gets its name."""

from __future__ import annotations

import logging
import re
import textwrap
from pathlib import Path

from insula.errors import DataError
from insula.storage.hashing import sha256_of
from insula.storage.progress import Step

_LINE = re.compile(r"([0-9a-f]{64}) [ *]?(\S.*)")


def read_checksums(path: Path) -> dict[str, str]:
    """Return the sha256 of each file that a list names, as `sha256sum` writes it.

    Raises
    ------
    DataError
        If a line is none of such a list, or a name leads out of the folder.
    """
    hashes: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _LINE.fullmatch(line.strip())
        if not match:
            raise DataError(f"{line[:60]!r} is no line of a list of sha256", where=path, do="remove it and fetch again")
        name = match[2]
        if name.startswith("/") or "\\" in name or ".." in name.split("/") or ":" in name:
            raise DataError(f"{name!r} leads out of the folder", where=path, do="do not trust this source")
        hashes[name] = match[1]
    return hashes


def fetch_listed(base: str, checksums: str, folder: Path, step: Step | None = None) -> list[Path]:
    """Fetch every file that a list of sha256 names into a folder; files that are there already are only checked.

    A file comes under a temporary name, is checked, and only then gets its own, so the same call goes on after an
    interruption. A file of the same name with other content is never overwritten.

    Parameters
    ----------
    base : str
        Address of the folder, with a slash at its end.
    checksums : str
        The list's name in it.
    folder : Path
        Where to; made where it is not there.
    step : callable, optional
        Told how many files are done, how many there are, and the next one's name.

    Returns
    -------
    list of Path
        The files, as listed.

    Raises
    ------
    DataError
        If an address does not answer, a file is not what the list says, or another file has its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / checksums
    listed.unlink(missing_ok=True)  # it is small, and an old one would speak of another version
    _fetch(base + checksums, None, listed)
    wanted = read_checksums(listed)
    for done, (name, sha256) in enumerate(wanted.items()):
        if step:
            step(done, len(wanted), name)
        path = folder / name
        if not path.exists():
            _fetch(base + name, sha256, path)
        elif sha256_of(path) != sha256:
            what = f"a file of this name is here, and it is not the published one (sha256 {sha256[:12]}...)"
            raise DataError(what, where=path, do="move it away, or fetch into another folder")
    return [folder / name for name in wanted]


def _fetch(address: str, sha256: str | None, path: Path) -> None:
    """Fetch one file; with a wrong hash, nothing of it is left."""
    import pooch  # type: ignore[import-untyped]

    path.parent.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        pooch.retrieve(address, known_hash=sha256 and f"sha256:{sha256}", fname=path.name, path=path.parent)
    except ValueError:  # pooch's, and only where there is a hash
        what = f"what came is not the published file (sha256 {str(sha256)[:12]}...)"
        raise DataError(what, where=address, do="fetch it again; if it comes so again, do not use it") from None
    except OSError as error:  # requests raises these for names that are not found, refusals and interruptions
        message = textwrap.shorten(str(error), 300, placeholder=" ...")
        raise DataError(f"cannot be fetched: {message}", where=address, do="run the same command again") from None
