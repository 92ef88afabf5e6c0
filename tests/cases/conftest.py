"""Small inputs that went wrong once, where their folder is at hand; each kind has a test beside its room, too."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def case(data: Path) -> Callable[[str], Path]:
    """Return where a case lies; skip, or fail under INSULA_REQUIRE_DATA=1, where the folder of cases is absent."""
    folder = Path(os.environ.get("INSULA_CASES", data.parent / "cases"))
    if not (folder / "README.md").exists():
        message = "cases absent: set INSULA_CASES"
        if os.environ.get("INSULA_REQUIRE_DATA") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return lambda name: folder / name
