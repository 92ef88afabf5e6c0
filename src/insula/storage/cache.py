"""The cache: a sealed folder an entry, keyed by settings and data, never by a path that happens to exist."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from insula.errors import BundleError, MachineError
from insula.storage.atomic import MARK, disk_full, full_disk, remove, remove_leftovers, write_folder
from insula.storage.folder import MANIFEST, seal, verify
from insula.storage.hashing import digest


class Cache:
    """Entries are folders named by the hash of what made them.

    Parameters
    ----------
    root : Path, optional
        Where entries live; `INSULA_CACHE` or `~/.cache/insula` where not given.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or Path(os.environ.get("INSULA_CACHE") or Path.home() / ".cache" / "insula")

    def path(self, kind: str, key: Any) -> Path:
        """Return where the folder of `key` is, or will be."""
        return self.root / kind / digest(key)[:32]

    def folder(self, kind: str, key: Any, build: Callable[[Path], None]) -> Path:
        """Return the folder of `key`, calling `build(temporary_folder)` first where it is not there yet.

        `key` is any JSON-like value: the settings and the fingerprint of the data. Where several processes want an
        entry at the same time, one builds it and the others wait.
        """
        path = self.path(kind, key)
        if not self.holds(path):
            with _alone(path):
                if not os.path.lexists(path):
                    with write_folder(path) as temporary:
                        build(temporary)
                        seal(temporary)
        return path

    def holds(self, path: Path) -> bool:
        """Return whether an entry is there, every file of it as its hash says; one that was damaged is removed.

        Hashes notice damage. Who can write to the cache can write a hash, too.

        Warns
        -----
        UserWarning
            Naming the entry and what is wrong with it.
        """
        remove_leftovers(path.parent.absolute())
        if not os.path.lexists(path) or _damage(path) is None:
            return os.path.lexists(path)
        with _alone(path):  # somebody else may make it anew by now
            if os.path.lexists(path) and (damage := _damage(path)):
                remove(path)
                warnings.warn(f"an entry of the cache was damaged, and is made anew: {damage}", stacklevel=3)
        return os.path.lexists(path)

    def resumable(self, kind: str, key: Any, build: Callable[[Path, Path], None]) -> Path:
        """Return the folder of `key` as `folder` does, for long work that is to go on after an interruption.

        `build(temporary_folder, checkpoints)` may keep its state in the second folder, which stays until the entry is
        whole.
        """
        checkpoints = self.path("checkpoints", key)
        path = self.folder(kind, key, lambda temporary: build(temporary, checkpoints))
        shutil.rmtree(checkpoints, ignore_errors=True)
        return path


def _damage(path: Path) -> str | None:
    """Return what is wrong with an entry, and where; None where it is whole."""
    try:
        if not (path / MANIFEST).is_file():
            return f"its hashes are missing ({path})"
        verify(path)
    except PermissionError as error:
        return f"it cannot be opened: {error.strerror} ({path})"
    except BundleError as error:
        return f"{error.what} ({error.where})"
    return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    from filelock import FileLock

    lock = FileLock(path.with_name(f"{MARK}{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        if disk_full(error, path.parent.parent):
            raise full_disk(path.parent) from error
        do = "name a folder that can be written to: export INSULA_CACHE=~/insula-cache"
        raise MachineError(f"the cache cannot be written: {error.strerror}", where=path.parent, do=do) from None
    try:
        yield
    finally:
        with suppress(OSError):  # some systems remove no open file; who waits for a removed one takes a new one
            Path(lock.lock_file).unlink()
        lock.release()
