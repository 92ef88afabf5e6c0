"""Hashes: of files, of arrays and of settings."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

_BLOCK = 1 << 22  # bytes of an array that are hashed at a time

_RECENT = 2e9  # ns after a change within which a further one may bear the same time

_hashes: dict[tuple[int, ...], str] = {}


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, read in pieces; a file that did not change is read once a process."""
    with open(path, "rb") as file:
        about = os.fstat(file.fileno())
        state = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        if state in _hashes:
            return _hashes[state]
        sha256, settled = hashlib.file_digest(file, "sha256").hexdigest(), time.time_ns() - _RECENT > about.st_ctime_ns
        if settled:
            _hashes[state] = sha256
        return sha256


def digest(value: Any) -> str:
    """Return the sha256 of a JSON-like value; the order of keys does not matter.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_array(array: np.ndarray) -> str:
    """Return the sha256 of an array's type, shape and bytes."""
    hasher = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    rows = np.atleast_1d(array)
    step = max(1, _BLOCK // max(1, rows[:1].nbytes))
    for first in range(0, len(rows), step):  # in blocks: a memory map never enters memory whole
        hasher.update(np.ascontiguousarray(rows[first : first + step]).tobytes())
    return hasher.hexdigest()
