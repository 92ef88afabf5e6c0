"""Writes that are whole or absent: into a temporary name beside the target, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from insula.errors import DataError, MachineError

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
        tempfile.TemporaryDirectory(dir=nearest).cleanup()
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
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with _saying_full(path.parent):
            yield temporary
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp is private; a result is as readable as any file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; it replaces the target when the block ends well."""
    with _folder_beside(path) as temporary:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
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
    with _folder_beside(folder) as temporary:
        yield temporary
        folder.mkdir(exist_ok=True)
        for path in sorted(temporary.iterdir()):
            _replace(folder / path.name, path)


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside the target; what is left of it in the end is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        with _saying_full(path.parent):
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace(target: Path, new: Path) -> None:
    """Rename a file or folder onto the target, which a folder can only be where nothing is."""
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    if target.exists():
        os.replace(target, old)
    os.replace(new, target)
    shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
