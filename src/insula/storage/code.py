"""Which code made a result."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import insula


@cache
def code_version() -> str:
    """Return the package version and the first digits of the sha256 of its source files."""
    root = Path(insula.__file__).parent
    hasher = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        hasher.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return f"{insula.__version__}+{hasher.hexdigest()[:12]}"
