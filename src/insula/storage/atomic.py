"""Writes that are whole or absent: under a temporary name beside the target, then renamed.

A temporary file or folder is held by a lock of the system's while somebody works on it; one that nobody holds was left
by a process that was killed, and whoever writes to the same place next removes it.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from insula.errors import DataError, MachineError

try:
    import fcntl
except ImportError:  # where there is none, nothing is held, and nothing is taken for left behind
    fcntl = None  # type: ignore[assignment]

MARK = ".insula-"
"""How the names of temporary files and folders begin."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no space, no quota, or a limit on the size of files
_LEAST = 1 << 20  # bytes; less than this is a full disk, where a library does not say why it could not write


def check_writable(folder: Path) -> None:
    """Refuse, before long work, a folder for its results that cannot be made or written to.

    Raises
    ------
    DataError
        Naming the file that stands in its way, or the folder above that takes nothing.
    """
    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise DataError("a file stands where a folder should be made", where=nearest, do="give another output folder")
    try:
        tempfile.TemporaryDirectory(prefix=MARK, dir=nearest).cleanup()
    except OSError:
        do = "give another output folder, as in -o ~/results"
        raise DataError("nothing can be written here", where=nearest, do=do) from None


@contextmanager
def write_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; rename it onto the target when the block ends well.

    Examples
    --------
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with write_file(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path.parent, path.suffix) as temporary:
        mode = temporary.stat().st_mode
        yield temporary
        os.chmod(temporary, mode)  # as in `_make_readable`
        os.replace(temporary, path)


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; it replaces the target when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path.parent, mode=0o777) as temporary:
        yield temporary
        _make_readable(temporary)
        _replace(path, temporary)


@contextmanager
def write_into(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; what it holds moves into the target when the block ends well.

    Entries of the same name are replaced, others stay as they are.

    Examples
    --------
    >>> target = Path(tempfile.mkdtemp())
    >>> (target / "mine.txt").write_text("stays")
    5
    >>> with write_into(target) as temporary:
    ...     _ = (temporary / "report.txt").write_text("new")
    >>> sorted(path.name for path in target.iterdir())
    ['mine.txt', 'report.txt']
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _beside(folder.parent, mode=0o777) as temporary:
        yield temporary
        _make_readable(temporary)
        folder.mkdir(exist_ok=True)
        for path in sorted(temporary.iterdir()):
            _replace(folder / path.name, path)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder of the system's for temporary files, which nobody else reads; it is removed in the end."""
    with _beside(Path(tempfile.gettempdir()), mode=0o700) as temporary:
        yield temporary


@contextmanager
def _beside(parent: Path, suffix: str = "", *, mode: int = 0) -> Iterator[Path]:
    """Yield an empty file or, of a mode, folder, held while the block runs; what is left of it then is removed."""
    remove_leftovers(parent.absolute())
    with _saying_full(parent):
        path, held = _made(parent, suffix, mode)
        try:
            yield path
        finally:
            _remove(path)
            if held is not None:
                os.close(held)


def _made(parent: Path, suffix: str, mode: int) -> tuple[Path, int | None]:
    while True:
        path = parent / f"{MARK}{secrets.token_hex(8)}{suffix}"
        path.mkdir(mode) if mode else path.touch(exist_ok=False)
        if fcntl is None:
            return path, None
        with suppress(FileNotFoundError):
            held = os.open(path, os.O_RDONLY)
            with suppress(OSError):  # a file system that knows no locks
                fcntl.flock(held, fcntl.LOCK_EX)
            if path.exists():
                return path, held
            os.close(held)  # somebody took it for left behind before it was held


@cache
def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder; each is looked at once a process."""
    with suppress(OSError):
        for path in folder.glob(f"{MARK}*") if fcntl is not None else ():
            with suppress(OSError):
                held = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(path)
                finally:
                    os.close(held)


def _remove(path: Path) -> None:
    if path.is_dir():
        _open(path)
        for place, folders, _ in os.walk(path):
            for name in folders:
                _open(Path(place, name))
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _open(folder: Path) -> None:
    """Let its owner do everything in a folder, without which it can be neither emptied nor moved."""
    if not folder.is_symlink():
        with suppress(OSError):
            folder.chmod(0o700)


def _make_readable(folder: Path) -> None:
    """Give files the permissions that the user's own have: some libraries (safetensors) write private ones."""
    mode = folder.stat().st_mode & 0o666
    for place, _, names in os.walk(folder):
        for name in names:
            Path(place, name).chmod(mode)


def _replace(target: Path, new: Path) -> None:
    """Rename a file or folder onto the target, which a folder can only be where nothing is."""
    if target.is_dir() or (new.is_dir() and os.path.lexists(target)):
        with _beside(target.parent, mode=0o700) as aside:
            os.replace(target, aside / target.name)
            os.replace(new, target)
    else:
        os.replace(new, target)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, of which there is at no moment half."""
    if path.is_dir():
        _open(path)
    with _beside(path.parent, mode=0o700) as aside:
        os.replace(path, aside / "removed")


def disk_full(error: BaseException, folder: Path) -> bool:
    """Return whether an error means that nothing more can be written to a folder's disk.

    Libraries that write from C lose the reason: NumPy says only that a write was short, others that it failed. Then the
    space that is left decides.
    """
    if isinstance(error, OSError):
        if error.errno in _FULL or (error.errno is None and "requested and" in str(error)):
            return True
        if error.errno is not None:
            return False
    return not isinstance(error, MachineError) and shutil.disk_usage(folder).free < _LEAST


@contextmanager
def _saying_full(folder: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if disk_full(error, folder):
            raise full_disk(folder) from error
        raise


def full_disk(folder: Path | None = None) -> MachineError:
    """Return the error that says that a disk is full."""
    do = "free some space and run the same command again; what was finished is kept"
    return MachineError("the disk is full", where=folder, do=do)
