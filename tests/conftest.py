"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import random
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# How long an example takes to draw or to test says how busy the machine is, and nothing of what is tested.
settings.register_profile("insula", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("insula")


def _draw_as(name: str) -> None:
    """Let what is drawn from now on without a generator of its own depend on a name, not on which tests ran before."""
    seed = zlib.crc32(name.encode())
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(seed)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef, request: pytest.FixtureRequest) -> None:
    """Draw the same for a fixture, whoever asks for it first."""
    _draw_as(f"{fixturedef.baseid}::{fixturedef.argname}::{request.param_index}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Draw the same in a test, whatever ran before it; tests run in another order on each of several processes."""
    _draw_as(item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests out of the user's cache: what another processor or library computed there would be read here."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSULA_CACHE", str(folder))
        yield folder


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with how many tests were skipped, and why."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(report.longrepr[2] if isinstance(report.longrepr, tuple) else "?" for report in skipped)
    terminalreporter.write_line(f"skipped tests: {len(skipped)}")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"  {count} x {reason.removeprefix('Skipped: ')}")
