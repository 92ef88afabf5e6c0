"""Both sides of the benchmark of reading make the same windows."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest


def test_the_two_sides_make_the_same_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    reading = importlib.import_module("benchmarks.reading")
    reading.write_recording(tmp_path / "short.vhdr", 15)
    ours, theirs = (side(tmp_path / "short.vhdr", tmp_path / name) for name, side in reading.SIDES.items())
    assert ours.shape == theirs.shape == (7, 62, 500)
    assert np.abs(ours - theirs).max() < reading.TOLERANCE
    assert 3 < ours.std() < 15  # microvolts: noise of 15 in a third of the band, without the mains
