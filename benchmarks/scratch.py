"""A folder for what a benchmark writes: beside the cache, where corpora have room, and gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from insula.storage.cache import Cache


@contextmanager
def scratch_folder() -> Iterator[Path]:
    root = Cache().root
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=root) as folder:
        yield Path(folder)
