"""What the benchmark of the first answer says of a process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest


def test_a_process_is_measured_alone_and_one_that_fails_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    spent = importlib.import_module("benchmarks.first_answer").spent
    work = "import time; held = bytearray(b'1') * 80_000_000\nwhile time.process_time() < 0.3: pass\nprint('done')"
    seconds, megabytes, output = spent([sys.executable, "-S", "-c", work])
    assert 0.3 <= seconds < 2
    assert 80 < megabytes < 130  # this process holds more: the child's own is meant
    assert output == "done"
    assert spent([sys.executable, "-c", "raise SystemExit('no such photograph')"]) is None
    assert "ended with 1: no such photograph" in capsys.readouterr().out
