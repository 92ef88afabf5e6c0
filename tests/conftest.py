"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real data; skip, or fail under INSULA_REQUIRE_DATA=1, where it is absent."""
    folder = Path(os.environ.get("INSULA_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()
    if not (folder / "README.md").exists():
        message = "real data absent: set INSULA_DATA"
        if os.environ.get("INSULA_REQUIRE_DATA") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with how many tests were skipped, and why."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(report.longrepr[2] if isinstance(report.longrepr, tuple) else "?" for report in skipped)
    terminalreporter.write_line(f"skipped tests: {len(skipped)}")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"  {count} x {reason.removeprefix('Skipped: ')}")
