"""The cache: a folder an entry, keyed by settings and data, never by a path that happens to exist."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from insula.storage.atomic import write_folder
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
        if not path.exists():
            with _alone(path):
                if not path.exists():
                    with write_folder(path) as temporary:
                        build(temporary)
        return path

    def resumable(self, kind: str, key: Any, build: Callable[[Path, Path], None]) -> Path:
        """Return the folder of `key` as `folder` does, for long work that is to go on after an interruption.

        `build(temporary_folder, checkpoints)` may keep its state in the second folder, which stays until the entry is
        whole.
        """
        checkpoints = self.path("checkpoints", key)
        path = self.folder(kind, key, lambda temporary: build(temporary, checkpoints))
        shutil.rmtree(checkpoints, ignore_errors=True)
        return path


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    with FileLock(lock):
        try:
            yield
        finally:
            with suppress(OSError):  # some systems remove no open file; who waits for a removed one takes a new one
                lock.unlink()
