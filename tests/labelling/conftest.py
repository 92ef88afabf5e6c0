"""Fixtures of the tests of labelling."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres_server import server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of a server of the tests' own."""
    with server() as url:
        yield url
