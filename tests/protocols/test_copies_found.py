"""Of copies of each kind that is looked for nearly all are found, and nobody else; a benchmark tries more kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import copies


def assert_found(pictures: np.ndarray, people: np.ndarray) -> None:
    for kind, change in copies.LOOKED_FOR.items():
        counts = copies.share_found(pictures, people, change)
        assert counts["found"] >= 0.95 * counts["of"] and not counts["wrong"], (kind, counts)


def test_copies_of_small_photographs_are_found(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSULA_DATA", str(data))
    pictures, people = copies.photographs(48)
    assert_found(pictures[::6], people[::6])


def test_copies_of_drawn_faces_are_found() -> None:
    pictures, people = copies.drawn(64)
    assert_found(pictures[::5], people[::5])
