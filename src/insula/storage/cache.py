"""The cache: a folder an entry, keyed by settings and data, never by a path that happens to exist."""

from __future__ import annotations

import os
from collections.abc import Callable
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

    def folder(self, kind: str, key: Any, build: Callable[[Path], None]) -> Path:
        """Return the folder of `key`, calling `build(temporary_folder)` first where it is not there yet.

        `key` is any JSON-like value: the settings and the fingerprint of the data.
        """
        path = self.root / kind / digest(key)[:32]
        if not path.exists():
            with write_folder(path) as temporary:
                build(temporary)
        return path
